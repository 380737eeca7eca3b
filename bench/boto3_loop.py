# The boto3 loop of the benchmark: put_record_batch of 500 records at most, on one
# thread. Prints what it took, as JSON, without the time of start-up.
import json, resource, sys, time

import boto3
import botocore.config
import urllib3

urllib3.disable_warnings()
job = json.loads(sys.argv[1])
client = boto3.client(
    "firehose", region_name="us-east-1", endpoint_url=job["Endpoint"], verify=False,
    aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret",
    config=botocore.config.Config(retries={"total_max_attempts": 1}))
data = bytes(32 + i * 7 % 90 for i in range(job["Size"] - 1)) + b"\n"


def send(n):
    while n > 0:
        most = min(n, 500, 4194304 // len(data))
        answer = client.put_record_batch(DeliveryStreamName="bench", Records=[{"Data": data}] * most)
        if answer["FailedPutCount"] != 0:
            sys.exit("refused by a sink")
        n -= most


def cpu():
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


send(1)
start, used = time.time(), cpu()
send(job["Records"])
print(json.dumps({
    "Records": job["Records"], "CPU": cpu() - used, "Elapsed": time.time() - start,
    "PeakRSS": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10}))
