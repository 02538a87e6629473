"""Creates the secrets of seed.json. LocalStack runs it whenever it is ready, because it forgets all at a restart."""

import json
import os
import pathlib

import boto3

client = boto3.client(
    "secretsmanager",
    endpoint_url=os.environ.get("SEED_ENDPOINT", "http://localhost:4566"),
    region_name=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
    aws_access_key_id="test",
    aws_secret_access_key="test",
)
seed = json.loads(pathlib.Path(__file__).with_name("seed.json").read_text())
for name, value in seed.items():
    text = json.dumps(value)
    try:
        client.create_secret(Name=name, SecretString=text)
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=name, SecretString=text)
