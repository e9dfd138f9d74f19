"""Every operation of the strict endpoint, called by boto3. Arguments: URL, root id and secret, user id and
secret, two codes of the MFA device. Ends with a line `done`; an assertion or an error of AWS's ends it early.
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

url, root_id, root_secret, user_id, user_secret, code, next_code = sys.argv[1:]
ROOT = dict(aws_access_key_id=root_id, aws_secret_access_key=root_secret)
USER = dict(aws_access_key_id=user_id, aws_secret_access_key=user_secret)
DEVICE = "arn:aws:iam::123456789012:mfa/root-account-mfa-device"
POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})


def client(service, keys):
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", config=config, **keys)


def session_of(answer):
    got = answer["Credentials"]
    return dict(
        aws_access_key_id=got["AccessKeyId"],
        aws_secret_access_key=got["SecretAccessKey"],
        aws_session_token=got["SessionToken"],
    )


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
    else:
        raise AssertionError(f"{code} was expected")


sts = client("sts", ROOT)
assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:root"
plain = session_of(sts.get_session_token(DurationSeconds=7200))
assert client("sts", plain).get_caller_identity()["Arn"].endswith(":root")
refused("InvalidClientTokenId", client("iam", plain).list_access_keys)
with_mfa = session_of(sts.get_session_token(SerialNumber=DEVICE, TokenCode=code))
assert len(client("iam", with_mfa).list_access_keys()["AccessKeyMetadata"]) == 1

user = client("sts", USER)
assert user.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/break-glass"
role = user.assume_role(RoleArn="arn:aws:iam::123456789012:role/admin", RoleSessionName="me")
assert client("sts", session_of(role)).get_caller_identity()["Arn"].endswith(":assumed-role/admin/me")
refused("AccessDenied", sts.assume_role, RoleArn="arn:aws:iam::123456789012:role/admin", RoleSessionName="me")
if hasattr(user, "assume_root"):
    task = {"arn": "arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy"}
    member = user.assume_root(TargetPrincipal="210987654321", TaskPolicyArn=task, DurationSeconds=900)
    client("s3", session_of(member)).get_bucket_policy(Bucket="locked-bucket")
    refused("AccessDenied", sts.assume_root, TargetPrincipal="210987654321", TaskPolicyArn=task)

iam = client("iam", ROOT)
fresh = iam.create_access_key()["AccessKey"]
refused("LimitExceeded", iam.create_access_key)
iam.update_access_key(AccessKeyId=fresh["AccessKeyId"], Status="Inactive")
states = {key["AccessKeyId"]: key["Status"] for key in iam.list_access_keys()["AccessKeyMetadata"]}
assert states == {root_id: "Active", fresh["AccessKeyId"]: "Inactive"}, states
iam.delete_access_key(AccessKeyId=fresh["AccessKeyId"])
iam.put_user_policy(UserName="break-glass", PolicyName="inline", PolicyDocument=POLICY)
iam.attach_user_policy(UserName="break-glass", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")

s3 = client("s3", ROOT)
assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["locked-bucket"]
refused("AccessDenied", client("s3", USER).delete_bucket_policy, Bucket="locked-bucket")
assert "Deny" in s3.get_bucket_policy(Bucket="locked-bucket")["Policy"]
s3.delete_bucket_policy(Bucket="locked-bucket")
refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket="locked-bucket")
client("s3", USER).put_bucket_policy(Bucket="locked-bucket", Policy=POLICY)
versioning = {"Status": "Enabled", "MFADelete": "Enabled"}
refused("AccessDenied", s3.put_bucket_versioning, Bucket="locked-bucket", VersioningConfiguration=versioning)
s3.put_bucket_versioning(
    Bucket="locked-bucket", VersioningConfiguration=versioning, MFA=f"{DEVICE} {next_code}"
)
assert s3.get_bucket_versioning(Bucket="locked-bucket")["MFADelete"] == "Enabled"

sqs = client("sqs", ROOT)
queue = sqs.get_queue_url(QueueName="locked-queue")["QueueUrl"]
assert sqs.list_queues()["QueueUrls"] == [queue]
assert "Deny" in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"]["Policy"]
sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})
assert not sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"]).get("Attributes")
print("done")
