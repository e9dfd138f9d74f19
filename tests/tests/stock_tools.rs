//! The stock AWS command line and boto3 on session credentials of Signet: through a profile that
//! `signet configure` wrote, and through `signet exec`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod ready;
mod terminal;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ready::{ACCOUNT, KEY_ID, NAME, PASSPHRASE, Ready, SECRET, document, key_id, seconds_left};
use serde_json::Value;
use signet_tests::harness::Ran;
use signet_tests::process::python;
use terminal::Terminal;

/// The real `aws` command on our profile.
fn aws(ready: &Ready, words: &str) -> Ran {
    let url = ready.aws.url();
    // Debian's aws does not read AWS_ENDPOINT_URL.
    let mut arguments = vec!["--profile", NAME, "--endpoint-url", &url, "--output", "json"];
    arguments.extend(words.split(' '));
    ready.begin(&python("aws"), &arguments, b"").finish()
}

fn configured() -> Ready {
    let ready = Ready::root();
    let _ = ready.run(&["configure", NAME, "--region", "us-east-1"]).ok();
    ready
}

fn aws_file(ready: &Ready, name: &str) -> PathBuf {
    ready.home().join(".aws").join(name)
}

fn write_aws_file(ready: &Ready, name: &str, text: &[u8]) {
    fs::create_dir_all(ready.home().join(".aws")).unwrap();
    fs::write(aws_file(ready, name), text).unwrap();
}

#[test]
fn the_aws_command_works_through_credential_process_with_one_consent() {
    let ready = configured();
    let identity = document(&aws(&ready, "sts get-caller-identity").ok());
    assert_eq!(identity["Arn"], "arn:aws:iam::123456789012:root");
    let policy = document(&aws(&ready, "s3api get-bucket-policy --bucket locked-bucket").ok());
    assert!(policy["Policy"].as_str().unwrap().contains("Deny"), "{policy}");
    let queue = document(&aws(&ready, "sqs get-queue-url --queue-name locked-queue").ok());
    let url = queue["QueueUrl"].as_str().unwrap();
    let attributes =
        aws(&ready, &format!("sqs get-queue-attributes --queue-url {url} --attribute-names All"));
    assert!(attributes.ok().contains("Deny"));

    assert_eq!(ready.consents(), 1);
    assert_eq!(ready.vended().len(), 4, "each start of the program is a hand-out");
    for seen in ready.aws.requests() {
        let with_our_key = seen.action == "sts:GetSessionToken";
        assert_eq!(seen.access_key_id == KEY_ID, with_our_key, "{seen:?}");
    }
}

#[test]
fn boto3_works_through_credential_process_and_asks_for_it_once() {
    let ready = configured();
    let script = "
import boto3, sys
session = boto3.Session(profile_name=sys.argv[1])
client = lambda service: session.client(service, endpoint_url=sys.argv[2])
print(client('sts').get_caller_identity()['Arn'])
for _ in range(12):
    client('s3').get_bucket_policy(Bucket='locked-bucket')
url = client('sqs').get_queue_url(QueueName='locked-queue')['QueueUrl']
print('Deny' in client('sqs').get_queue_attributes(QueueUrl=url, AttributeNames=['Policy'])['Attributes']['Policy'])
print(session.get_credentials().get_frozen_credentials().access_key[:4])
";
    let arguments = ["-c", script, NAME, &ready.aws.url()];
    let said = ready.begin(&python("python3"), &arguments, b"").finish().ok();
    assert_eq!(said, "arn:aws:iam::123456789012:root\nTrue\nASIA\n");
    assert_eq!((ready.consents(), ready.vended().len()), (1, 1), "one run is one hand-out");
}

#[test]
fn exec_gives_the_aws_command_what_it_needs_without_a_profile() {
    let ready = Ready::root();
    let (aws, url) = (python("aws"), ready.aws.url());
    let aws = aws.to_str().unwrap();
    let arguments = [
        "exec",
        NAME,
        "--region",
        "us-east-1",
        "--",
        aws,
        "--endpoint-url",
        &url,
        "sts",
        "get-caller-identity",
    ];
    let identity = document(&ready.run(&arguments).ok());
    assert_eq!(identity["Account"], ACCOUNT);
    assert!(!ready.home().join(".aws").exists());
    let _ = ready.run(&arguments).ok();
    assert_eq!(ready.consents(), 1, "exec and credential-process share what is kept");
}

#[test]
fn exec_sets_its_variables_and_unsets_every_other_source_of_credentials() {
    let mut ready = Ready::root();
    let others = [
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_ACCESS_KEY",
        "AWS_SECRET_KEY",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_CREDENTIAL_FILE",
        "AWS_ACCOUNT_ID",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_BEARER_TOKEN_BEDROCK",
        "SIGNET_KEY",
    ];
    for name in others {
        ready.set_env(name, "stranger");
    }
    ready.set_env("AWS_REGION", "eu-west-1");
    ready.set_env("AWS_MAX_ATTEMPTS", "1");
    let env = ready.run(&["exec", NAME, "--region", "us-east-1", "--", "env", "-0"]).ok();
    let set: BTreeMap<&str, &str> = env
        .split('\0')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| name.starts_with("AWS_") || *name == "SIGNET_KEY")
        .collect();
    assert!(set.values().all(|value| *value != "stranger"), "{set:?}");
    let given = ["AWS_EC2_METADATA_DISABLED", "AWS_ENDPOINT_URL", "AWS_MAX_ATTEMPTS", "AWS_PAGER"];
    let ours = [
        "AWS_ACCESS_KEY_ID",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "SIGNET_KEY",
    ];
    let mut expected = [&given[..], &ours[..]].concat();
    expected.sort_unstable();
    assert_eq!(set.keys().copied().collect::<Vec<_>>(), expected);
    assert_eq!(
        (set["AWS_REGION"], set["AWS_DEFAULT_REGION"], set["SIGNET_KEY"]),
        ("us-east-1", "us-east-1", NAME)
    );
    let kept = document(&ready.credentials(&["--region", "us-east-1"]).ok());
    for (variable, member) in [
        ("AWS_ACCESS_KEY_ID", "AccessKeyId"),
        ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
        ("AWS_SESSION_TOKEN", "SessionToken"),
        ("AWS_CREDENTIAL_EXPIRATION", "Expiration"),
    ] {
        assert_eq!(set[variable], kept[member], "{variable}");
    }
    assert_ne!(set["AWS_SECRET_ACCESS_KEY"], SECRET);
}

#[test]
fn exec_ends_as_its_command_ends() {
    use std::os::unix::process::ExitStatusExt;
    let mut ready = Ready::root();
    let exec = |words: &[&str]| ready.run(&[&["exec", NAME, "--"], words].concat());
    assert_eq!(exec(&["sh", "-c", "echo out; echo err >&2; exit 42"]).code(), 42);
    let ran = exec(&["sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\n", "err\n"), "not a word of ours");
    assert_eq!(exec(&["sh", "-c", "kill -TERM $$"]).status.signal(), Some(15));
    let missing = exec(&["/nonexistent/program"]);
    assert!(missing.refused(127).starts_with("signet: error: /nonexistent/program: "));
    let file = ready.path("file");
    fs::write(&file, "no program").unwrap();
    let _ = exec(&[file.to_str().unwrap()]).refused(126);
    // What the child reads is what stands on our standard input.
    assert_eq!(ready.run_with(&["exec", NAME, "--", "cat"], b"through").ok(), "through");
    assert_eq!(ready.consents(), 1);

    let shell = ready.path("shell");
    fs::write(&shell, "#!/bin/sh\necho \"shell for $SIGNET_KEY\"\n").unwrap();
    fs::set_permissions(&shell, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    ready.set_env("SHELL", shell);
    assert_eq!(ready.run(&["exec", NAME]).ok(), "shell for prod\n");
}

#[test]
fn a_command_is_not_started_without_credentials() {
    let ready = Ready::root();
    ready.answer("passphrase", &[]);
    let mark = ready.path("mark");
    let refused = ready.run(&["exec", NAME, "--", "touch", mark.to_str().unwrap()]);
    assert!(refused.stdout.is_empty() && !mark.exists());
    let _ = refused.refused(130);
}

#[test]
fn the_document_stands_alone_on_standard_output() {
    let ready = Ready::root();
    let ran = ready.credentials(&[]);
    assert!(ran.stderr.is_empty(), "{ran:?}");
    let text = ran.ok();
    assert_eq!(text.lines().count(), 1, "{text}");
    let Value::Object(members) = document(&text) else { panic!("{text}") };
    let mut names: Vec<&str> = members.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = ["AccessKeyId", "AccountId", "Expiration", "SecretAccessKey", "SessionToken", "Version"];
    assert_eq!(names, expected);
    assert_eq!(members["Version"], Value::from(1), "a number: the SDKs refuse a string");
    assert_eq!(members["AccountId"], ACCOUNT);
    assert!(key_id(&text).starts_with("ASIA"), "{text}");
    assert!((3000..=3600).contains(&seconds_left(&text)), "{text}");
    assert!(!text.contains(SECRET));
}

#[test]
fn a_failure_is_one_line_on_standard_error_and_the_aws_command_shows_it() {
    let ready = configured();
    ready.answer("passphrase", &["not the passphrase"]);
    let ran = aws(&ready, "sts get-caller-identity");
    assert!(ran.stdout.is_empty() && !ran.status.success(), "{ran:?}");
    assert!(ran.stderr.contains("signet: error: "), "{}", ran.stderr);

    let held = ready.credentials(&[]);
    assert!(held.stdout.is_empty(), "{held:?}");
    let said = held.refused(77);
    assert!(
        said.ends_with('\n') && said.lines().count() == 1 && said.starts_with("signet: error: "),
        "{said}"
    );
    let missing = ready.run(&["credential-process", "nobody"]);
    assert!(missing.stdout.is_empty());
    assert_eq!(missing.refused(77).lines().count(), 1);
}

#[test]
fn the_question_is_seen_although_the_sdk_keeps_standard_error_to_itself() {
    let mut ready = configured();
    let captured = ready.path("captured");
    // The aws command captures the standard error of its credential_process, and here its own is a file.
    let _ = aws(&ready, "sts get-caller-identity").ok();
    assert_eq!(ready.consents(), 1, "through SIGNET_ASKPASS");
    let _ = ready.run(&["forget"]).ok();

    ready.unset_env("SIGNET_ASKPASS");
    let mut command = ready.command(Path::new("sh"));
    command.args(["-c", "exec \"$@\" 2>\"$0\""]).arg(&captured).arg(python("aws"));
    command.args(["--profile", NAME, "--endpoint-url", &ready.aws.url(), "sts", "get-caller-identity"]);
    let mut terminal = Terminal::run(&command);
    terminal.expect("signet: sts:GetSessionToken");
    terminal.expect("passphrase");
    terminal.expect(": ");
    terminal.send(&format!("{PASSPHRASE}\n"));
    terminal.expect("press return to sign with the software token ");
    terminal.send("\n");
    let (status, stdout, stderr) = terminal.finish();
    assert!(status.success(), "{stdout}{stderr}{}", fs::read_to_string(&captured).unwrap());
    assert_eq!(document(&stdout)["Account"], ACCOUNT);
    assert_eq!(fs::read_to_string(&captured).unwrap(), "");
    assert!(!terminal.seen.contains(PASSPHRASE));
}

#[test]
fn configure_names_what_would_win_and_the_aws_command_uses_ours_after_replace() {
    let ready = Ready::root();
    let config = "# mine\r\n[default]\r\nregion = eu-west-1\r\n\r\n[profile prod]\r\noutput=json\r\nrole_arn = arn:x\r\nsource_profile = default\r\n";
    let credentials = "[other]\naws_access_key_id = AKIAOTHER\n[prod]\naws_access_key_id = AKIASTALE\naws_secret_access_key = stale\n";
    write_aws_file(&ready, "config", config.as_bytes());
    write_aws_file(&ready, "credentials", credentials.as_bytes());
    let arguments = ["configure", NAME, "--region", "us-east-1"];
    let said = ready.run(&arguments).refused(1);
    for (file, line, what) in [
        ("config", 7, "role_arn"),
        ("config", 8, "source_profile"),
        ("credentials", 4, "aws_access_key_id"),
        ("credentials", 5, "aws_secret_access_key"),
    ] {
        let named = format!("{} line {line}: {what}", aws_file(&ready, file).display());
        assert!(said.contains(&named), "{named} is not in {said}");
    }
    assert!(said.contains("signet: hint: signet configure prod --replace"), "{said}");
    assert!(!said.contains("stale"), "no secret of a file is shown");
    assert_eq!(fs::read_to_string(aws_file(&ready, "config")).unwrap(), config);
    assert_eq!(fs::read_to_string(aws_file(&ready, "credentials")).unwrap(), credentials);

    let _ = ready.run(&[&arguments[..], &["--replace"]].concat()).ok();
    let after = fs::read_to_string(aws_file(&ready, "credentials")).unwrap();
    let (other, own) = credentials.split_once("[prod]").unwrap();
    assert_eq!(after, format!("{other}[prod]{}", own.replace("\naws_", "\n# aws_")));
    let after = fs::read_to_string(aws_file(&ready, "config")).unwrap();
    assert!(
        after.starts_with(
            "# mine\r\n[default]\r\nregion = eu-west-1\r\n\r\n[profile prod]\r\noutput=json\r\n"
        ),
        "{after}"
    );
    for line in ["# role_arn = arn:x\r\n", "# source_profile = default\r\n"] {
        assert!(after.contains(line), "{after}");
    }
    assert!(after.split_inclusive('\n').all(|line| line.ends_with("\r\n")), "{after:?}");
    let identity = document(&aws(&ready, "sts get-caller-identity").ok());
    assert_eq!(identity["Arn"], "arn:aws:iam::123456789012:root");
    assert_eq!(ready.consents(), 1);
}

#[test]
fn what_configure_wrote_goes_again_byte_for_byte() {
    let before: [&[u8]; 6] = [
        b"",
        b"[default]\nregion = eu-west-1\n",
        b"[profile prod]\noutput = json\n\n[profile z]\nregion=x\n",
        // Bytes that are no text, tabs, comments.
        b"# caf\xe9 \xff\n[default]\nregion\t=  eu-west-1   \n;x\n\n\n[profile a]\ns3 =\n  max_concurrent_requests = 1\n",
        b"[profile a]\r\nregion = x\r\n\r\n",
        b"\xef\xbb\xbf[default]\nregion = x\n",
    ];
    let ready = Ready::root();
    for text in before {
        let shown = String::from_utf8_lossy(text);
        write_aws_file(&ready, "config", text);
        let _ = ready.run(&["configure", NAME, "--region", "us-east-1"]).ok();
        let between = fs::read(aws_file(&ready, "config")).unwrap();
        assert_ne!(between, text, "{shown}");
        let _ = ready.run(&["configure", NAME, "--remove"]).ok();
        let after = fs::read(aws_file(&ready, "config")).unwrap();
        assert_eq!(String::from_utf8_lossy(&after), shown);
        assert_eq!(after, text, "{shown}");
    }
    let _ = ready.run(&["configure", NAME, "--remove"]).refused(1);

    // A last line without an end gets one, and that alone stays: nothing tells later that it was not there.
    write_aws_file(&ready, "config", b"[default]\nregion = x");
    let _ = ready.run(&["configure", NAME]).ok();
    let _ = ready.run(&["configure", NAME, "--remove"]).ok();
    assert_eq!(fs::read(aws_file(&ready, "config")).unwrap(), b"[default]\nregion = x\n");
    assert!(!ready.path("asked").exists(), "nobody was asked");
}

#[test]
fn the_line_means_the_same_to_a_shell_and_to_botocore() {
    let ready = configured();
    let config = fs::read_to_string(aws_file(&ready, "config")).unwrap();
    let (_, line) = config.split_once("credential_process = ").unwrap();
    let line = line.lines().next().unwrap();
    let shell = Command::new("sh").args(["-c", &format!("printf '%s\\n' {line}")]).output().unwrap();
    let split = "import shlex, sys; print('\\n'.join(shlex.split(sys.argv[1])))";
    let botocore = Command::new("python3").args(["-c", split, line]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&shell.stdout), String::from_utf8_lossy(&botocore.stdout));
    let words: Vec<&str> = line.split(' ').collect();
    assert!(Path::new(words[0]).is_absolute() && words[0].ends_with("/signet"), "{line}");
    let socket = ready.socket().display().to_string();
    let rest = ["--socket", &socket, "credential-process", NAME, "--duration", "1h", "--region", "us-east-1"];
    assert_eq!(words[1..], rest);
}
