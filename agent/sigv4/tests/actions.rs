//! Requests and the actions they are named by, and those that cannot be named.

use signet_sigv4::{Error, Request, prepare};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/x-amz-json-1.0";
const STS: &str = "https://sts.us-east-1.amazonaws.com/";
const SQS: &str = "https://sqs.us-east-1.amazonaws.com/";

fn action(
    service: &str,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<String, Error> {
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let request =
        Request { service, region: "us-east-1", method, url, headers: &headers, body: Some(body.as_bytes()) };
    prepare(&request, "20261122T170341Z").map(|prepared| prepared.action().to_owned())
}

fn form(service: &str, url: &str, body: &str) -> Result<String, Error> {
    action(service, "POST", url, &[("content-type", FORM)], body)
}

fn s3(method: &str, url: &str) -> Result<String, Error> {
    action("s3", method, url, &[], "")
}

fn named(action: Result<String, Error>, wanted: &str) {
    assert_eq!(action.as_deref(), Ok(wanted));
}

fn unnamed(action: Result<String, Error>, wanted: &'static str) {
    assert_eq!(action, Err(Error::Action(wanted)));
}

#[test]
fn query_protocol() {
    named(form("sts", STS, "Action=GetCallerIdentity&Version=2011-06-15"), "sts:GetCallerIdentity");
    named(form("sts", STS, "Version=2011-06-15&Action=AssumeRoot&TargetPrincipal=1"), "sts:AssumeRoot");
    named(form("sts", STS, "Acti%6fn=GetCallerIdentit%79"), "sts:GetCallerIdentity");
    named(form("iam", "https://iam.amazonaws.com/", "Action=CreateAccessKey"), "iam:CreateAccessKey");
    named(form("iam", "https://iam.amazonaws.com", "Action=PutUserPolicy&Reaction=x"), "iam:PutUserPolicy");
    named(
        form("sqs", &format!("{SQS}123456789012/q"), "Action=SetQueueAttributes"),
        "sqs:SetQueueAttributes",
    );
    named(action("sts", "GET", &format!("{STS}?Action=GetCallerIdentity"), &[], ""), "sts:GetCallerIdentity");
    named(
        action("sts", "POST", &format!("{STS}?Action=GetCallerIdentity"), &[], ""),
        "sts:GetCallerIdentity",
    );
    named(
        form("sts", &format!("{STS}?Action=GetSessionToken"), "DurationSeconds=900"),
        "sts:GetSessionToken",
    );
    let utf8 = [("content-type", "Application/X-WWW-form-urlencoded;charset=UTF-8")];
    named(action("sts", "POST", STS, &utf8, "Action=A1"), "sts:A1");
}

#[test]
fn query_protocol_refusals() {
    let twice = "Action stands twice";
    unnamed(form("sts", STS, "Action=GetCallerIdentity&Action=GetSessionToken"), twice);
    unnamed(form("sts", STS, "Action=GetCallerIdentity&Action=GetCallerIdentity"), twice);
    unnamed(form("sts", &format!("{STS}?Action=GetCallerIdentity"), "Action=GetSessionToken"), twice);
    unnamed(form("sts", STS, "Action=GetCallerIdentity&action=GetSessionToken"), twice);
    unnamed(form("sts", STS, "Action=GetCallerIdentity&%41ction=GetSessionToken"), twice);
    unnamed(form("sts", STS, "Action=GetCallerIdentity&+Action=GetSessionToken"), twice);
    unnamed(form("sts", STS, "Action=GetCallerIdentity&Action"), twice);
    unnamed(form("sts", STS, "action=GetCallerIdentity"), "the parameter is spelt Action");
    unnamed(form("sts", STS, "Version=2011-06-15"), "there is no Action");
    unnamed(form("sts", STS, ""), "there is no Action");
    let word = "the operation is not a word of letters and digits";
    for value in ["", "Get*", "Get%20X", "Get+X", "%00", "%ff", "a%3Ab"] {
        unnamed(form("sts", STS, &format!("Action={value}")), word);
    }
    let semicolon = "a semicolon in parameters must be percent-encoded";
    unnamed(form("sts", STS, "Action=GetCallerIdentity;Action=GetSessionToken"), semicolon);
    let encoded = "the form holds a byte that must be percent-encoded";
    unnamed(form("sts", STS, "Action=GetCallerIdentity\r\nAction=GetSessionToken"), encoded);
    unnamed(form("sts", STS, "Action=GetCallerIdentity&UserName=\u{e9}"), encoded);
    let kind = "the body is not of content-type application/x-www-form-urlencoded";
    unnamed(action("sts", "POST", STS, &[], "Action=GetCallerIdentity"), kind);
    for other in
        ["text/plain", JSON, "application/x-www-form-urlencoded; charset=utf-16", "multipart/form-data"]
    {
        unnamed(action("sts", "POST", STS, &[("content-type", other)], "Action=GetCallerIdentity"), kind);
    }
    let get = format!("{STS}?Action=GetCallerIdentity");
    unnamed(
        action("sts", "GET", &get, &[("content-type", FORM)], "Action=GetSessionToken"),
        "a GET brings a body",
    );
    unnamed(
        action("sts", "PUT", STS, &[("content-type", FORM)], "Action=X"),
        "this service takes GET and POST",
    );
    unnamed(form("sts", &format!("{STS}x"), "Action=GetCallerIdentity"), "this service has no path but /");
    unnamed(form("iam", "https://iam.amazonaws.com//", "Action=X"), "this service has no path but /");
}

#[test]
fn json_protocol() {
    let with = |target, kind, url: &str| {
        action("sqs", "POST", url, &[("X-Amz-Target", target), ("Content-Type", kind)], r#"{"QueueUrl":"q"}"#)
    };
    named(with("AmazonSQS.SetQueueAttributes", JSON, SQS), "sqs:SetQueueAttributes");
    named(with("AmazonSQS.ListQueues", JSON, &format!("{SQS}1/q")), "sqs:ListQueues");
    let both = "x-amz-target and Action stand side by side";
    unnamed(with("AmazonSQS.ListQueues", JSON, &format!("{SQS}?Action=SetQueueAttributes")), both);
    let header = "x-amz-target goes with POST and content-type application/x-amz-json-1.0";
    unnamed(with("AmazonSQS.ListQueues", FORM, SQS), header);
    unnamed(
        action("sqs", "GET", SQS, &[("x-amz-target", "AmazonSQS.ListQueues"), ("content-type", JSON)], ""),
        header,
    );
    unnamed(with("AmazonSNS.ListQueues", JSON, SQS), "x-amz-target is not of this service");
    unnamed(with("ListQueues", JSON, SQS), "x-amz-target is not of this service");
    unnamed(with("AmazonSQS.", JSON, SQS), "the operation is not a word of letters and digits");
    unnamed(with("AmazonSQS.A.B", JSON, SQS), "the operation is not a word of letters and digits");
    let sts = [("content-type", FORM), ("x-amz-target", "AmazonSQS.ListQueues")];
    unnamed(
        action("sts", "POST", STS, &sts, "Action=GetCallerIdentity"),
        "this service takes no x-amz-target",
    );
}

#[test]
fn s3_operations() {
    let path = "https://s3.eu-west-1.amazonaws.com";
    let in_host = "https://bucket.s3.us-east-1.amazonaws.com";
    // Another region's host names no bucket that we could be sure of.
    assert!(matches!(s3("GET", path), Err(Error::Host { .. })));
    let path = path.replace("eu-west-1", "us-east-1");
    for (method, end, wanted) in [
        ("GET", "?policy", "s3:GetBucketPolicy"),
        ("PUT", "?policy", "s3:PutBucketPolicy"),
        ("PUT", "?policy=", "s3:PutBucketPolicy"),
        ("PUT", "?polic%79", "s3:PutBucketPolicy"),
        ("DELETE", "?policy", "s3:DeleteBucketPolicy"),
        ("GET", "?policyStatus", "s3:GetBucketPolicyStatus"),
        ("GET", "?versioning", "s3:GetBucketVersioning"),
        ("PUT", "?versioning", "s3:PutBucketVersioning"),
        ("GET", "?acl", "s3:GetBucketAcl"),
        ("PUT", "?acl", "s3:PutBucketAcl"),
        ("GET", "", "s3:ListObjects"),
        ("GET", "?list-type=2&prefix=a%2F&delimiter=%2F", "s3:ListObjectsV2"),
        ("GET", "?versions", "s3:ListObjectVersions"),
        ("HEAD", "", "s3:HeadBucket"),
        ("PUT", "", "s3:CreateBucket"),
        ("DELETE", "", "s3:DeleteBucket"),
        ("POST", "?delete", "s3:DeleteObjects"),
        ("GET", "/key", "s3:GetObject"),
        ("GET", "/key?versionId=1&x-id=GetObject", "s3:GetObject"),
        ("HEAD", "/key", "s3:HeadObject"),
        ("PUT", "/a/b/../c", "s3:PutObject"),
        ("DELETE", "/key", "s3:DeleteObject"),
        ("PUT", "/key?acl&versionId=1", "s3:PutObjectAcl"),
        ("PUT", "/key?uploadId=u&partNumber=1", "s3:UploadPart"),
        ("POST", "/key?uploads", "s3:CreateMultipartUpload"),
        ("POST", "/key?uploadId=u", "s3:CompleteMultipartUpload"),
        ("DELETE", "/key?uploadId=u", "s3:AbortMultipartUpload"),
        // What is not known is never taken for the plain operation.
        ("PUT", "?Policy", "s3:PUT /bucket?Policy"),
        ("PUT", "?policy&acl", "s3:PUT /bucket?policy&acl"),
        ("PUT", "?policy&policy", "s3:PUT /bucket?policy&policy"),
        ("DELETE", "?unheard-of", "s3:DELETE /bucket?unheard-of"),
        ("PUT", "/key?policy", "s3:PUT /bucket/key?policy"),
        ("POST", "", "s3:POST /bucket"),
        ("PATCH", "/key", "s3:PATCH /bucket/key"),
    ] {
        named(s3(method, &format!("{path}/bucket{end}")), wanted);
        named(s3(method, &format!("{in_host}{end}")), wanted);
        named(s3(method, &format!("http://127.0.0.1:4566/bucket{end}")), wanted);
    }
    named(s3("GET", &path), "s3:ListBuckets");
    named(s3("GET", &format!("{path}/?max-buckets=5")), "s3:ListBuckets");
    named(s3("GET", &format!("{path}/bucket/")), "s3:ListObjects");
    named(s3("DELETE", &format!("{path}/")), "s3:DELETE /");
    let copy = |url: &str| action("s3", "PUT", url, &[("x-amz-copy-source", "/a/b")], "");
    named(copy(&format!("{path}/bucket/key")), "s3:CopyObject");
    named(copy(&format!("{path}/bucket/key?uploadId=u&partNumber=1")), "s3:UploadPartCopy");
    unnamed(copy(&format!("{path}/bucket?policy")), "x-amz-copy-source goes with PUT of an object only");
    for wrong in ["//bucket", "/../bucket", "/%62ucket", "/a", "/.bucket"] {
        unnamed(s3("GET", &format!("{path}{wrong}")), "the path names no bucket");
    }
}

#[test]
fn other_services() {
    named(
        action("lambda", "GET", "https://x.example/2015-03-31/functions/", &[], ""),
        "lambda:GET /2015-03-31/functions/",
    );
    named(
        action("organizations", "POST", "https://x.example", &[("x-amz-target", "A.B")], "{}"),
        "organizations:POST /",
    );
    let dots = "the path holds an empty segment, or one of dots";
    for path in ["/a/../b", "/a/.", "/..", "//a", "/a//b", "/a/%2e%2E/b", "/%2e"] {
        unnamed(action("lambda", "GET", &format!("https://x.example{path}"), &[], ""), dots);
    }
}
