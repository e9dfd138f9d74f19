//! The courier and the session credentials: what is sent to AWS, what comes of its answer, and what
//! `credential-process` and `exec` make of it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod stub;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::{Value, json};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use stub::{StubAgent, StubAws, Use, response, until, with_stdin};

const SESSION: &str = "<GetSessionTokenResponse><GetSessionTokenResult><Credentials>\
<AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>sec/ret+1</SecretAccessKey>\
<SessionToken>tok&amp;en==</SessionToken><Expiration>2026-11-22T18:03:41Z</Expiration>\
</Credentials></GetSessionTokenResult></GetSessionTokenResponse>";

/// The one key there is.
fn keys(kind: &str) -> Value {
    json!({"version": 1, "keys": [{"name": "prod", "kind": kind, "account": "123456789012", "partition": "aws",
        "access_key_id": "AKIA", "custody": "sealed", "tokens": ["42"], "factors": [], "policy": [],
        "mfa_serial": null, "created": "2026-01-01T00:00:00Z", "epoch": 1, "last_used": null, "rotate": null}]})
}

/// One key, one lease; the result that is posted under the lease is what the caller is served.
fn agent(kind: &'static str) -> StubAgent {
    let posted: Arc<Mutex<Option<Value>>> = Arc::default();
    StubAgent::new(move |session: &mut Use| match session.line.as_str() {
        "get /v1/keys" => session.say(&keys(kind)),
        "post /v1/sessions" => {
            session.say(&json!({"event": "waiting", "asked": "pid 7"}));
            session.say(&json!({"event": "ask", "lease": "lease-1"}));
            let mut result = None;
            until("the result is posted", || {
                result = posted.lock().unwrap().take();
                result.is_some()
            });
            let result = result.unwrap();
            match result.get("credentials") {
                Some(result) => {
                    let mut event = result["credentials"].clone();
                    event["event"] = "session".into();
                    session.say(&event);
                }
                None => session.say(&json!({"event": "refused", "error": result["failed"]})),
            }
        }
        "post /v1/sessions/lease-1" => {
            *posted.lock().unwrap() = Some(session.request());
            session.say(&json!({"version": 1}));
        }
        "post /v1/uses" => {
            session.accept();
            session.sign();
        }
        other => panic!("{other}"),
    })
}

fn signet(agent: &StubAgent, aws: &StubAws, args: &[&str]) -> Command {
    let mut command = agent.signet(args);
    command.env("AWS_ENDPOINT_URL_STS", &aws.url);
    command
}

fn request(agent: &StubAgent, line: &str) -> Value {
    let found = agent.requests().into_iter().find(|(seen, _)| seen == line);
    found.unwrap_or_else(|| panic!("no {line}")).1
}

#[test]
fn credential_process_prints_the_document_of_aws_and_nothing_else() {
    let aws = StubAws::new(|_| response("200 OK", "x-amzn-requestid: req-1\r\n", SESSION));
    let agent = agent("root");
    let output = signet(&agent, &aws, &["credential-process", "prod", "--duration", "2h"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = json!({"Version": 1, "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "sec/ret+1",
        "SessionToken": "tok&en==", "Expiration": "2026-11-22T18:03:41Z", "AccountId": "123456789012"});
    assert_eq!(document, expected);
    assert_eq!(output.stderr.len(), 0);
    let wanted = request(&agent, "post /v1/sessions");
    assert_eq!((&wanted["duration"], &wanted["host"]), (&7200.into(), &aws.host.as_str().into()));
    assert_eq!(request(&agent, "post /v1/uses")["lease"], "lease-1");
    assert_eq!(request(&agent, "post /v1/sessions/lease-1")["credentials"]["aws_request_id"], "req-1");
    let sent = aws.seen().concat();
    // a root key gets an hour at most, and the host that was signed is the host that was asked
    assert!(sent.ends_with("Action=GetSessionToken&Version=2011-06-15&DurationSeconds=3600"), "{sent}");
    assert!(sent.contains(&format!("host: {}\r\n", aws.host)), "{sent}");
}

#[test]
fn an_error_of_aws_releases_everybody_and_is_one_line() {
    let error = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no\u{1b}[2J</Message></Error></ErrorResponse>";
    let aws = StubAws::new(move |_| response("403 Forbidden", "", error));
    let agent = agent("iam-user");
    let output = signet(&agent, &aws, &["credential-process", "prod"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert_eq!(stderr, "signet: error: aws answered 403, AccessDenied: no\\u{1b}[2J\n");
    assert_eq!(request(&agent, "post /v1/sessions/lease-1")["failed"]["code"], "aws_error");
}

#[test]
fn credentials_that_the_agent_does_not_take_are_a_failure_for_everybody() {
    let aws = StubAws::new(|_| response("200 OK", "", SESSION));
    let failed: Arc<Mutex<Option<Value>>> = Arc::default();
    let agent = StubAgent::new(move |session: &mut Use| match session.line.as_str() {
        "get /v1/keys" => session.say(&keys("iam-user")),
        "post /v1/sessions" => {
            session.say(&json!({"event": "ask", "lease": "lease-1"}));
            until("the failure is posted", || failed.lock().unwrap().is_some());
            session.refuse("internal", "passed on");
        }
        // the stub can only answer 200: a reply without a word stands for the refusal
        "post /v1/sessions/lease-1" => {
            if let Some(refusal) = session.request().get("failed") {
                *failed.lock().unwrap() = Some(refusal.clone());
                session.say(&json!({"version": 1}));
            }
        }
        "post /v1/uses" => {
            session.accept();
            session.sign();
        }
        other => panic!("{other}"),
    });
    let output = signet(&agent, &aws, &["credential-process", "prod"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
}

#[test]
fn the_code_of_the_mfa_device_is_asked_for_and_sent() {
    let aws = StubAws::new(|_| response("200 OK", "", SESSION));
    let agent = agent("iam-user");
    let mut command =
        signet(&agent, &aws, &["credential-process", "prod", "--mfa-serial", "arn:aws:iam::1:mfa/x"]);
    command.env("SIGNET_ASKPASS", agent.askpass(r#"[ "$SIGNET_PROMPT" = aws-mfa ] && echo 012345"#));
    assert!(command.output().unwrap().status.success());
    assert!(aws.seen().concat().ends_with("&SerialNumber=arn%3Aaws%3Aiam%3A%3A1%3Amfa%2Fx&TokenCode=012345"));
}

#[test]
fn credentials_that_are_not_understood_are_not_handed_out() {
    for body in [
        "",
        "<Expiration>x</Expiration>",
        &SESSION.replace("<Expiration>2026-11-22T18:03:41Z</Expiration>", ""),
    ] {
        let body = body.to_owned();
        let aws = StubAws::new(move |_| response("200 OK", "", &body));
        let agent = agent("iam-user");
        let output = signet(&agent, &aws, &["credential-process", "prod"]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    }
}

#[test]
fn nobody_answers_within_the_time_of_credential_process() {
    let agent = StubAgent::new(|session| {
        session.say(&json!({"event": "waiting", "asked": "pid 7"}));
        session.wait_until_gone();
    });
    let aws = StubAws::new(|_| panic!("asked"));
    let args = ["credential-process", "prod", "--timeout", "1s", "--region", "us-east-1"];
    let output = signet(&agent, &aws, &args).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(75), 0));
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
}

#[test]
fn exec_gives_the_credentials_and_takes_every_other_way_to_some() {
    let aws = StubAws::new(|_| response("200 OK", "", SESSION));
    let agent = agent("iam-user");
    let mut command = signet(
        &agent,
        &aws,
        &["exec", "prod", "--region", "eu-west-1", "--", "sh", "-c", "env; ulimit -Sc; exit 42"],
    );
    for name in [
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SECURITY_TOKEN",
    ] {
        command.env(name, "other");
    }
    command.env("AWS_SECRET_ACCESS_KEY", "other").env("KEPT", "kept");
    let output = with_stdin(command, "");
    assert_eq!(output.status.code(), Some(42), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "AWS_ACCESS_KEY_ID=ASIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY=sec/ret+1",
        "AWS_SESSION_TOKEN=tok&en==",
        "AWS_CREDENTIAL_EXPIRATION=2026-11-22T18:03:41Z",
        "AWS_REGION=eu-west-1",
        "SIGNET_KEY=prod",
        "KEPT=kept",
    ] {
        assert!(text.lines().any(|seen| seen == line), "{line} is missing in {text}");
    }
    assert!(!text.contains("=other"), "{text}");
    let own = Command::new("sh").args(["-c", "ulimit -Sc"]).output().unwrap().stdout;
    assert!(
        text.ends_with(&String::from_utf8(own).unwrap()),
        "the child's core limit is not its own: {text}"
    );
}

#[test]
fn exec_ends_like_a_shell_where_there_is_nothing_to_run() {
    let aws = StubAws::new(|_| response("200 OK", "", SESSION));
    let agent = agent("iam-user");
    let plain = agent.dir.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    std::fs::set_permissions(&plain, std::fs::Permissions::from_mode(0o600)).unwrap();
    for (program, code) in [("no-such-program-anywhere", 127), (plain.to_str().unwrap(), 126)] {
        let output = signet(&agent, &aws, &["exec", "prod", "--", program]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
}

#[test]
fn a_request_goes_to_the_signed_host_and_follows_no_redirect() {
    let elsewhere = StubAws::new(|_| panic!("followed"));
    let location = format!("location: {}/\r\n", elsewhere.url);
    let aws = StubAws::new(move |request| {
        if request.starts_with("GET /moved") {
            response("307 Moved", &location, "")
        } else {
            response("200 OK", "", "<ok/>")
        }
    });
    let agent = agent("root");
    let run = |path: &str, more: &[&str]| {
        let url = format!("{}{path}", aws.url);
        let args = [&["request", "prod", &url, "--region", "us-east-1"], more].concat();
        signet(&agent, &aws, &args).stdin(Stdio::null()).output().unwrap()
    };
    let output =
        run("/?Action=GetCallerIdentity&Version=2011-06-15", &["--service", "sts", "-H", "X-Thing: a"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"<ok/>"[..]), "{output:?}");
    assert!(aws.seen().concat().contains("x-thing: a\r\n"));
    let output = run("/moved", &["--service", "s3"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
    assert!(elsewhere.seen().is_empty());
    // nothing tells the service of a loopback host
    assert_eq!(run("/", &[]).status.code(), Some(2));
}

#[test]
fn an_answer_on_a_terminal_ends_its_line_and_nowhere_else() {
    for (body, shown) in [("<ok/>", "<ok/>\r\n"), ("<ok/>\n", "<ok/>\r\n"), ("", "")] {
        let aws = StubAws::new(move |_| response("200 OK", "", body));
        let agent = agent("root");
        let url = format!("{}/?Action=GetCallerIdentity&Version=2011-06-15", aws.url);
        let args = ["request", "prod", &url, "--service", "sts", "--region", "us-east-1"];
        let piped = signet(&agent, &aws, &args).output().unwrap();
        assert_eq!(piped.stdout, body.as_bytes());

        let mut master = std::fs::File::from(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap());
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let screen = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        assert!(signet(&agent, &aws, &args).stdout(Stdio::from(screen)).status().unwrap().success());
        let mut told = Vec::new();
        // With nobody left at the other end, reading ends in EIO (pty(7)).
        let _hung_up = master.read_to_end(&mut told);
        assert_eq!(String::from_utf8(told).unwrap(), shown);
    }
}

#[test]
fn plain_http_leaves_this_machine_for_nobody() {
    let agent = agent("root");
    let url = "http://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15";
    let output = agent.signet(&["request", "prod", url]).output().unwrap();
    assert_eq!(output.status.code(), Some(77), "{output:?}");
    assert!(agent.requests().is_empty(), "somebody was asked for what cannot be sent");
}

#[test]
fn an_endless_answer_is_not_read() {
    let aws = StubAws::new(|_| {
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        head.to_owned() + &"x".repeat(20 << 20)
    });
    let agent = agent("root");
    let url = format!("{}/?Action=GetCallerIdentity&Version=2011-06-15", aws.url);
    let args = ["request", "prod", &url, "--service", "sts", "--region", "us-east-1"];
    let output = signet(&agent, &aws, &args).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
}

#[test]
fn the_mfa_code_of_a_request_to_s3_is_a_header() {
    let aws = StubAws::new(|_| response("200 OK", "", ""));
    let agent = agent("root");
    let url = format!("{}/bucket?versioning", aws.url);
    let args = [
        "request",
        "prod",
        &url,
        "-X",
        "PUT",
        "-d",
        "<x/>",
        "--service",
        "s3",
        "--region",
        "us-east-1",
        "--mfa-serial",
        "arn:mfa",
    ];
    let mut command = signet(&agent, &aws, &args);
    command.env("SIGNET_ASKPASS", agent.askpass("echo 123456"));
    assert!(command.output().unwrap().status.success());
    assert!(aws.seen().concat().contains("x-amz-mfa: arn:mfa 123456\r\n"));
}
