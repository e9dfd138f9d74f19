//! The socket from outside: what is refused, what is cut, and what is left behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod harness;

use harness::{Agent, LONG, http, wait_for};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::time::Instant;

#[test]
fn status_tells_what_is_in_force() {
    let agent = Agent::start();
    let (code, status) = agent.call("GET", "/v1/status", None);
    assert_eq!(code, 200);
    assert_eq!(status["pid"], agent.pid());
    assert_eq!(status["kinds"], json!(["software"]));
    assert_eq!(status["socket"], agent.socket().to_str().unwrap());
    assert_eq!(status["counts"], json!({"keys":0,"tokens":0,"sessions":0}));
    assert_eq!(status["head"]["seq"], 0);
    assert_eq!(status["vault_id"].as_str().unwrap().len(), 32);
    let layers = status["hardening"].as_array().unwrap();
    let closed = layers.iter().find(|layer| layer["name"] == "memory closed to other processes").unwrap();
    assert_eq!(closed["on"], true);
}

#[test]
fn the_process_is_hardened() {
    let agent = Agent::start();
    let proc = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", agent.pid())).unwrap();
    // A process that is not dumpable has its files in /proc owned by root (proc(5)).
    assert_eq!(std::fs::metadata(format!("/proc/{}/environ", agent.pid())).unwrap().uid(), 0);
    assert!(proc("status").contains("NoNewPrivs:\t1"));
    let core = proc("limits").lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
    let mode = std::fs::metadata(agent.socket()).unwrap().permissions().mode() & 0o7777;
    let directory =
        std::fs::metadata(agent.socket().parent().unwrap()).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode, directory), (0o600, 0o700));
}

#[test]
fn what_is_not_understood_is_refused_with_a_document() {
    let agent = Agent::start();
    let use_path = "/v1/uses";
    let json_cases: &[(&str, &str, &str, u16)] = &[
        ("GET", "/", "", 404),
        ("GET", "/v1", "", 404),
        ("GET", "/v2/status", "", 404),
        ("GET", "/v1/status/", "", 404),
        ("GET", "/v1/../v1/status", "", 404),
        ("GET", "/v1/status?x", "", 400),
        ("POST", "/v1/status", "", 405),
        ("PUT", "/v1/uses", "{}", 405),
        ("GET", "/v1/uses", "", 405),
        ("DELETE", "/v1/keys/x", "", 400),
        ("DELETE", "/v1/keys/x?lost=1", "", 400),
        ("POST", use_path, "", 400),
        ("POST", use_path, "{", 400),
        ("POST", use_path, "[]", 400),
        ("POST", use_path, "null", 400),
        ("POST", use_path, "{\"version\":1}", 400),
        (
            "POST",
            use_path,
            r#"{"version":1,"key":"k","act":{"remove":{}},"reason":null,"may_ask":true,"lease":null,"extra":1}"#,
            400,
        ),
        (
            "POST",
            use_path,
            r#"{"version":1,"version":1,"key":"k","act":{"remove":{}},"reason":null,"may_ask":true,"lease":null}"#,
            400,
        ),
        (
            "POST",
            use_path,
            r#"{"version":2,"key":"k","act":{"remove":{}},"reason":null,"may_ask":true,"lease":null}"#,
            400,
        ),
        (
            "POST",
            use_path,
            r#"{"version":1,"key":"../k","act":{"remove":{}},"reason":null,"may_ask":true,"lease":null}"#,
            400,
        ),
        (
            "POST",
            use_path,
            r#"{"version":1,"key":"k","act":{"explode":{}},"reason":null,"may_ask":true,"lease":null}"#,
            400,
        ),
        ("POST", "/v1/uses/nobody/answers", r#"{"number":1,"sealed":null}"#, 400),
        ("POST", "/v1/sessions/nobody", r#"{"failed":{"code":"busy","message":"","hint":null}}"#, 400),
        ("POST", "/v1/policy/check", r#"{"version":1,"name":"p","text":"version = 2"}"#, 400),
        ("POST", "/v1/tokens", r#"{"version":1,"act":{"act":"list"}}"#, 400),
    ];
    for (method, path, body, expected) in json_cases {
        let (status, answer) = agent.raw(&http(method, path, body));
        let document: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
        assert_eq!(status, *expected, "{method} {path} {body}: {document}");
        assert_eq!(document["error"]["code"], "bad_request", "{method} {path} {body}");
    }
    let reason = "x".repeat(257);
    let long = json!({"version":1,"key":"k","act":{"remove":{}},"reason":reason,"may_ask":true,"lease":null});
    assert_eq!(agent.call("POST", use_path, Some(&long)).0, 400);
    assert_eq!(agent.call("GET", "/v1/status", None).0, 200, "it still serves");
}

#[test]
fn malformed_http_is_refused_and_harms_nobody() {
    let agent = Agent::start();
    let cases: &[&[u8]] = &[
        b"\r\n\r\n\r\n\r\n garbage\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /v1/status HTTP/9.9\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nx: \x00\r\n\r\n",
        b"POST /v1/uses HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        b"POST /v1/uses HTTP/1.1\r\ncontent-length: -1\r\n\r\n{}",
        b"POST /v1/uses HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for case in cases {
        let mut bytes = case.to_vec();
        // Whoever waits for more gets the end of it.
        bytes.extend_from_slice(b"\r\n\r\n");
        let (status, _) = agent.raw(&bytes);
        assert!(
            status == 0 || (400..600).contains(&status),
            "{status} for {:?}",
            String::from_utf8_lossy(case)
        );
    }
    let mut huge = b"GET /v1/status HTTP/1.1\r\nx: ".to_vec();
    huge.extend(std::iter::repeat_n(b'a', 64 * 1024));
    huge.extend_from_slice(b"\r\n\r\n");
    assert!(matches!(agent.raw(&huge).0, 0 | 431 | 400));
    assert_eq!(agent.call("GET", "/v1/status", None).0, 200, "it still serves");
}

#[test]
fn a_message_over_the_limit_is_refused_announced_or_not() {
    let agent = Agent::start();
    let large = "x".repeat(64 * 1024 + 1);
    let (status, answer) = agent.raw(&http("POST", "/v1/uses", &large));
    assert_eq!(status, 413);
    assert!(String::from_utf8(answer).unwrap().contains("bad_request"));
    let chunked = format!(
        "POST /v1/uses HTTP/1.1\r\nhost: s\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        large.len()
    );
    assert_eq!(agent.raw(chunked.as_bytes()).0, 413);
    let (status, _) = agent.raw(&http("POST", "/v1/uses", &large[..64 * 1024]));
    assert_eq!(status, 400, "the limit itself is no limit");
}

#[test]
fn slow_callers_are_cut() {
    let agent = Agent::start();
    let mut half_header = agent.connect();
    half_header.write_all(b"GET /v1/status HTTP/1.1\r\nhos").unwrap();
    let mut half_body = agent.connect();
    half_body.write_all(b"POST /v1/uses HTTP/1.1\r\nhost: s\r\ncontent-length: 10\r\n\r\n{").unwrap();
    let start = Instant::now();
    let mut answer = String::new();
    half_header.read_to_string(&mut answer).unwrap();
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer.clear();
    half_body.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(start.elapsed() < LONG / 2, "cut after {:?}", start.elapsed());
}

#[test]
fn the_connection_over_the_limit_is_refused_at_once() {
    let agent = Agent::start();
    let mut held: Vec<UnixStream> = Vec::new();
    // An earlier connection may still be on its way out: those that count are those that are served.
    wait_for("64 connections", || {
        let mut stream = agent.connect();
        let mut start = [0; 15];
        // A connection that is refused may be closed before it has asked.
        let _ = stream.write_all(b"GET /v1/audit/head HTTP/1.1\r\nhost: s\r\n\r\n");
        stream.read_exact(&mut start).unwrap();
        if &start == b"HTTP/1.1 200 OK" {
            held.push(stream);
        }
        held.len() == 64
    });
    let (status, refused) = agent.call("GET", "/v1/status", None);
    assert_eq!((status, &refused["error"]["code"]), (503, &json!("busy")));
    drop(held);
    wait_for("room", || agent.call("GET", "/v1/status", None).0 == 200);
}

#[test]
fn a_log_of_any_length_is_told_without_growing() {
    const LENGTH: u64 = 256 << 20;
    let mut agent = Agent::start();
    agent.enrol();
    agent.stop();
    let audit = agent.folder().join("state/audit");
    std::fs::rename(audit.join("000001.jsonl"), audit.join("000002.jsonl")).unwrap();
    let long = std::fs::File::create_new(audit.join("000001.jsonl")).unwrap();
    long.set_permissions(std::fs::Permissions::from_mode(0o600)).unwrap();
    long.set_len(LENGTH).unwrap();
    let last = std::fs::metadata(audit.join("000002.jsonl")).unwrap().len();
    let agent = agent.again();
    let before = most_memory(agent.pid());
    let mut stream = agent.connect();
    stream.write_all(&http("GET", "/v1/audit", "")).unwrap();
    let told = std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    assert!((LENGTH + last..LENGTH + last + 1024).contains(&told), "{told} bytes");
    let grown = most_memory(agent.pid()) - before;
    assert!(grown < 8 << 10, "it has grown by {grown} KiB");
}

/// The most memory that a process has ever had, in KiB.
fn most_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_second_agent_is_refused_and_the_first_goes_on() {
    let agent = Agent::start();
    let second = agent.second(&[]);
    assert_eq!(second.status.code(), Some(75), "{}", String::from_utf8_lossy(&second.stderr));
    assert_eq!(agent.call("GET", "/v1/status", None).0, 200);
}

#[test]
fn an_agent_that_is_killed_leaves_nothing_to_repair() {
    let mut agent = Agent::start();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(i32::try_from(agent.pid()).unwrap()).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    agent.wait();
    assert!(agent.socket().exists(), "a killed agent cannot tidy up");
    let agent = agent.again();
    assert_eq!(agent.call("GET", "/v1/status", None).0, 200);
}

#[test]
fn it_ends_on_request_without_a_trace() {
    let mut agent = Agent::start();
    let mut idle = agent.connect();
    assert_eq!(agent.stop(), 0);
    assert!(!agent.socket().exists());
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn somebody_elses_socket_is_not_removed() {
    let mut agent = Agent::start();
    std::fs::remove_file(agent.socket()).unwrap();
    let _other = UnixListener::bind(agent.socket()).unwrap();
    agent.stop();
    assert!(agent.socket().exists());
}

#[test]
fn it_ends_when_nothing_happens() {
    let mut agent = Agent::start_idle("1s");
    assert_eq!(agent.wait(), 0);
    assert!(!agent.socket().exists());
}

#[test]
fn a_start_that_fails_says_why_and_leaves_no_socket() {
    for (config, word) in [
        ("[limits]\nmesage = \"64KiB\"\n", "mesage"),
        ("[token]\nkinds = [\"abacus\"]\n", "kinds"),
        ("[policy]\nfile = \"missing.toml\"\n", "missing.toml"),
    ] {
        let (code, said, socket) = Agent::start_fails(config);
        assert_ne!(code, Some(0), "{config}");
        assert!(said.starts_with("signet-agent: error: ") && said.contains(word), "{config}: {said}");
        assert!(!socket, "{config}: a socket was left");
    }
}

#[test]
fn another_uid_is_refused_and_logged() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: another_uid_is_refused_and_logged needs root, to become somebody else");
        return;
    }
    let agent = Agent::start();
    // As somebody might do by hand: the file system would let anybody in.
    for path in [agent.folder(), agent.socket().parent().unwrap(), agent.socket()] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    // Perl is part of every Debian (perl-base); this test's own program may lie where others cannot go.
    let script = "my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die $!; local $/; print <$s>";
    let other = Command::new("setpriv")
        .args([
            "--reuid",
            "4242",
            "--regid",
            "4242",
            "--clear-groups",
            "/usr/bin/perl",
            "-MIO::Socket::UNIX",
            "-e",
            script,
        ])
        .arg(agent.socket())
        .output()
        .unwrap();
    let said = String::from_utf8(other.stdout).unwrap();
    assert!(
        said.starts_with("HTTP/1.1 403") && said.contains("\"denied\""),
        "{said}{}",
        String::from_utf8_lossy(&other.stderr)
    );
    let line = agent.last_line("outcome");
    assert_eq!(
        (&line["uid"], &line["code"], &line["result"]),
        (&json!(4242), &json!("denied"), &json!("refused"))
    );
    assert_eq!(line["key"], json!(null));
}

#[test]
fn a_socket_that_is_passed_is_served_and_left_in_place() {
    let mut agent = Agent::activated();
    assert_eq!(agent.call("GET", "/v1/status", None).1["socket"], agent.socket().to_str().unwrap());
    assert_eq!(agent.stop(), 0);
    assert!(agent.socket().exists(), "it is the service manager's");
}
