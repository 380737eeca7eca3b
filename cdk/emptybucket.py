import boto3
import cfnresponse
from botocore.exceptions import ClientError

TAG = {"Key": "hydrant:empty-on-delete", "Value": "true"}


def handler(event, context):
    status, reason, bucket = cfnresponse.FAILED, None, event.get("PhysicalResourceId")
    try:
        bucket = event["ResourceProperties"]["BucketName"]
        if event["RequestType"] == "Delete":
            empty(boto3.client("s3"), bucket, context)
        status = cfnresponse.SUCCESS
    except Exception as e:
        reason = f"Bucket {bucket} was not emptied: {e}"[:1000]
        print(reason)
    cfnresponse.send(event, context, status, {}, bucket, reason=reason)


def empty(s3, bucket, context):
    if not wanted(s3, bucket):
        print(f"{bucket} is left as it is: it is gone, or has no tag {TAG}")
        return
    deleted = 0
    while True:
        page = s3.list_object_versions(Bucket=bucket)
        found = page.get("Versions", []) + page.get("DeleteMarkers", [])
        if not found:
            break
        if context.get_remaining_time_in_millis() < 30000:
            raise RuntimeError(f"{deleted} objects are deleted, and more are left. Delete the stack again to go on.")
        objects = [{"Key": o["Key"], "VersionId": o["VersionId"]} for o in found]
        errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get("Errors")
        if errors:
            raise RuntimeError(f"{len(errors)} of {len(found)} objects were not deleted, such as {errors[0]}")
        deleted += len(found)
    print(f"{deleted} objects are deleted")


# A resource is also deleted when removeObjects is switched off, or when an update that
# switched it on is rolled back. Then the tag is gone by now, and the objects stay.
def wanted(s3, bucket):
    try:
        return TAG in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    except ClientError as e:
        if e.response["Error"]["Code"] in ("NoSuchTagSet", "NoSuchBucket"):
            return False
        raise
