//! `StubAgent`: the agent's side of the wire with a script in place of policy, vault and signer, for
//! what the real agent says only with hardware in a certain state. It opens the sealed answers as a
//! signer would. The real agent is met in the journeys of `signet-tests`.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use signet_envelope::hpke::OneTimeKey;
use signet_protocol::{PromptKind, prompt};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a test waits for a condition that a working program meets at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct StubAgent {
    pub(crate) dir: tempfile::TempDir,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
}

type Script = Arc<dyn Fn(&mut Use) + Send + Sync>;

impl StubAgent {
    /// Listens; `script` plays each use.
    pub(crate) fn new(script: impl Fn(&mut Use) + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("agent.sock");
        Self::at(dir, &socket, script)
    }

    /// Listens on this socket.
    pub(crate) fn at(
        dir: tempfile::TempDir,
        socket: &Path,
        script: impl Fn(&mut Use) + Send + Sync + 'static,
    ) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let script: Script = Arc::new(script);
        let seen = Arc::clone(&requests);
        let answers: Arc<Mutex<Option<Sender<Value>>>> = Arc::default();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, seen, answers) = (Arc::clone(&script), Arc::clone(&seen), Arc::clone(&answers));
                std::thread::spawn(move || serve(stream.unwrap(), &script, &seen, &answers));
            }
        });
        Self { dir, requests }
    }

    /// What was asked so far: `METHOD path` and body.
    pub(crate) fn requests(&self) -> Vec<(String, Value)> {
        self.requests.lock().unwrap().clone()
    }

    /// `signet` with this agent, with nothing of the environment of the test.
    pub(crate) fn signet(&self, args: &[&str]) -> Command {
        let mut command = signet(args);
        command.env("SIGNET_SOCK", self.dir.path().join("agent.sock")).env("HOME", self.dir.path());
        command
    }

    /// A program for `SIGNET_ASKPASS`; `$DIR` in the script is the folder of the test.
    pub(crate) fn askpass(&self, script: &str) -> PathBuf {
        let path = self.dir.path().join("askpass");
        let dir = self.dir.path().display();
        program(&path, &format!("#!/bin/sh\nDIR='{dir}'\n{script}\n"));
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }
}

/// `signet`, with nothing of the environment of the test.
pub(crate) fn signet(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signet"));
    command.args(args).env_clear().env("PATH", "/usr/bin:/bin").env("SIGNET_NO_AUTOSTART", "1");
    command.stdin(Stdio::null());
    command
}

/// Runs a command with a text on its standard input.
pub(crate) fn with_stdin(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // a command that refuses before it reads is what some tests are about
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Writes a program. Another process does it: were the file open for writing here, a fork of another
/// test at the wrong moment would keep it open, and it could not be run (ETXTBSY).
pub(crate) fn program(path: &Path, text: &str) {
    let mut writer = Command::new("sh");
    writer.args(["-c", "cat > \"$0\" && chmod 700 \"$0\""]).arg(path);
    assert!(with_stdin(writer, text).status.success());
}

/// Waits for a condition.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One use from the agent's side.
pub(crate) struct Use {
    stream: UnixStream,
    answers: Receiver<Value>,
    body: Vec<u8>,
    next: u32,
    pub(crate) dir: PathBuf,
    /// `method path`, lower case.
    pub(crate) line: String,
}

impl Use {
    /// The request.
    pub(crate) fn request(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Says an event.
    pub(crate) fn say(&mut self, event: &Value) {
        // a client that went away is what some tests are about
        let _ = writeln!(self.stream, "{event}");
    }

    /// Says bytes as they are.
    pub(crate) fn say_text(&mut self, text: &str) {
        // a client that went away is what some tests are about
        let _ = self.stream.write_all(text.as_bytes());
    }

    pub(crate) fn accept(&mut self) {
        self.say(&json!({"event": "accepted", "id": "use-1", "key": "prod", "action": "sts:GetCallerIdentity",
            "account": "123456789012", "region": "us-east-1", "host": "sts.us-east-1.amazonaws.com",
            "peer": "uid 1000", "obligations": ["pin", "touch"], "tokens": [{"serial": "42", "label": "safe"}],
            "seconds": 120, "warnings": []}));
    }

    /// Asks and opens the answer; `None` when it was cancelled.
    pub(crate) fn ask(&mut self, kind: PromptKind, text: Option<&str>, tries: Option<u8>) -> Option<Vec<u8>> {
        self.next += 1;
        let number = self.next;
        let key = OneTimeKey::new().unwrap();
        self.say(&json!({"event": "prompt", "number": number, "kind": kind.name(), "text": text,
            "tries_left": tries, "token": {"serial": "42", "label": "safe"},
            "public_key": STANDARD.encode(key.public())}));
        let answer = self.answers.recv_timeout(PATIENCE).expect("an answer");
        assert_eq!(answer["number"], number);
        let sealed = STANDARD.decode(answer["sealed"].as_str()?).unwrap();
        let name = self.request()["key"].as_str().unwrap_or_default().to_owned();
        let subject = ring::digest::digest(&ring::digest::SHA256, &prompt::subject_input(&name, &self.body));
        let info = prompt::answer_info("use-1", number, kind, subject.as_ref().try_into().unwrap());
        Some(key.open(&info, &sealed).expect("sealed to this question").to_vec())
    }

    pub(crate) fn touch(&mut self) {
        self.say(&json!({"event": "touch", "n": 1, "of": 1, "token": {"serial": "42", "label": "safe"}, "seconds": 15}));
    }

    /// Signs what was asked for with a signature that is none.
    pub(crate) fn sign(&mut self) {
        let request = self.request();
        let request = &request["act"]["sign"];
        let host = request["url"].as_str().unwrap().split('/').nth(2).unwrap().to_owned();
        let mut headers = request["headers"].as_array().unwrap().clone();
        headers.push(json!(["host", host]));
        headers.push(json!(["x-amz-date", "20261122T170341Z"]));
        headers.push(json!(["authorization", "AWS4-HMAC-SHA256 none"]));
        self.say(&json!({"event": "signed", "headers": headers, "url": request["url"],
            "action": "sts:GetCallerIdentity", "amz_date": "20261122T170341Z", "audit_seq": 2}));
    }

    pub(crate) fn refuse(&mut self, code: &str, message: &str) {
        self.say(&json!({"event": "refused", "error": {"code": code, "message": message, "hint": null}}));
    }

    /// Waits until the client has ended the connection.
    pub(crate) fn wait_until_gone(&mut self) {
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(self.stream.read(&mut [0; 1]).expect("the client goes"), 0);
    }
}

fn serve(
    stream: UnixStream,
    script: &Script,
    seen: &Mutex<Vec<(String, Value)>>,
    answers: &Mutex<Option<Sender<Value>>>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_ascii_lowercase());
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let first = lines.first().unwrap().replace(" http/1.1", "");
    let value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    seen.lock().unwrap().push((first.clone(), value.clone()));
    let mut stream = stream;
    stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").unwrap();
    if first.ends_with("/answers") {
        answers.lock().unwrap().as_ref().unwrap().send(value).unwrap();
        stream.write_all(b"{\"version\":1}").unwrap();
        return;
    }
    let (sender, receiver) = channel();
    if first == "post /v1/uses" || first == "post /v1/tokens" {
        *answers.lock().unwrap() = Some(sender);
    }
    let dir = stream.local_addr().unwrap().as_pathname().and_then(Path::parent).unwrap().to_owned();
    script(&mut Use { stream, answers: receiver, body, next: 0, dir, line: first });
}

/// An AWS endpoint on loopback: `answer` gets head and body of each request and gives a whole response.
pub(crate) struct StubAws {
    pub(crate) url: String,
    pub(crate) host: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl StubAws {
    pub(crate) fn new(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let requests = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut request = String::new();
                while !request.ends_with("\r\n\r\n") && reader.read_line(&mut request).unwrap() > 0 {}
                let lower = request.to_ascii_lowercase();
                let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
                let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
                reader.read_exact(&mut body).unwrap();
                request += &String::from_utf8(body).unwrap();
                requests.lock().unwrap().push(request.clone());
                // a client that has read enough goes away
                let _ = stream.write_all(answer(&request).as_bytes());
            }
        });
        Self { url: format!("http://{host}"), host, seen }
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// A response with this body.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
}
