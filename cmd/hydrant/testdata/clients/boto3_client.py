"""boto3 as a client of the Firehose that the environment names.

usage: boto3_client.py NAME FIRST BATCH

Creates the stream NAME, which delivers into the bucket NAME, puts FIRST's bytes
by PutRecord and BATCH's lines by PutRecordBatch, deletes the stream NAME-gone,
and prints what the service answered: the JSON that clients_test.go judges.
"""

import datetime
import json
import sys
import time

try:
    import boto3
    from botocore.exceptions import ClientError
except ImportError:
    sys.exit(77)

LIMIT = 1_024_000  # bytes of a record


def error_of(call, kind=ClientError):
    """The error that a call ends with, which must be raised as kind."""
    try:
        call()
    except kind as e:
        return {"code": e.response["Error"]["Code"], "message": e.response["Error"]["Message"]}
    return None


def pages(firehose):
    """Every page of stream names: the API has no paginator."""
    found, after = [], {}
    while True:
        page = firehose.list_delivery_streams(**after)
        found.append(page["DeliveryStreamNames"])
        if not page["HasMoreDeliveryStreams"]:
            return found
        after = {"ExclusiveStartDeliveryStreamName": found[-1][-1]}


def list_as(key, secret):
    """A list call by somebody else."""
    boto3.client("firehose", aws_access_key_id=key, aws_secret_access_key=secret).list_delivery_streams()


def incoming_records(name):
    now = datetime.datetime.now(datetime.timezone.utc)
    answer = boto3.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Firehose",
        MetricName="IncomingRecords",
        Dimensions=[{"Name": "DeliveryStreamName", "Value": name}],
        StartTime=now - datetime.timedelta(hours=1),
        EndTime=now + datetime.timedelta(minutes=1),
        Period=60,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in answer["Datapoints"])


def main(name, first, batch):
    firehose = boto3.client("firehose")
    with open(first, "rb") as f:
        first = f.read()
    with open(batch, "rb") as f:
        lines = f.readlines()

    firehose.create_delivery_stream(
        DeliveryStreamName=name,
        S3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::000000000000:role/firehose",
            "BucketARN": "arn:aws:s3:::" + name,
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
        },
    )
    while True:
        d = firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
        if d["DeliveryStreamStatus"] == "ACTIVE":
            break
        time.sleep(0.05)

    one = firehose.put_record(DeliveryStreamName=name, Record={"Data": first})
    many = firehose.put_record_batch(DeliveryStreamName=name, Records=[{"Data": line} for line in lines])
    too_large = error_of(
        lambda: firehose.put_record_batch(
            DeliveryStreamName=name, Records=[{"Data": b"fits\n"}, {"Data": b"x" * (LIMIT + 1)}]
        )
    )

    gone = name + "-gone"
    firehose.delete_delivery_stream(DeliveryStreamName=gone)
    unknown_stream = error_of(
        lambda: firehose.put_record(DeliveryStreamName=gone, Record={"Data": first}),
        firehose.exceptions.ResourceNotFoundException,
    )

    keys = boto3.Session().get_credentials()
    print(
        json.dumps(
            {
                "arn": d["DeliveryStreamARN"],
                "bucket_arn": d["Destinations"][0]["ExtendedS3DestinationDescription"]["BucketARN"],
                "created": d["CreateTimestamp"].timestamp(),
                "record_ids": [one["RecordId"]] + [r.get("RecordId") for r in many["RequestResponses"]],
                "failed": many["FailedPutCount"],
                "pages": pages(firehose),
                "incoming_records": incoming_records(name),
                "errors": {
                    "too_large": too_large,
                    "unknown_stream": unknown_stream,
                    "wrong_secret": error_of(lambda: list_as(keys.access_key, "wrong")),
                    "unknown_key": error_of(lambda: list_as("AKIDNOBODY", keys.secret_key)),
                },
            }
        )
    )


main(*sys.argv[1:])
