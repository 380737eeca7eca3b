# Runs emptybucket.py against moto's S3, as Lambda does: TestEmptyBucket runs this.
import http.server
import json
import logging
import os
import sys
import threading
import unittest

try:
    import boto3
    from moto.s3.models import s3_backends
    from moto.server import ThreadedMotoServer
except ImportError as e:
    print("missing:", e)
    sys.exit(75)

sys.path[:0] = [os.path.join(os.path.dirname(__file__), ".."), os.path.dirname(__file__)]
os.environ.update(AWS_ACCESS_KEY_ID="AKID", AWS_SECRET_ACCESS_KEY="secret", AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="eu-west-1")

import emptybucket

logging.getLogger("werkzeug").setLevel(logging.ERROR)
answers = []


class CloudFormation(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        answers.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Context:
    log_stream_name = "stream"

    def __init__(self, milliseconds=900000):
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self):
        return self.milliseconds


class TestEmptyBucket(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        cls.moto.start()
        host, port = cls.moto.get_host_and_port()
        os.environ["AWS_ENDPOINT_URL"] = f"http://{host}:{port}"
        cls.s3 = boto3.client("s3")
        cls.server = http.server.HTTPServer(("127.0.0.1", 0), CloudFormation)
        cls.url = f"http://127.0.0.1:{cls.server.server_port}/"
        cls.thread = threading.Thread(target=cls.server.serve_forever)
        cls.thread.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.thread.join()
        cls.server.server_close()
        cls.moto.stop()

    def bucket(self, name, tag="true", versioned=False, objects=0):
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        if tag:
            self.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "hydrant:empty-on-delete", "Value": tag}]})
        if versioned:
            self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        for i in range(objects):  # past its API, which takes milliseconds for each
            s3_backends["123456789012"]["aws"].put_object(name, f"data/{i:05}", b"x")

    def call(self, kind, bucket, context=None, **changes):
        answers.clear()
        event = {
            "RequestType": kind, "ResponseURL": self.url, "StackId": "stack", "RequestId": "request", "LogicalResourceId": "EmptyBucket",
            "PhysicalResourceId": bucket, "ResourceProperties": {"BucketName": bucket},
        } | changes
        emptybucket.handler(event, context or Context())
        self.assertEqual(len(answers), 1)
        self.assertEqual(answers[0]["LogicalResourceId"], "EmptyBucket")
        return answers[0]

    def left(self, bucket):
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
        return sum(len(p.get("Versions", [])) + len(p.get("DeleteMarkers", [])) for p in pages)

    def test_pages(self):
        self.bucket("pages", objects=2500)
        answer = self.call("Delete", "pages")
        self.assertEqual((answer["Status"], answer["PhysicalResourceId"]), ("SUCCESS", "pages"))
        self.s3.delete_bucket(Bucket="pages")

    def test_versions(self):
        self.bucket("versions", versioned=True, objects=20)
        for i in range(10):
            self.s3.put_object(Bucket="versions", Key=f"data/{i:05}", Body=b"y")
            self.s3.delete_object(Bucket="versions", Key=f"data/{i + 5:05}")
        self.assertEqual(self.left("versions"), 40)
        self.assertEqual(self.call("Delete", "versions")["Status"], "SUCCESS")
        self.s3.delete_bucket(Bucket="versions")

    def test_empty(self):
        self.bucket("none")
        self.assertEqual(self.call("Delete", "none")["Status"], "SUCCESS")

    def test_only_on_delete(self):
        self.bucket("kept", objects=1)
        for kind in "Create", "Update":
            answer = self.call(kind, "kept")
            self.assertEqual((answer["Status"], answer["PhysicalResourceId"]), ("SUCCESS", "kept"))
        self.assertEqual(self.left("kept"), 1)

    def test_switched_off(self):
        for name, tag in ("untagged", None), ("tagged-false", "false"):
            self.bucket(name, tag=tag, objects=1)
            self.assertEqual(self.call("Delete", name)["Status"], "SUCCESS")
            self.assertEqual(self.left(name), 1)

    def test_gone(self):
        self.assertEqual(self.call("Delete", "gone")["Status"], "SUCCESS")

    def test_out_of_time(self):
        self.bucket("slow", objects=3)
        answer = self.call("Delete", "slow", Context(29999))
        self.assertEqual(answer["Status"], "FAILED")
        self.assertEqual(answer["Reason"], "Bucket slow was not emptied: 0 objects are deleted, and more are left. Delete the stack again to go on.")
        self.assertEqual(self.call("Delete", "slow")["Status"], "SUCCESS")
        self.assertEqual(self.left("slow"), 0)

    def test_refused(self):
        self.s3.create_bucket(Bucket="locked", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}, ObjectLockEnabledForBucket=True)
        self.s3.put_bucket_tagging(Bucket="locked", Tagging={"TagSet": [emptybucket.TAG]})
        self.s3.put_object(Bucket="locked", Key="free", Body=b"x")
        self.s3.put_object(Bucket="locked", Key="held", Body=b"x", ObjectLockLegalHoldStatus="ON")
        answer = self.call("Delete", "locked")
        self.assertEqual(answer["Status"], "FAILED")
        self.assertIn("1 of 2 objects were not deleted, such as {'Key': 'held'", answer["Reason"])

    def test_unreadable_event(self):
        answer = self.call("Delete", "x", ResourceProperties={})
        self.assertEqual((answer["Status"], answer["PhysicalResourceId"]), ("FAILED", "x"))
        self.assertIn("BucketName", answer["Reason"])

    def test_no_service(self):
        url = os.environ["AWS_ENDPOINT_URL"]
        os.environ.update(AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_MAX_ATTEMPTS="1")
        try:
            answer = self.call("Delete", "x")
        finally:
            os.environ["AWS_ENDPOINT_URL"] = url
            del os.environ["AWS_MAX_ATTEMPTS"]
        self.assertEqual(answer["Status"], "FAILED")
        self.assertIn("Could not connect", answer["Reason"])


if __name__ == "__main__":
    unittest.main()
