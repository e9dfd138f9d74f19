//! The agent's and the person's side of one act: an order in, a script of answers, an outcome out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs, dead_code)]

use base64::{Engine, engine::general_purpose::STANDARD};
use signet_protocol::child::{
    CHILD_ARGUMENT, ChildAnswer, EnrolAct, EnrolOrder, Event, Managed, Outcome, Places, Seen, Token,
};
use signet_protocol::record::Recipient;
use signet_protocol::{Code, PromptKind, Refusal, VERSION, prompt};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

/// What the person answers, in the order of the questions; `None` is a cancelled one.
pub type Script<'a> = &'a [(PromptKind, Option<&'a str>)];

/// An act to be done.
pub struct Act {
    pub order: EnrolOrder,
}

/// How it ended, and what was said on the way.
#[derive(Debug)]
pub struct Ended {
    pub events: Vec<Event>,
    pub outcome: Outcome,
}

impl Act {
    /// An act of a kind, with nothing enrolled yet.
    pub fn new(kind: &str, act: EnrolAct) -> Self {
        let order = EnrolOrder {
            version: VERSION,
            use_id: "use-1".to_owned(),
            request: r#"{"version":1}"#.to_owned(),
            act,
            kinds: vec![kind.to_owned()],
            enrolled: Vec::new(),
            may_ask: true,
            deadline_ms: 60_000,
            places: Places::default(),
        };
        Self { order }
    }

    /// On this PC/SC service.
    pub fn on(mut self, pcscd: &signet_tests::pcsc::Pcscd) -> Self {
        self.order.places.pcsc_socket = pcscd.socket().to_str().unwrap().to_owned();
        self
    }

    /// With software tokens in this directory.
    pub fn in_dir(mut self, dir: &std::path::Path) -> Self {
        self.order.places.token_dir = dir.to_str().unwrap().to_owned();
        self
    }

    /// With nobody to ask.
    pub fn alone(mut self) -> Self {
        self.order.may_ask = false;
        self
    }

    /// With tokens that the vault knows.
    pub fn knowing(mut self, enrolled: &[Recipient]) -> Self {
        self.order.enrolled = enrolled.to_vec();
        self
    }

    /// Does it; each question must be the script's next one.
    pub fn answer(&self, script: Script<'_>) -> Ended {
        let mut running = self.start();
        let mut left = script.iter();
        let mut events = Vec::new();
        while let Some(event) = running.next() {
            if let Event::Prompt(asked) = &event {
                let (kind, answer) = left.next().unwrap_or_else(|| panic!("not in the script: {asked:?}"));
                assert_eq!(asked.kind, *kind, "{asked:?}");
                running.reply(self, asked.number, asked.kind, &asked.public_key, *answer);
            }
            if let Event::Outcome(outcome) = event {
                assert_eq!(left.next(), None, "never asked; it ended with {outcome:?}");
                return Ended { events, outcome };
            }
            events.push(event);
        }
        panic!("the child ended without an outcome after {events:?}")
    }

    /// Starts it and sends the order.
    pub fn start(&self) -> Running {
        let mut child = Command::new(env!("CARGO_BIN_EXE_signet-enrol"))
            .arg(CHILD_ARGUMENT)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut running = Running { child, lines };
        running.line(&serde_json::to_string(&self.order).unwrap());
        running
    }
}

/// A child at work; killed when dropped.
pub struct Running {
    pub child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Running {
    /// The next event; none when the child has ended.
    pub fn next(&mut self) -> Option<Event> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
        }
    }

    /// Writes a line to the child.
    pub fn line(&mut self, text: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{text}").unwrap();
    }

    /// Answers a question as the cli would, sealed.
    pub fn reply(&mut self, act: &Act, number: u32, kind: PromptKind, key: &str, answer: Option<&str>) {
        let sealed = answer.map(|typed| {
            let subject = signet_envelope::sha256(&prompt::subject_input("", act.order.request.as_bytes()));
            let info = prompt::answer_info(&act.order.use_id, number, kind, &subject);
            let key: [u8; 65] = STANDARD.decode(key).unwrap().try_into().unwrap();
            STANDARD.encode(signet_envelope::hpke::seal(&key, &info, typed.as_bytes()).unwrap())
        });
        self.line(&serde_json::to_string(&ChildAnswer { number, sealed }).unwrap());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // it has ended already, unless a test failed
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The token that was enrolled, and the warnings.
    pub fn enrolled(self) -> (Token, Vec<String>) {
        match self.outcome {
            Outcome::Managed(Managed::Enrolled { token, warnings }) => (token, warnings),
            other => panic!("not enrolled: {other:?}"),
        }
    }

    /// The refusal.
    pub fn refused(self) -> Refusal {
        match self.outcome {
            Outcome::Refused { refusal, .. } => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// The refusal's code.
    pub fn code(self) -> Code {
        self.refused().code
    }

    /// The tokens that were seen.
    pub fn seen(self) -> Vec<Seen> {
        match self.outcome {
            Outcome::Managed(Managed::Seen { tokens }) => tokens,
            other => panic!("nothing seen: {other:?}"),
        }
    }

    /// That it is done.
    pub fn done(self) {
        assert_eq!(self.outcome, Outcome::Managed(Managed::Done));
    }

    /// Texts of the questions.
    pub fn questions(&self) -> Vec<(PromptKind, String, Option<u8>)> {
        let asked = |event: &Event| match event {
            Event::Prompt(prompt) => {
                Some((prompt.kind, prompt.text.clone().unwrap_or_default(), prompt.tries_left))
            }
            _ => None,
        };
        self.events.iter().filter_map(asked).collect()
    }
}

/// Order of an enrolment without wishes.
pub fn enrol() -> EnrolAct {
    EnrolAct::Enrol { kind: None, serial: None, slot: None, label: "desk".to_owned() }
}
