//! A real agent in a folder of its own, spoken to over its socket; its children are played by the
//! scripts in `players/`, so that every word of a child can be chosen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, dead_code)]

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signet_envelope::PublicKey;

/// Nothing here takes as long, unless it hangs.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// What the player `enrols` says of its token.
pub(crate) const SERIAL: &str = "soft-00000001";
const POINT: &str =
    concat!("BP6MGc4JBRkevCmKkkV5JTHybwzs4kYGOei8Oct/cGqCaneb", "TPlpuKDlOcf2L7PTCtaqj4DjDx0Siq/WiiznLqA=");

pub(crate) struct Agent {
    process: Child,
    folder: std::rc::Rc<tempfile::TempDir>,
    socket: PathBuf,
}

impl Agent {
    /// Software tokens allowed, and nothing else said.
    pub(crate) fn start() -> Self {
        Self::start_with("[token]\nkinds = [\"software\"]\n")
    }

    pub(crate) fn start_with(config: &str) -> Self {
        Self::start_in(folder(config), &[])
    }

    /// Ends by itself after this long.
    pub(crate) fn start_idle(idle: &str) -> Self {
        Self::start_in(folder(""), &["--idle-timeout", idle])
    }

    /// The next agent in the folder of one that has ended.
    pub(crate) fn again(&self) -> Self {
        Self::start_in(self.folder.clone(), &[])
    }

    /// A start that should fail: exit status, what was said, and whether a socket is there.
    pub(crate) fn start_fails(config: &str) -> (Option<i32>, String, bool) {
        let folder = folder(config);
        let output = command(folder.path()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said, folder.path().join("run/agent.sock").exists())
    }

    /// Started by a service manager, which has made the socket (sd_listen_fds(3)).
    pub(crate) fn activated() -> Self {
        let folder = folder("");
        let path = folder.path().join("run/agent.sock");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let agent = command(folder.path());
        let mut manager = Command::new("/bin/sh");
        manager
            .args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\" 3<&0 </dev/null", "sh"])
            .arg(agent.get_program())
            .args(agent.get_args())
            .env_clear()
            .env("HOME", folder.path())
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)))
            .stderr(Stdio::piped());
        let process = manager.spawn().unwrap();
        Self::listening(process, folder)
    }

    fn start_in(folder: std::rc::Rc<tempfile::TempDir>, arguments: &[&str]) -> Self {
        let process = command(folder.path()).args(arguments).spawn().unwrap();
        Self::listening(process, folder)
    }

    fn listening(process: Child, folder: std::rc::Rc<tempfile::TempDir>) -> Self {
        let socket = folder.path().join("run/agent.sock");
        let mut agent = Self { process, folder, socket };
        wait_for("the agent to listen", || {
            if let Some(status) = agent.process.try_wait().unwrap() {
                panic!("the agent ended with {status}: {}", agent.said());
            }
            UnixStream::connect(&agent.socket).is_ok()
        });
        agent
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn said(&mut self) -> String {
        let mut said = String::new();
        if let Some(stderr) = &mut self.process.stderr {
            let _ = stderr.read_to_string(&mut said);
        }
        said
    }

    /// The signer is played by this script from now on.
    pub(crate) fn signer_is(&self, player: &str) {
        play(self.folder(), "signet-signer", player);
    }

    /// The signer says this from now on; see `players/follows`.
    pub(crate) fn signer_says(&self, lines: &[Value]) {
        self.child_says("signet-signer", lines);
    }

    pub(crate) fn child_says(&self, program: &str, lines: &[Value]) {
        let line = |line: &Value| if *line == json!("?") { "?\n".to_owned() } else { format!("{line}\n") };
        let script: String = lines.iter().map(line).collect();
        std::fs::write(self.folder().join("bin/script"), script).unwrap();
        play(self.folder(), program, "follows");
    }

    /// What a child that followed its script was told: its order, and the answers.
    pub(crate) fn heard(&self) -> Vec<Value> {
        let heard = std::fs::read_to_string(self.folder().join("bin/heard")).unwrap();
        heard.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// One use to its end, every question answered.
    pub(crate) fn use_it(&self, key: &str, act: &Value) -> Value {
        let mut events = self.stream("/v1/uses", &use_of(key, act));
        match &events.failure {
            Some(failure) => failure.clone(),
            None => self.answer_all(&mut events),
        }
    }

    /// What `GET /v1/keys` tells of a key.
    pub(crate) fn key(&self, name: &str) -> Value {
        let (_, list) = self.call("GET", "/v1/keys", None);
        list["keys"].as_array().unwrap().iter().find(|key| key["name"] == name).cloned().unwrap_or_default()
    }

    /// Metadata of a key's record, with epoch and hash as its next generation has them.
    pub(crate) fn next(&self, name: &str) -> Value {
        let file = std::fs::read(self.folder().join(format!("state/keys/{name}.age"))).unwrap();
        after(&file)
    }

    /// Enrols one more token with this serial; its recipient as records name it.
    pub(crate) fn enrol_another(&self, serial: &str) -> (u16, Value) {
        let recipient =
            json!({"kind":"software","serial":serial,"slot":"","public_key":POINT,"label":"another"});
        let mut token = recipient.clone();
        for (name, value) in [
            ("firmware", Value::Null),
            ("attested", json!(false)),
            ("policies", json!("none")),
            ("enrolled", json!("")),
        ] {
            token[name] = value;
        }
        let outcome =
            json!({"event":"outcome","result":"managed","managed":"enrolled","warnings":[],"token":token});
        self.child_says("signet-enrol", &[outcome]);
        let act = json!({"act":"enrol","kind":"software","serial":serial,"slot":null,"label":"another"});
        let mut events = self.stream("/v1/tokens", &json!({"version":1,"act":act,"may_ask":true}));
        if events.status != 200 {
            return (events.status, events.failure.unwrap());
        }
        assert_eq!(events.last()["event"], "done");
        play(self.folder(), "signet-enrol", "enrols");
        (200, recipient)
    }

    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// One request on a connection of its own: status and body.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let body = body.map(Value::to_string).unwrap_or_default();
        let (status, bytes) = self.raw(&http(method, path, &body));
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Bytes in, the whole answer out: status 0 when there was none.
    pub(crate) fn raw(&self, bytes: &[u8]) -> (u16, Vec<u8>) {
        let mut stream = self.connect();
        // The agent may have answered and closed before it has read all.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        split(&answer)
    }

    /// A request that answers with a stream of events.
    pub(crate) fn stream(&self, path: &str, body: &Value) -> Events {
        let mut stream = self.connect();
        stream.write_all(&http("POST", path, &body.to_string())).unwrap();
        Events::of(stream)
    }

    pub(crate) fn audit(&self) -> Vec<Value> {
        let (status, lines) = self.raw(&http("GET", "/v1/audit", ""));
        assert_eq!(status, 200);
        let text = String::from_utf8(lines).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The last line of the log, once it is of this phase.
    pub(crate) fn last_line(&self, phase: &str) -> Value {
        let mut last = Value::Null;
        wait_for("the log", || {
            last = self.audit().pop().unwrap_or_default();
            last["phase"] == phase
        });
        last
    }

    pub(crate) fn enrol(&self) {
        let act = json!({"act":"enrol","kind":"software","serial":null,"slot":null,"label":"played"});
        let mut events = self.stream("/v1/tokens", &json!({"version":1,"act":act,"may_ask":true}));
        assert_eq!(events.last()["event"], "done");
    }

    /// A record for `name`, sealed to the played token.
    pub(crate) fn record(&self, name: &str, edit: impl FnOnce(&mut Value)) -> String {
        let (_, status) = self.call("GET", "/v1/status", None);
        let mut meta = json!({
            "version":1, "vault_id":status["vault_id"], "name":name, "epoch":1,
            "created":"2026-11-22T17:00:00Z", "kind":"root", "account":"123456789012", "partition":"aws",
            "access_key_id":"AKIAIOSFODNN7EXAMPLE", "custody":"sealed", "policy":["root-only-tasks"],
            "factors":[], "previous":null,
            "recipients":[{"kind":"software","serial":SERIAL,"slot":"","public_key":POINT,"label":"played"}],
        });
        edit(&mut meta);
        let key = PublicKey::from_bytes(&STANDARD.decode(POINT).unwrap()).unwrap();
        let payload = br#"{"secret":"wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY","totp_seed":null}"#;
        STANDARD.encode(signet_envelope::seal(meta.to_string().as_bytes(), &[key], payload).unwrap())
    }

    /// Enrols, and adds a key through a signer that opens.
    pub(crate) fn with_key(self, name: &str) -> Self {
        self.with_record(name, |_| {})
    }

    pub(crate) fn with_record(self, name: &str, edit: impl FnOnce(&mut Value)) -> Self {
        self.enrol();
        self.with_known_token(name, edit)
    }

    /// The same, where the token is enrolled.
    pub(crate) fn with_known_token(self, name: &str, edit: impl FnOnce(&mut Value)) -> Self {
        self.signer_is("opens");
        let record = self.record(name, edit);
        let mut events = self.stream("/v1/uses", &use_of(name, &json!({"add":{"record":record}})));
        let last = self.answer_all(&mut events);
        assert_eq!(last["event"], "done", "{last}");
        self
    }

    /// Answers each question with something, and returns the last event.
    pub(crate) fn answer_all(&self, events: &mut Events) -> Value {
        let mut id = String::new();
        loop {
            let event = events.next().expect("the stream ended without an end");
            match event["event"].as_str().unwrap() {
                "accepted" => id = event["id"].as_str().unwrap().to_owned(),
                "prompt" => assert_eq!(self.answer(&id, &event["number"]).0, 200),
                "done" | "signed" | "refused" => return event,
                _ => {}
            }
        }
    }

    pub(crate) fn answer(&self, id: &str, number: &Value) -> (u16, Value) {
        let answer = json!({"number":number,"sealed":"c2VhbGVk"});
        self.call("POST", &format!("/v1/uses/{id}/answers"), Some(&answer))
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(&mut self) -> i32 {
        let pid = i32::try_from(self.pid()).unwrap();
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(pid).unwrap(),
            rustix::process::Signal::TERM,
        )
        .unwrap();
        self.wait()
    }

    pub(crate) fn wait(&mut self) -> i32 {
        let mut code = None;
        wait_for("the agent to end", || {
            code = self.process.try_wait().unwrap();
            code.is_some()
        });
        code.unwrap().code().unwrap_or(-1)
    }

    /// The pids of its children.
    pub(crate) fn children(&self) -> Vec<String> {
        let path = format!("/proc/{0}/task/{0}/children", self.pid());
        std::fs::read_to_string(path).unwrap().split_whitespace().map(str::to_owned).collect()
    }

    /// A second agent in the same folder, to its end.
    pub(crate) fn second(&self, arguments: &[&str]) -> Output {
        command(self.folder()).args(arguments).output().unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The events of a stream, as they come.
pub(crate) struct Events {
    from: BufReader<UnixStream>,
    pub(crate) status: u16,
    pub(crate) failure: Option<Value>,
}

impl Events {
    fn of(stream: UnixStream) -> Self {
        let mut from = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(from.read_line(&mut head).unwrap(), 0, "no answer: {head}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let failure = (status != 200).then(|| {
            let mut body = Vec::new();
            from.read_to_end(&mut body).unwrap();
            serde_json::from_slice(&body).unwrap()
        });
        Self { from, status, failure }
    }

    /// The code of a refusal that came instead of a stream.
    pub(crate) fn code(&self) -> String {
        self.failure.as_ref().expect("the use was accepted")["error"]["code"].as_str().unwrap().to_owned()
    }

    /// The next event; each is one chunk.
    pub(crate) fn next(&mut self) -> Option<Value> {
        let mut size = String::new();
        self.from.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 {
            return None;
        }
        let mut chunk = vec![0; size + 2];
        self.from.read_exact(&mut chunk).unwrap();
        Some(serde_json::from_slice(&chunk).unwrap())
    }

    pub(crate) fn until(&mut self, event: &str) -> Value {
        loop {
            let next = self.next().unwrap_or_else(|| panic!("no event {event}"));
            if next["event"] == event {
                return next;
            }
        }
    }

    pub(crate) fn last(&mut self) -> Value {
        let mut last = Value::Null;
        while let Some(event) = self.next() {
            last = event;
        }
        last
    }
}

/// Metadata of the generation after a record, if nothing else changes.
pub(crate) fn after(file: &[u8]) -> Value {
    let record = signet_envelope::Record::parse(file).unwrap();
    let mut meta: Value = serde_json::from_slice(record.meta()).unwrap();
    meta["epoch"] = json!(meta["epoch"].as_u64().unwrap() + 1);
    meta["previous"] = json!(signet_envelope::hex(&record.header_sha256()));
    meta
}

/// A record with this metadata, sealed to its recipients (all of which are the played token's key).
pub(crate) fn sealed(meta: &Value) -> Vec<u8> {
    // The agent compares what it means; the order of its members is the record's own affair.
    let key = PublicKey::from_bytes(&STANDARD.decode(POINT).unwrap()).unwrap();
    let keys = vec![key; meta["recipients"].as_array().unwrap().len()];
    signet_envelope::seal(meta.to_string().as_bytes(), &keys, b"{}").unwrap()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn played(serial: &str) -> Value {
    json!({"serial":serial,"label":"played"})
}

/// The signer's question for a passphrase or a code.
pub(crate) fn prompt(number: u32, kind: &str, serial: &str) -> Value {
    json!({"event":"prompt","number":number,"kind":kind,"text":null,"tries_left":null,
        "token":played(serial),"public_key":"BA=="})
}

pub(crate) fn touch(n: u32, of: u32, serial: &str) -> Value {
    json!({"event":"touch","n":n,"of":of,"token":played(serial),"seconds":15})
}

pub(crate) fn use_of(key: &str, act: &Value) -> Value {
    json!({"version":1,"key":key,"act":act,"reason":null,"may_ask":true,"lease":null})
}

/// A request that the preset `root-only-tasks` allows.
pub(crate) fn identity() -> Value {
    sign("Action=GetCallerIdentity&Version=2011-06-15")
}

pub(crate) fn sign(form: &str) -> Value {
    json!({"sign":{
        "service":"sts","region":"us-east-1","method":"POST","url":"https://sts.us-east-1.amazonaws.com/",
        "headers":[["content-type","application/x-www-form-urlencoded"]],
        "body":STANDARD.encode(form),
    }})
}

pub(crate) fn http(method: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: signet\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn split(answer: &[u8]) -> (u16, Vec<u8>) {
    let text = String::from_utf8_lossy(answer);
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.as_bytes().to_vec())
}

/// The agent's program and its players, in a folder that is only ours.
fn folder(config: &str) -> std::rc::Rc<tempfile::TempDir> {
    let made = tempfile::tempdir().unwrap();
    let folder = made.path();
    let bin = folder.join("bin");
    std::fs::create_dir(&bin).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_signet-agent"));
    // A link keeps `/proc/self/exe` in this folder; where it cannot be made, a copy does.
    if std::fs::hard_link(program, bin.join("signet-agent")).is_err() {
        std::fs::copy(program, bin.join("signet-agent")).unwrap();
    }
    play(folder, "signet-enrol", "enrols");
    play(folder, "signet-signer", "dies");
    std::fs::write(folder.join("agent.toml"), config).unwrap();
    std::rc::Rc::new(made)
}

fn play(folder: &Path, program: &str, player: &str) {
    let player = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/players").join(player);
    let (aside, place) = (folder.join("bin/aside"), folder.join("bin").join(program));
    std::os::unix::fs::symlink(player, &aside).unwrap();
    std::fs::rename(aside, place).unwrap();
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(folder.join("bin/signet-agent"));
    command
        .env_clear()
        .env("HOME", folder)
        .arg("--config")
        .arg(folder.join("agent.toml"))
        .arg("--socket")
        .arg(folder.join("run/agent.sock"))
        .arg("--state-dir")
        .arg(folder.join("state"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Looks again and again until it is so.
pub(crate) fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "waited in vain for {what}");
        std::thread::yield_now();
    }
}
