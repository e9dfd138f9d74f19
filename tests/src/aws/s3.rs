//! S3: bucket policies, versioning with MFA Delete, the list of buckets.

use super::account::{Account, Bucket, Caller, Principal};
use super::http::{Message, Reply};
use super::iam::{denies_all, is_policy};
use super::operation::Operation;
use super::refusal::{Refusal, xml_text};

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

pub(super) fn answer(
    account: &mut Account,
    caller: &Caller,
    operation: &Operation,
    message: &Message,
) -> Result<Reply, Refusal> {
    may(account, caller, operation)?;
    if operation.name == "ListBuckets" {
        let list: String = account
            .buckets
            .keys()
            .map(|name| {
                format!(
                    "<Bucket><Name>{}</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>",
                    xml_text(name)
                )
            })
            .collect();
        let owner = format!("<Owner><ID>{}</ID></Owner>", account.id);
        return Ok(xml("ListAllMyBucketsResult", &format!("{owner}<Buckets>{list}</Buckets>")));
    }
    match operation.name.as_str() {
        "GetBucketPolicy" => {
            let none = || Refusal::new(404, "NoSuchBucketPolicy", "The bucket policy does not exist");
            let body = bucket(account, &operation.bucket)?.policy.clone().ok_or_else(none)?;
            Ok(Reply { status: 200, content_type: "application/json", headers: Vec::new(), body })
        }
        "PutBucketPolicy" => {
            let policy = std::str::from_utf8(&message.body).ok().filter(|text| is_policy(text));
            let malformed = || {
                Refusal::new(
                    400,
                    "MalformedPolicy",
                    "Policies must be valid JSON and the first byte must be '{'",
                )
            };
            bucket(account, &operation.bucket)?.policy = Some(policy.ok_or_else(malformed)?.to_owned());
            Ok(done(204))
        }
        "DeleteBucketPolicy" => {
            bucket(account, &operation.bucket)?.policy = None;
            Ok(done(204))
        }
        "GetBucketVersioning" => {
            let bucket = bucket(account, &operation.bucket)?;
            let status = bucket.versioning.as_ref().map(|status| format!("<Status>{status}</Status>"));
            let mfa = if bucket.mfa_delete { "<MfaDelete>Enabled</MfaDelete>" } else { "" };
            Ok(xml("VersioningConfiguration", &(status.unwrap_or_default() + mfa)))
        }
        "PutBucketVersioning" => put_versioning(account, caller, operation, message),
        _ => Err(Refusal::new(400, "NotImplemented", "not implemented")),
    }
}

/// MFA Delete is switched, and versioning changed under it, by root's long-term key with a code only.
fn put_versioning(
    account: &mut Account,
    caller: &Caller,
    operation: &Operation,
    message: &Message,
) -> Result<Reply, Refusal> {
    let text = std::str::from_utf8(&message.body).unwrap_or_default();
    let status = element(text, "Status").filter(|status| matches!(*status, "Enabled" | "Suspended"));
    let malformed = || Refusal::new(400, "MalformedXML", "The XML you provided was not well-formed");
    let status = status.ok_or_else(malformed)?;
    let mfa_delete = match element(text, "MfaDelete") {
        None => None,
        Some("Enabled") => Some(true),
        Some("Disabled") => Some(false),
        Some(_) => return Err(malformed()),
    };
    if mfa_delete.is_some() || bucket(account, &operation.bucket)?.mfa_delete {
        let (serial, code) =
            message.one("x-amz-mfa").and_then(|value| value.split_once(' ')).unwrap_or_default();
        let long_term_root = caller.principal == Principal::Root && caller.session.is_none();
        if !long_term_root {
            return Err(Refusal::denied(
                "This operation may only be performed by the bucket owner's root user",
            ));
        }
        if !account.check_code(&caller.principal, serial, code) {
            return Err(Refusal::denied("Mfa Authentication must be used for this request"));
        }
    }
    let bucket = bucket(account, &operation.bucket)?;
    bucket.versioning = Some(status.to_owned());
    bucket.mfa_delete = mfa_delete.unwrap_or(bucket.mfa_delete);
    Ok(done(200))
}

/// A policy that denies everybody leaves root alone, and root assumed for that task.
fn may(account: &Account, caller: &Caller, operation: &Operation) -> Result<(), Refusal> {
    let locked = account
        .buckets
        .get(&operation.bucket)
        .and_then(|bucket| bucket.policy.as_deref())
        .is_some_and(denies_all);
    let allowed = match &caller.principal {
        Principal::Root => true,
        Principal::User(_) | Principal::Role(..) => !locked,
        Principal::AssumedRoot(_, task) => {
            task == "S3UnlockBucketPolicy" && !operation.name.ends_with("Versioning")
        }
    };
    if allowed { Ok(()) } else { Err(Refusal::denied("Access Denied")) }
}

fn bucket<'a>(account: &'a mut Account, name: &str) -> Result<&'a mut Bucket, Refusal> {
    let missing = || Refusal::new(404, "NoSuchBucket", "The specified bucket does not exist");
    account.buckets.get_mut(name).ok_or_else(missing)
}

/// The text of an element that holds no other.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(inner, _)| inner.trim())
}

fn xml(root: &str, inner: &str) -> Reply {
    let body =
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{NAMESPACE}\">{inner}</{root}>");
    Reply { status: 200, content_type: "application/xml", headers: Vec::new(), body }
}

fn done(status: u16) -> Reply {
    Reply { status, content_type: "application/xml", headers: Vec::new(), body: String::new() }
}
