//! A caller that answers at once: it speaks to the agent as the cli does, without being a process.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signet_envelope::{hpke, sha256};
use signet_protocol::api::{Answer, SignRequest, UseAct, UseEvent, UseRequest};
use signet_protocol::child::Prompt;
use signet_protocol::prompt::{answer_info, subject_input};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// One who asks for the same thing again and again.
pub struct Caller {
    socket: PathBuf,
    key: String,
    pin: String,
    request: String,
}

impl Caller {
    pub fn new(socket: &Path, key: &str, pin: &str) -> Self {
        Self { socket: socket.to_owned(), key: key.to_owned(), pin: pin.to_owned(), request: request(key) }
    }

    /// One use, to its signature.
    pub fn signs(&self) {
        match self.last_of(&self.request) {
            UseEvent::Signed(_) => {}
            other => panic!("not signed: {other:?}"),
        }
    }

    /// The agent's share of a use alone: read, made canonical and decided, nothing kept and nobody asked.
    pub fn is_explained(&self) {
        let mut said = String::new();
        self.post("/v1/policy/explain", &self.request).read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }

    /// The last event of a use.
    fn last_of(&self, body: &str) -> UseEvent {
        let mut id = String::new();
        // The other lines are the header's and the sizes of the chunks (RFC 9112, 7.1).
        let lines = BufReader::new(self.post("/v1/uses", body)).lines().map(Result::unwrap);
        for line in lines.filter(|line| line.starts_with('{')) {
            match serde_json::from_str(&line).unwrap() {
                UseEvent::Accepted(accepted) => id = accepted.id,
                UseEvent::Prompt(prompt) => self.answer(&id, &prompt, body),
                UseEvent::Queued { .. }
                | UseEvent::Waiting { .. }
                | UseEvent::Touch { .. }
                | UseEvent::Touched {} => {}
                last @ (UseEvent::Signed(_) | UseEvent::Done { .. } | UseEvent::Refused { .. }) => {
                    return last;
                }
            }
        }
        panic!("the stream ended without a result")
    }

    fn answer(&self, id: &str, prompt: &Prompt, body: &str) {
        let subject = sha256(&subject_input(&self.key, body.as_bytes()));
        let info = answer_info(id, prompt.number, prompt.kind, &subject);
        let public: [u8; 65] = STANDARD.decode(&prompt.public_key).unwrap().try_into().unwrap();
        let sealed = STANDARD.encode(hpke::seal(&public, &info, self.pin.as_bytes()).unwrap());
        let answer = serde_json::to_string(&Answer { number: prompt.number, sealed: Some(sealed) }).unwrap();
        let mut said = String::new();
        self.post(&format!("/v1/uses/{id}/answers"), &answer).read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }

    /// A request on a connection of its own, which the agent closes behind its answer.
    fn post(&self, path: &str, body: &str) -> UnixStream {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: signet\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        stream
    }
}

fn request(key: &str) -> String {
    let sign = SignRequest {
        service: "sts".into(),
        region: "us-east-1".into(),
        method: "POST".into(),
        url: "https://sts.us-east-1.amazonaws.com/".into(),
        headers: vec![("content-type".into(), "application/x-www-form-urlencoded; charset=utf-8".into())],
        body: Some(STANDARD.encode("Action=GetCallerIdentity&Version=2011-06-15")),
    };
    let request = UseRequest {
        version: signet_protocol::VERSION,
        key: key.to_owned(),
        act: UseAct::Sign(sign),
        reason: None,
        may_ask: true,
        lease: None,
    };
    serde_json::to_string(&request).unwrap()
}
