"""Writes canonical request, string to sign and authorization of every case, as botocore computes them."""

import pathlib

import botocore
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

CREDENTIALS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")


def read(folder):
    head, _, body = (folder / "request.txt").read_bytes().partition(b"\n\n")
    first, *lines = head.decode().splitlines()
    method, url, version = first.split(" ")
    assert version == "HTTP/1.1", folder
    return AWSRequest(method, url, headers=dict(line.split(": ", 1) for line in lines), data=body)


def make(folder):
    service, region, date = (folder / "scope.txt").read_text().split()
    request = read(folder)
    auth = (S3SigV4Auth if service == "s3" else SigV4Auth)(CREDENTIALS, service, region)
    # What add_auth does, with the date of the case instead of the clock's.
    request.context["timestamp"] = date
    request.context["payload_signing_enabled"] = True
    auth._modify_request_before_signing(request)
    canonical = auth.canonical_request(request)
    to_sign = auth.string_to_sign(request, canonical)
    auth._inject_signature_to_request(request, auth.signature(to_sign, request))
    (folder / "canonical.txt").write_text(canonical)
    (folder / "string-to-sign.txt").write_text(to_sign)
    (folder / "authorization.txt").write_text(request.headers["Authorization"])


here = pathlib.Path(__file__).parent
for case in sorted(path for path in here.iterdir() if path.is_dir()):
    make(case)
(here / "made-with.txt").write_text(f"botocore {botocore.__version__}\n")
