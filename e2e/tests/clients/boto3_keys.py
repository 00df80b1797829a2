"""Puts, reads, lists, copies, presigns and deletes objects under odd keys. Prints {key: "ok" or why
not}, how many were listed, and the size of a large object that went in parts."""
import io
import json
import random
import sys
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

job = json.loads(sys.argv[1])
account = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}


def client(style):
    config = Config(s3={"addressing_style": style}, retries={"max_attempts": 1})
    return boto3.client("s3", endpoint_url=job["endpoint"], config=config, **account)


s3 = client("path")
bucket = f"bucket-{random.randrange(1 << 40)}"
s3.create_bucket(Bucket=bucket)
results = {}
for number, key in enumerate(job["keys"]):
    try:
        body = f"body {number}".encode()
        s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata={"number": str(number)})
        got = s3.get_object(Bucket=bucket, Key=key)
        assert got["Body"].read() == body, "another body"
        assert got["Metadata"] == {"number": str(number)}, got["Metadata"]
        assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(body)
        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
        assert urllib.request.urlopen(url).read() == body, "another body of the presigned URL"
        results[key] = "ok"
    except Exception as error:
        results[key] = f"failed: {type(error).__name__}: {error}"

listed = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
for key in set(job["keys"]) - set(listed):
    results[key] = f"not listed: {results[key]}"
results["listed"] = len(listed)

large = b"x" * 12_582_912
parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
s3.upload_fileobj(io.BytesIO(large), bucket, "large object", Config=parts)
results["multipart"] = s3.head_object(Bucket=bucket, Key="large object")["ContentLength"]

try:
    body = client("virtual").get_object(Bucket=bucket, Key=job["keys"][0])["Body"].read()
    results["virtual host"] = "ok" if body == b"body 0" else body.decode()
except Exception as error:
    results["virtual host"] = f"failed: {type(error).__name__}: {error}"

s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in listed]})
print(json.dumps(results))
