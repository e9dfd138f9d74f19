//! What botocore makes of a message: the independent judge of a signature.

use super::{KEY_ID, SECRET};
use signet_tests::process::python;
use std::process::Command;

/// A header of a message.
pub fn header(message: &str, name: &str) -> String {
    let line = message.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {message}")).to_owned()
}

/// What botocore makes of a signed message, with the date it bears.
pub fn botocore(service: &str, region: &str, message: &str) -> String {
    const SCRIPT: &str = r#"
import sys
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

key, secret, service, region = sys.argv[1:]
head, body = sys.stdin.buffer.read().split(b"\r\n\r\n", 1)
first, *lines = head.decode().split("\r\n")
method, target, _ = first.split(" ")
headers = {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}
sent = {name: value for name, value in headers.items() if name.lower() not in ("authorization", "connection")}
host = next(value for name, value in headers.items() if name.lower() == "host")
kind = S3SigV4Auth if service == "s3" else SigV4Auth
signer = kind(Credentials(key, secret), service, region)
request = AWSRequest(method=method, url="https://" + host + target, data=body, headers=sent)
request.context["timestamp"] = headers["x-amz-date"]
text = signer.string_to_sign(request, signer.canonical_request(request))
signature = signer.signature(text, request)
print("AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=%s, Signature=%s" % (
    signer.scope(request), signer.signed_headers(signer.headers_to_sign(request)), signature))
"#;
    let mut child = Command::new(python("python3"))
        .args(["-c", SCRIPT, KEY_ID, SECRET, service, region])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), message.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
