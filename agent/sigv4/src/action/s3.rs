//! The operations of S3 (service model of 2006-03-01), from method, level and query.
//!
//! A request gets an operation's name only when every parameter of its query is known: those that
//! select an operation must be exactly the row's, the others ([`PLAIN`]) only tune it. Everything
//! else is named by method, path and query, in path style whatever its host: an unknown
//! sub-resource is never taken for the plain operation.

use crate::endpoint::s3_bucket;
use crate::url::percent_decode;
use crate::{Error, Request, Url, headers};
use Level::{Account, Bucket, Object};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Account,
    Bucket,
    Object,
}

/// Parameters that change the answer's shape, or pick a version, but not the operation.
const PLAIN: [&str; 25] = [
    "bucket-region",
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "marker",
    "max-buckets",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "prefix",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "start-after",
    "upload-id-marker",
    "version-id-marker",
    "versionId",
    "x-id",
    "allow-incomplete-result",
];

/// Method, level, selecting parameters in alphabetical order, operation.
type Row = (&'static str, Level, &'static [&'static str], &'static str);

#[rustfmt::skip]
const OPERATIONS: &[Row] = &[
    ("GET", Account, &[], "ListBuckets"),
    ("DELETE", Bucket, &[], "DeleteBucket"),
    ("GET", Bucket, &[], "ListObjects"),
    ("GET", Bucket, &["list-type"], "ListObjectsV2"),
    ("HEAD", Bucket, &[], "HeadBucket"),
    ("PUT", Bucket, &[], "CreateBucket"),
    ("POST", Bucket, &["delete"], "DeleteObjects"),
    ("GET", Bucket, &["uploads"], "ListMultipartUploads"),
    ("GET", Bucket, &["versions"], "ListObjectVersions"),
    ("GET", Bucket, &["accelerate"], "GetBucketAccelerateConfiguration"),
    ("PUT", Bucket, &["accelerate"], "PutBucketAccelerateConfiguration"),
    ("GET", Bucket, &["acl"], "GetBucketAcl"),
    ("PUT", Bucket, &["acl"], "PutBucketAcl"),
    ("DELETE", Bucket, &["cors"], "DeleteBucketCors"),
    ("GET", Bucket, &["cors"], "GetBucketCors"),
    ("PUT", Bucket, &["cors"], "PutBucketCors"),
    ("DELETE", Bucket, &["encryption"], "DeleteBucketEncryption"),
    ("GET", Bucket, &["encryption"], "GetBucketEncryption"),
    ("PUT", Bucket, &["encryption"], "PutBucketEncryption"),
    ("DELETE", Bucket, &["lifecycle"], "DeleteBucketLifecycle"),
    ("GET", Bucket, &["lifecycle"], "GetBucketLifecycleConfiguration"),
    ("PUT", Bucket, &["lifecycle"], "PutBucketLifecycleConfiguration"),
    ("GET", Bucket, &["location"], "GetBucketLocation"),
    ("GET", Bucket, &["logging"], "GetBucketLogging"),
    ("PUT", Bucket, &["logging"], "PutBucketLogging"),
    ("GET", Bucket, &["notification"], "GetBucketNotificationConfiguration"),
    ("PUT", Bucket, &["notification"], "PutBucketNotificationConfiguration"),
    ("GET", Bucket, &["object-lock"], "GetObjectLockConfiguration"),
    ("PUT", Bucket, &["object-lock"], "PutObjectLockConfiguration"),
    ("DELETE", Bucket, &["ownershipControls"], "DeleteBucketOwnershipControls"),
    ("GET", Bucket, &["ownershipControls"], "GetBucketOwnershipControls"),
    ("PUT", Bucket, &["ownershipControls"], "PutBucketOwnershipControls"),
    ("DELETE", Bucket, &["policy"], "DeleteBucketPolicy"),
    ("GET", Bucket, &["policy"], "GetBucketPolicy"),
    ("PUT", Bucket, &["policy"], "PutBucketPolicy"),
    ("GET", Bucket, &["policyStatus"], "GetBucketPolicyStatus"),
    ("DELETE", Bucket, &["publicAccessBlock"], "DeletePublicAccessBlock"),
    ("GET", Bucket, &["publicAccessBlock"], "GetPublicAccessBlock"),
    ("PUT", Bucket, &["publicAccessBlock"], "PutPublicAccessBlock"),
    ("DELETE", Bucket, &["replication"], "DeleteBucketReplication"),
    ("GET", Bucket, &["replication"], "GetBucketReplication"),
    ("PUT", Bucket, &["replication"], "PutBucketReplication"),
    ("GET", Bucket, &["requestPayment"], "GetBucketRequestPayment"),
    ("PUT", Bucket, &["requestPayment"], "PutBucketRequestPayment"),
    ("DELETE", Bucket, &["tagging"], "DeleteBucketTagging"),
    ("GET", Bucket, &["tagging"], "GetBucketTagging"),
    ("PUT", Bucket, &["tagging"], "PutBucketTagging"),
    ("GET", Bucket, &["versioning"], "GetBucketVersioning"),
    ("PUT", Bucket, &["versioning"], "PutBucketVersioning"),
    ("DELETE", Bucket, &["website"], "DeleteBucketWebsite"),
    ("GET", Bucket, &["website"], "GetBucketWebsite"),
    ("PUT", Bucket, &["website"], "PutBucketWebsite"),
    ("DELETE", Object, &[], "DeleteObject"),
    ("GET", Object, &[], "GetObject"),
    ("GET", Object, &["partNumber"], "GetObject"),
    ("HEAD", Object, &[], "HeadObject"),
    ("HEAD", Object, &["partNumber"], "HeadObject"),
    ("PUT", Object, &[], "PutObject"),
    ("GET", Object, &["acl"], "GetObjectAcl"),
    ("PUT", Object, &["acl"], "PutObjectAcl"),
    ("GET", Object, &["attributes"], "GetObjectAttributes"),
    ("GET", Object, &["legal-hold"], "GetObjectLegalHold"),
    ("PUT", Object, &["legal-hold"], "PutObjectLegalHold"),
    ("POST", Object, &["restore"], "RestoreObject"),
    ("GET", Object, &["retention"], "GetObjectRetention"),
    ("PUT", Object, &["retention"], "PutObjectRetention"),
    ("DELETE", Object, &["tagging"], "DeleteObjectTagging"),
    ("GET", Object, &["tagging"], "GetObjectTagging"),
    ("PUT", Object, &["tagging"], "PutObjectTagging"),
    ("DELETE", Object, &["uploadId"], "AbortMultipartUpload"),
    ("GET", Object, &["uploadId"], "ListParts"),
    ("POST", Object, &["uploadId"], "CompleteMultipartUpload"),
    ("PUT", Object, &["partNumber", "uploadId"], "UploadPart"),
    ("POST", Object, &["uploads"], "CreateMultipartUpload"),
];

/// The action of a request to S3.
pub(super) fn name(
    request: &Request<'_>,
    url: &Url<'_>,
    given: &[(String, String)],
) -> Result<String, Error> {
    let path = path_style(request.region, url)?;
    let rest = path.strip_prefix('/').unwrap_or(&path);
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    let level = match (rest, key) {
        ("", _) => Account,
        (_, "") => Bucket,
        (_, _) => Object,
    };
    if level != Account && !is_bucket(bucket) {
        return Err(Error::Action("the path names no bucket"));
    }
    let copies = headers::value(given, "x-amz-copy-source").is_some();
    Ok(match (operation(request.method, level, url.query), copies) {
        (Some(operation), false) => format!("s3:{operation}"),
        (Some("PutObject"), true) => "s3:CopyObject".into(),
        (Some("UploadPart"), true) => "s3:UploadPartCopy".into(),
        (Some(_), true) => return Err(Error::Action("x-amz-copy-source goes with PUT of an object only")),
        (None, _) if url.query.is_empty() => format!("s3:{} {path}", request.method),
        (None, _) => format!("s3:{} {path}?{}", request.method, url.query),
    })
}

/// The path with the bucket in front, also where the host names the bucket.
fn path_style(region: &str, url: &Url<'_>) -> Result<String, Error> {
    Ok(match s3_bucket(&url.host, region)? {
        Some(bucket) if url.path == "/" => format!("/{bucket}"),
        Some(bucket) => format!("/{bucket}{}", url.path),
        None => url.path.to_owned(),
    })
}

fn operation(method: &str, level: Level, query: &str) -> Option<&'static str> {
    let mut selecting: Vec<Vec<u8>> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| percent_decode(pair.split_once('=').map_or(pair, |(name, _)| name)))
        .filter(|name| !PLAIN.iter().any(|plain| plain.as_bytes() == name.as_slice()))
        .collect();
    selecting.sort_unstable();
    OPERATIONS
        .iter()
        .find(|(row_method, row_level, keys, _)| {
            *row_method == method
                && *row_level == level
                && keys.len() == selecting.len()
                && keys.iter().zip(&selecting).all(|(key, name)| key.as_bytes() == name.as_slice())
        })
        .map(|(_, _, _, operation)| *operation)
}

/// Today's names, and those that the first region once allowed.
fn is_bucket(name: &str) -> bool {
    (3..=255).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}
