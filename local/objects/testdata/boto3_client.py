"""boto3 as a client of the S3 that the environment names.

usage: boto3_client.py BUCKET NEW

Lists BUCKET in pages and in folders, makes the bucket NEW, works with objects in
it, and removes it. Prints what it has seen: the JSON that clients_test.go judges.
"""

import io
import json
import sys

try:
    import boto3
    from boto3.s3.transfer import TransferConfig
    from botocore.exceptions import ClientError
except ImportError:
    sys.exit(77)

MIB = 1 << 20
ODD = "odd/ü +%2F&<>\t'\"/#?.json"


def code(call, *args, **kwargs):
    """The code of the error that a call ends with."""
    try:
        call(*args, **kwargs)
    except ClientError as e:
        return e.response["Error"]["Code"]
    return "no error"


def main(bucket, new):
    s3 = boto3.client("s3")
    report = {"buckets": [b["Name"] for b in s3.list_buckets()["Buckets"]]}
    for version in ("list_objects", "list_objects_v2"):
        pages = s3.get_paginator(version).paginate(Bucket=bucket)
        report[version] = [o["Key"] for page in pages for o in page["Contents"]]
    folders = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Delimiter="/", Prefix="2026/07/", PaginationConfig={"PageSize": 7})
    report["folders"] = [p["Prefix"] for page in folders for p in page["CommonPrefixes"]]

    s3.create_bucket(Bucket=new)
    big = bytes(range(256)) * (12 * MIB // 256) + b"end"
    parts = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=3)
    s3.upload_fileobj(io.BytesIO(big), new, "big.json", ExtraArgs={"ContentEncoding": "gzip"}, Config=parts)
    back = io.BytesIO()
    s3.download_fileobj(new, "big.json", back, Config=parts)
    report["big"] = [back.getvalue() == big, s3.head_object(Bucket=new, Key="big.json")["ContentEncoding"]]
    s3.put_object(Bucket=new, Key=ODD, Body=b"0123456789", ContentMD5="eB5eJF1ptWaXm4bijSPyxw==")
    report["range"] = s3.get_object(Bucket=new, Key=ODD, Range="bytes=3-5")["Body"].read().decode()
    s3.copy_object(Bucket=new, Key="copy", CopySource={"Bucket": new, "Key": ODD})
    report["keys"] = [o.key == ODD and "ODD" or o.key for o in boto3.resource("s3").Bucket(new).objects.all()]
    report["errors"] = [
        code(s3.get_object, Bucket=new, Key="none"),
        code(s3.get_object, Bucket="none", Key="none"),
        code(s3.head_object, Bucket=new, Key="none"),
        code(s3.get_object, Bucket=new, Key="copy", Range="bytes=10-"),
        code(s3.get_object, Bucket=new, Key="copy", IfMatch='"other"'),
        code(s3.delete_bucket, Bucket=new),
        code(s3.get_bucket_tagging, Bucket=new),
    ]
    boto3.resource("s3").Bucket(new).objects.all().delete()
    s3.delete_bucket(Bucket=new)
    json.dump(report, sys.stdout)


main(*sys.argv[1:])
