//! The strict endpoint against AWS's own clients, and everything it must refuse, each once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use ring::{digest, hmac};
use signet_sigv4::canonical::{Parts, PathRule, canonical};
use signet_sigv4::date;
use signet_tests::aws::{Config, StrictAws, totp_code};
use signet_tests::process::python;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use time::OffsetDateTime;

const ROOT: (&str, &str) = ("AKIAROOTROOTROOTROOT", "rootrootrootrootrootrootrootrootrootroot");
const USER: (&str, &str) = ("AKIAUSERUSERUSERUSER", "useruseruseruseruseruseruseruseruseruser");
const SEED: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
const DEVICE: &str = "arn:aws:iam::123456789012:mfa/root-account-mfa-device";
const FORM: &str = "application/x-www-form-urlencoded";

fn start() -> StrictAws {
    let (root, user) = (|key: (&str, &str)| (key.0.to_owned(), key.1.to_owned()), USER);
    StrictAws::start(&Config {
        root_key: Some(root(ROOT)),
        iam_user_keys: vec![("break-glass".into(), user.0.into(), user.1.into())],
        mfa_seed: Some(SEED.into()),
        ..Config::default()
    })
    .unwrap()
}

fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// Two codes that stay good in this order although a step may end meanwhile.
fn codes() -> (String, String) {
    let now = now();
    (totp_code(SEED, now).unwrap(), totp_code(SEED, now + 30).unwrap())
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A program without any AWS configuration but this key's.
fn without_configuration(program: impl AsRef<OsStr>, key: (&str, &str)) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command
        .stdin(Stdio::null())
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("AWS_PAGER", "")
        .env("AWS_ACCESS_KEY_ID", key.0)
        .env("AWS_SECRET_ACCESS_KEY", key.1);
    command
}

const EVERY_OPERATION: [&str; 18] = [
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:DeleteAccessKey",
    "iam:ListAccessKeys",
    "iam:PutUserPolicy",
    "iam:UpdateAccessKey",
    "s3:DeleteBucketPolicy",
    "s3:GetBucketPolicy",
    "s3:GetBucketVersioning",
    "s3:ListBuckets",
    "s3:PutBucketPolicy",
    "s3:PutBucketVersioning",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ListQueues",
    "sqs:SetQueueAttributes",
    "sts:GetCallerIdentity",
    "sts:GetSessionToken",
];

fn assert_every_operation_was_done(aws: &StrictAws) {
    let done: BTreeSet<String> =
        aws.requests().into_iter().filter(|seen| seen.code.is_none()).map(|seen| seen.action).collect();
    for operation in EVERY_OPERATION {
        assert!(done.contains(operation), "{operation} is not in {done:?}");
    }
}

#[test]
fn boto3_does_every_operation() {
    let aws = start();
    let (code, next_code) = codes();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aws_endpoint/every_operation.py");
    let output = without_configuration(python("python3"), ROOT)
        .args([script, &aws.url(), ROOT.0, ROOT.1, USER.0, USER.1, &code, &next_code])
        .output()
        .expect("the environment has a python3");
    assert!(output.status.success() && output.stdout == b"done\n", "{}", text(&output));
    assert_every_operation_was_done(&aws);
    assert_eq!(aws.user_policies("break-glass"), ["inline", "arn:aws:iam::aws:policy/AdministratorAccess"]);
}

#[test]
fn the_aws_command_does_every_operation() {
    let aws = start();
    let run = |words: &str| {
        let output = without_configuration("aws", ROOT)
            .args(["--endpoint-url", &aws.url(), "--region", "us-east-1", "--output", "text"])
            .args(words.split('|'))
            .output()
            .expect("the aws command is installed");
        assert!(output.status.success(), "{words}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    assert_eq!(run("sts|get-caller-identity|--query|Arn"), "arn:aws:iam::123456789012:root");
    run("sts|get-session-token");
    let id = run("iam|create-access-key|--query|AccessKey.AccessKeyId");
    run(&format!("iam|update-access-key|--access-key-id|{id}|--status|Inactive"));
    assert!(run("iam|list-access-keys").contains("Inactive"));
    run(&format!("iam|delete-access-key|--access-key-id|{id}"));
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    run(&format!("iam|put-user-policy|--user-name|break-glass|--policy-name|p|--policy-document|{policy}"));
    run(
        "iam|attach-user-policy|--user-name|break-glass|--policy-arn|arn:aws:iam::aws:policy/AdministratorAccess",
    );
    assert_eq!(run("s3api|list-buckets|--query|Buckets[].Name"), "locked-bucket");
    assert!(run("s3api|get-bucket-policy|--bucket|locked-bucket").contains("Deny"));
    run("s3api|delete-bucket-policy|--bucket|locked-bucket");
    run(&format!("s3api|put-bucket-policy|--bucket|locked-bucket|--policy|{policy}"));
    let versioning = "s3api|put-bucket-versioning|--bucket|locked-bucket|--versioning-configuration";
    let (code, next_code) = codes();
    run(&format!("{versioning}|Status=Enabled,MFADelete=Enabled|--mfa|{DEVICE} {code}"));
    assert_eq!(run("s3api|get-bucket-versioning|--bucket|locked-bucket|--query|MFADelete"), "Enabled");
    run(&format!("{versioning}|Status=Enabled,MFADelete=Disabled|--mfa|{DEVICE} {next_code}"));
    let url = run("sqs|get-queue-url|--queue-name|locked-queue|--query|QueueUrl");
    assert_eq!(run("sqs|list-queues|--query|QueueUrls[0]"), url);
    run(&format!(r#"sqs|set-queue-attributes|--queue-url|{url}|--attributes|{{"Policy":""}}"#));
    run(&format!("sqs|get-queue-attributes|--queue-url|{url}|--attribute-names|All"));
    assert_every_operation_was_done(&aws);
}

/// A request that is signed by hand, so that each part of it can be wrong.
#[derive(Clone)]
struct Wire {
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(&'static str, String)>,
    /// Sent after signing, as they are.
    unsigned: Vec<(&'static str, String)>,
    body: Vec<u8>,
    sent_body: Option<Vec<u8>>,
    sent_path: Option<String>,
    id: String,
    secret: String,
    scope_date: String,
    region: &'static str,
    service: &'static str,
    authorization: Option<&'static str>,
}

fn sha256(data: &[u8]) -> String {
    digest::digest(&digest::SHA256, data).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Wire {
    fn new(aws: &StrictAws, service: &'static str, key: (&str, &str)) -> Self {
        let amz_date = date::from_unix(now()).unwrap();
        Self {
            method: "POST",
            path: "/".into(),
            query: String::new(),
            scope_date: amz_date[..8].to_owned(),
            headers: vec![("host", aws.addr().to_string()), ("x-amz-date", amz_date)],
            unsigned: Vec::new(),
            body: Vec::new(),
            sent_body: None,
            sent_path: None,
            id: key.0.into(),
            secret: key.1.into(),
            region: "us-east-1",
            service,
            authorization: None,
        }
    }

    fn form(aws: &StrictAws, service: &'static str, key: (&str, &str), form: &str) -> Self {
        let version = match service {
            "sts" => "2011-06-15",
            "iam" => "2010-05-08",
            _ => "2012-11-05",
        };
        let mut wire = Self::new(aws, service, key);
        wire.headers.push(("content-type", FORM.into()));
        wire.body = format!("{form}&Version={version}").into_bytes();
        wire
    }

    fn identity(aws: &StrictAws) -> Self {
        Self::form(aws, "sts", ROOT, "Action=GetCallerIdentity")
    }

    fn s3(aws: &StrictAws, key: (&str, &str), method: &'static str, query: &str, body: &str) -> Self {
        let mut wire = Self::new(aws, "s3", key);
        wire.headers.push(("x-amz-content-sha256", sha256(body.as_bytes())));
        Self { method, path: "/locked-bucket".into(), query: query.into(), body: body.into(), ..wire }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn header(&mut self, name: &str) -> &mut String {
        &mut self.headers.iter_mut().find(|(known, _)| *known == name).unwrap().1
    }

    fn date(&mut self, seconds: i64) {
        let amz_date = date::from_unix(seconds).unwrap();
        self.scope_date = amz_date[..8].to_owned();
        *self.header("x-amz-date") = amz_date;
    }

    fn authorization(&self) -> String {
        let signed: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let canonical = canonical(&Parts {
            method: self.method,
            path: &self.path,
            path_rule: if self.service == "s3" { PathRule::S3 } else { PathRule::OTHERS },
            query: &self.query,
            headers: &signed,
            payload_sha256: &sha256(&self.body),
        });
        let date = self.headers.iter().find(|(name, _)| *name == "x-amz-date").map_or("", |(_, value)| value);
        let scope = format!("{}/{}/{}/aws4_request", self.scope_date, self.region, self.service);
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.text.as_bytes()));
        let words = [&self.scope_date, self.region, self.service, "aws4_request", &to_sign];
        let signature = words.iter().fold(format!("AWS4{}", self.secret).into_bytes(), |key, word| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), word.as_bytes()).as_ref().to_vec()
        });
        let signature: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        let signed = canonical.signed_headers;
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
            self.id
        )
    }

    /// Status and body of the answer.
    fn send(&self, aws: &StrictAws) -> (u16, String) {
        let authorization = self.authorization.map_or_else(|| self.authorization(), str::to_owned);
        let path = self.sent_path.as_ref().unwrap_or(&self.path);
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
        let body = self.sent_body.as_ref().unwrap_or(&self.body);
        let mut head =
            format!("{} {path}{query} HTTP/1.1\r\ncontent-length: {}\r\n", self.method, body.len());
        for (name, value) in self.headers.iter().chain(&self.unsigned) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !authorization.is_empty() {
            head.push_str(&format!("authorization: {authorization}\r\n"));
        }
        let mut stream = TcpStream::connect(aws.addr()).unwrap();
        stream.write_all(&[head.as_bytes(), b"\r\n", body].concat()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        (answer.split(' ').nth(1).expect("an answer").parse().unwrap(), answer)
    }

    fn done(&self, aws: &StrictAws) -> String {
        let (status, answer) = self.send(aws);
        assert!(status < 300, "{answer}");
        answer
    }

    fn refused(&self, aws: &StrictAws, code: &str) {
        let (status, answer) = self.send(aws);
        let said =
            answer.contains(&format!("<Code>{code}</Code>")) || answer.contains(&format!("sqs#{code}\""));
        assert!(status >= 400 && said, "{code} was expected of {} {}: {answer}", self.method, self.path);
    }
}

fn element(answer: &str, name: &str) -> String {
    answer.split(&format!("<{name}>")).nth(1).unwrap().split('<').next().unwrap().to_owned()
}

/// A request with session credentials got by `action`.
fn with_session(aws: &StrictAws, key: (&str, &str), action: &str, mut wire: Wire) -> Wire {
    let answer = Wire::form(aws, "sts", key, action).done(aws);
    wire.id = element(&answer, "AccessKeyId");
    wire.secret = element(&answer, "SecretAccessKey");
    wire.headers.push(("x-amz-security-token", element(&answer, "SessionToken")));
    wire
}

#[test]
fn signatures_that_are_wrong_in_one_thing() {
    let aws = start();
    let sound = Wire::identity(&aws);
    sound.done(&aws);
    let mismatch = "SignatureDoesNotMatch";
    let refused = |code: &str, change: fn(&mut Wire)| Wire::identity(&aws).with(change).refused(&aws, code);
    refused("MissingAuthenticationToken", |wire| wire.authorization = Some(""));
    for form in [
        "AWS4-HMAC-SHA256",
        "Basic YTpi",
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00",
    ] {
        sound.clone().with(|wire| wire.authorization = Some(form)).refused(&aws, "IncompleteSignature");
    }
    refused("InvalidClientTokenId", |wire| wire.id = "AKIANOBODYNOBODYNOBO".into());
    refused(mismatch, |wire| wire.secret = USER.1.into());
    refused(mismatch, |wire| {
        wire.sent_body = Some(b"Action=GetCallerIdentity&Version=2011-06-15&x=".to_vec())
    });
    refused(mismatch, |wire| wire.sent_path = Some("/x".into()));
    refused("RequestExpired", |wire| wire.date(now() - 305));
    refused("RequestExpired", |wire| wire.date(now() + 305));
    refused(mismatch, |wire| wire.scope_date = "20200101".into());
    refused(mismatch, |wire| wire.region = "eu-west-1");
    refused(mismatch, |wire| wire.service = "iam");
    refused(mismatch, |wire| wire.headers.retain(|(name, _)| *name != "x-amz-date"));
    refused(mismatch, |wire| *wire.header("x-amz-date") = "2026-11-22T17:03:41Z".into());
    refused(mismatch, |wire| wire.unsigned.push(("x-amz-note", "not signed".into())));
    refused(mismatch, |wire| wire.unsigned.extend(wire.headers.pop_if(|(name, _)| *name == "content-type")));
    refused(mismatch, |wire| {
        let host = wire.headers.remove(0);
        wire.unsigned.push(host);
    });
    refused("IncompleteSignature", |wire| {
        wire.unsigned.extend(["x-note", "X-Note"].map(|name| (name, "1".into())))
    });
    refused("InvalidAction", |wire| wire.body = b"Action=GetCallerIdentity&Version=2010-05-08".to_vec());
    refused("InvalidAction", |wire| wire.body = b"Action=DeleteEverything&Version=2011-06-15".to_vec());
    refused("MalformedInput", |wire| wire.body.extend(b"&Action=GetCallerIdentity"));
    refused("BadRequest", |wire| wire.unsigned.push(("transfer-encoding", "chunked".into())));
    assert!(aws.requests().iter().filter(|seen| seen.code.is_none()).count() == 1);
}

#[test]
fn payloads_that_are_not_signed() {
    let aws = start();
    let sound = Wire::s3(&aws, ROOT, "GET", "policy", "");
    sound.done(&aws);
    let with = |change: fn(&mut Wire)| sound.clone().with(change);
    with(|wire| wire.sent_body = Some(b"x".to_vec())).refused(&aws, "XAmzContentSHA256Mismatch");
    with(|wire| *wire.header("x-amz-content-sha256") = "UNSIGNED-PAYLOAD".into())
        .refused(&aws, "InvalidRequest");
    with(|wire| wire.headers.retain(|(name, _)| *name != "x-amz-content-sha256"))
        .refused(&aws, "InvalidRequest");
}

#[test]
fn session_credentials() {
    let aws = start();
    let sound = with_session(&aws, ROOT, "Action=GetSessionToken", Wire::identity(&aws));
    assert!(sound.done(&aws).contains("<Arn>arn:aws:iam::123456789012:root</Arn>"));
    let unknown = "InvalidClientTokenId";
    sound.clone().with(|wire| *wire.header("x-amz-security-token") = "bogus".into()).refused(&aws, unknown);
    sound.clone().with(|wire| drop(wire.headers.pop())).refused(&aws, unknown);
    let token = sound.headers.last().cloned();
    Wire::identity(&aws).with(|wire| wire.headers.extend(token.clone())).refused(&aws, unknown);
    let again = sound.clone().with(|wire| wire.body = b"Action=GetSessionToken&Version=2011-06-15".to_vec());
    again.refused(&aws, "AccessDenied");
    let iam = Wire::form(&aws, "iam", ROOT, "Action=ListAccessKeys");
    with_session(&aws, ROOT, "Action=GetSessionToken", iam.clone()).refused(&aws, unknown);
    let code = codes().0;
    let mfa = format!("Action=GetSessionToken&SerialNumber={DEVICE}&TokenCode={code}");
    with_session(&aws, ROOT, &mfa, iam).done(&aws);
    aws.expire_sessions();
    sound.refused(&aws, "ExpiredToken");
}

#[test]
fn durations_and_codes() {
    let aws = start();
    let token = |more: &str| Wire::form(&aws, "sts", ROOT, &format!("Action=GetSessionToken{more}"));
    let cut = element(&token("&DurationSeconds=43200").done(&aws), "Expiration");
    let limit = date::from_unix(now() + 3601).unwrap();
    assert!(cut.replace(['-', ':'], "") <= limit, "{cut} is later than an hour from now");
    token("&DurationSeconds=899").refused(&aws, "ValidationError");
    token("&TokenCode=123456").refused(&aws, "ValidationError");
    let with_code = |serial: &str, code: &str| token(&format!("&SerialNumber={serial}&TokenCode={code}"));
    let (code, next_code) = codes();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    with_code(DEVICE, wrong).refused(&aws, "AccessDenied");
    with_code("arn:aws:iam::123456789012:mfa/other", &code).refused(&aws, "AccessDenied");
    with_code(DEVICE, &next_code).done(&aws);
    with_code(DEVICE, &next_code).refused(&aws, "AccessDenied");
    with_code(DEVICE, &code).refused(&aws, "AccessDenied");
}

#[test]
fn what_root_may_not_and_only_root_may() {
    let aws = start();
    let task = "TaskPolicyArn.arn=arn:aws:iam::aws:policy/root-task/";
    let root = format!(
        "Action=AssumeRoot&TargetPrincipal=210987654321&{task}S3UnlockBucketPolicy&DurationSeconds=900"
    );
    let role = "Action=AssumeRole&RoleSessionName=me&RoleArn=arn:aws:iam::123456789012:role/admin";
    for form in [root.as_str(), role] {
        Wire::form(&aws, "sts", ROOT, form).refused(&aws, "AccessDenied");
        let session = Wire::form(&aws, "sts", ROOT, form);
        with_session(&aws, ROOT, "Action=GetSessionToken", session).refused(&aws, "AccessDenied");
        Wire::form(&aws, "sts", USER, form).done(&aws);
    }
    let assume = |form: &str| Wire::form(&aws, "sts", USER, form);
    assume(&root.replace("900", "901")).refused(&aws, "ValidationError");
    assume(&root.replace("S3Unlock", "S3Lock")).refused(&aws, "ValidationError");
    assume(&root.replace(task, "PolicyArns.arn=arn:aws:iam::aws:policy/root-task/"))
        .refused(&aws, "ValidationError");
    assume(&root.replace("210987654321", "123456789012")).refused(&aws, "AccessDenied");

    let locked = |key, method| Wire::s3(&aws, key, method, "policy", "");
    locked(USER, "GET").refused(&aws, "AccessDenied");
    locked(USER, "DELETE").refused(&aws, "AccessDenied");
    with_session(&aws, USER, &root, locked(USER, "GET")).done(&aws);
    let other_task = root.replace("S3UnlockBucketPolicy", "SQSUnlockQueuePolicy");
    with_session(&aws, USER, &other_task, locked(USER, "GET")).refused(&aws, "AccessDenied");
    locked(ROOT, "DELETE").done(&aws);
    locked(USER, "GET").refused(&aws, "NoSuchBucketPolicy");
    Wire::s3(&aws, ROOT, "PUT", "policy", "no json").refused(&aws, "MalformedPolicy");
    locked(ROOT, "GET").with(|wire| wire.path = "/no-bucket".into()).refused(&aws, "NoSuchBucket");
}

#[test]
fn mfa_delete() {
    let aws = start();
    let xml = "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>";
    let versioning = |key, code: &str| {
        let wire = Wire::s3(&aws, key, "PUT", "versioning", xml);
        if code.is_empty() {
            wire
        } else {
            wire.with(|wire| wire.headers.push(("x-amz-mfa", format!("{DEVICE} {code}"))))
        }
    };
    Wire::s3(&aws, ROOT, "DELETE", "policy", "").done(&aws);
    let (code, next_code) = codes();
    versioning(ROOT, "").refused(&aws, "AccessDenied");
    versioning(USER, &code).refused(&aws, "AccessDenied");
    with_session(&aws, ROOT, "Action=GetSessionToken", versioning(ROOT, &code)).refused(&aws, "AccessDenied");
    versioning(ROOT, &code).done(&aws);
    versioning(ROOT, &code).refused(&aws, "AccessDenied");
    versioning(ROOT, &next_code).done(&aws);
    let plain = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    Wire::s3(&aws, ROOT, "PUT", "versioning", plain).refused(&aws, "AccessDenied");
    Wire::s3(&aws, ROOT, "PUT", "versioning", "<no/>").refused(&aws, "MalformedXML");
}

#[test]
fn keys_and_queues() {
    let aws = start();
    let iam = |form: &str| Wire::form(&aws, "iam", ROOT, form);
    iam("Action=CreateAccessKey&UserName=nobody").refused(&aws, "NoSuchEntity");
    let fresh = iam("Action=CreateAccessKey").done(&aws);
    iam("Action=CreateAccessKey").refused(&aws, "LimitExceeded");
    let (id, secret) = (element(&fresh, "AccessKeyId"), element(&fresh, "SecretAccessKey"));
    Wire::form(&aws, "sts", (&id, &secret), "Action=GetCallerIdentity").done(&aws);
    iam(&format!("Action=UpdateAccessKey&AccessKeyId={id}&Status=Asleep")).refused(&aws, "ValidationError");
    iam(&format!("Action=UpdateAccessKey&AccessKeyId={id}&Status=Inactive")).done(&aws);
    let unknown = "InvalidClientTokenId";
    Wire::form(&aws, "sts", (&id, &secret), "Action=GetCallerIdentity").refused(&aws, unknown);
    iam(&format!("Action=DeleteAccessKey&AccessKeyId={id}")).done(&aws);
    iam(&format!("Action=DeleteAccessKey&AccessKeyId={id}")).refused(&aws, "NoSuchEntity");
    iam("Action=PutUserPolicy&UserName=break-glass&PolicyName=p&PolicyDocument=x")
        .refused(&aws, "MalformedPolicyDocument");

    let url = format!("http://{}/123456789012/locked-queue", aws.addr());
    let set = |key, url: &str| {
        Wire::form(
            &aws,
            "sqs",
            key,
            &format!("Action=SetQueueAttributes&QueueUrl={url}&Attribute.1.Name=Policy&Attribute.1.Value="),
        )
    };
    set(USER, &url).refused(&aws, "AccessDenied");
    set(ROOT, &format!("{url}-2")).refused(&aws, "QueueDoesNotExist");
    set(ROOT, &url).done(&aws);
    set(USER, &url).done(&aws);
    let json = Wire::new(&aws, "sqs", ROOT).with(|wire| {
        wire.headers.push(("content-type", "application/x-amz-json-1.0".into()));
        wire.headers.push(("x-amz-target", "AmazonSQS.GetQueueUrl".into()));
        wire.body = br#"{"QueueName":"no-queue"}"#.to_vec();
    });
    json.refused(&aws, "QueueDoesNotExist");
    json.with(|wire| wire.body = br#"{"QueueName":"locked-queue"}"#.to_vec()).done(&aws);
}

/// RFC 6238, appendix B: the first and last of the SHA-1 table, six of its eight digits.
#[test]
fn codes_of_the_standard() {
    let seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    assert_eq!(totp_code(seed, 59).as_deref(), Some("287082"));
    assert_eq!(totp_code(seed, 20_000_000_000).as_deref(), Some("353130"));
}

#[test]
fn the_program_ends_when_its_input_does() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("port");
    let mut child = Command::new(env!("CARGO_BIN_EXE_strict-aws"))
        .args(["--until-stdin-closes", "--root-key", &format!("{}:{}", ROOT.0, ROOT.1), "--port-file"])
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let port = std::fs::read_to_string(&file).unwrap();
    assert_eq!(line.trim_end(), format!("http://127.0.0.1:{}", port.trim_end()));
    TcpStream::connect(("127.0.0.1", port.trim_end().parse().unwrap())).unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
