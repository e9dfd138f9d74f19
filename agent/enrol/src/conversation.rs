//! The pipes to the agent: one order in, events out, and answers that only this process can open.
//!
//! Promises: each question has a key pair of its own, spent by its answer; an answer opens only for
//! the act, the question and the request that the person saw (RFC 9180, `info` as in
//! [`signet_protocol::prompt::answer_info`]); nothing waits longer than the order's deadline; the end
//! of standard input is the end of the act. Must not know: tokens.
//!
//! The signer has a conversation of its own: it speaks the same wire, but has other things to say,
//! and neither program should depend on the other.

use base64::{Engine, engine::general_purpose::STANDARD};
use rustix::event::{PollFd, PollFlags, Timespec};
use signet_envelope::{Secret, hpke::OneTimeKey};
use signet_protocol::child::{ChildAnswer, EnrolAct, EnrolOrder, Event, Prompt, TokenName, WaitingFor};
use signet_protocol::{Code, PromptKind, Refusal, VERSION, prompt};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// Longest line that is read: an order holds a request of 64 KiB, escaped as a JSON string.
const LINE_LIMIT: usize = 256 * 1024;
/// How long the order may take to arrive; the agent writes it at once.
const ORDER_WAIT: Duration = Duration::from_secs(5);

/// Lines from the agent, read with a deadline.
pub(crate) struct Lines {
    input: OwnedFd,
    read: Vec<u8>,
}

impl Lines {
    /// The lines of standard input.
    pub(crate) fn of_stdin() -> Result<Self, Refusal> {
        let input =
            io::stdin().as_fd().try_clone_to_owned().map_err(|_| internal("standard input is closed"))?;
        Ok(Self { input, read: Vec::new() })
    }

    /// The order: the first line.
    pub(crate) fn order(&mut self) -> Result<EnrolOrder, Refusal> {
        let line = self.next(Instant::now() + ORDER_WAIT)?;
        let order: EnrolOrder =
            serde_json::from_slice(&line).map_err(|_| internal("the order was not understood"))?;
        if order.version != VERSION {
            return Err(internal("the order has another version than this program"));
        }
        Ok(order)
    }

    /// The next line, without its end.
    fn next(&mut self, until: Instant) -> Result<Vec<u8>, Refusal> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.read.drain(..=end).collect();
                line.pop();
                return Ok(line);
            }
            if self.read.len() > LINE_LIMIT {
                return Err(internal("a line from the agent is too long"));
            }
            self.wait(until)?;
            let mut chunk = [0; 4096];
            let got = rustix::io::read(&self.input, &mut chunk).map_err(|_| gone())?;
            match chunk.get(..got) {
                Some([]) | None => return Err(gone()),
                Some(bytes) => self.read.extend_from_slice(bytes),
            }
        }
    }

    /// Whether the other end is closed.
    fn is_hung_up(&self) -> bool {
        let mut fds = [PollFd::new(&self.input, PollFlags::empty())];
        rustix::event::poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok()
            && fds.iter().any(|fd| fd.revents().intersects(PollFlags::HUP | PollFlags::ERR))
    }

    /// Returns when there is something to read, refuses when time is up.
    fn wait(&self, until: Instant) -> Result<(), Refusal> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).map_err(|_| internal("the deadline is out of range"))?;
            let mut fds = [PollFd::new(&self.input, PollFlags::IN)];
            match rustix::event::poll(&mut fds, Some(&left)) {
                Ok(0) => return Err(Refusal::bare(Code::Timeout, "nobody answered in time")),
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return Err(gone()),
            }
        }
    }
}

/// What is asked of the person.
pub(crate) struct Question<'a> {
    /// Kind of question.
    pub(crate) kind: PromptKind,
    /// What the kind alone does not say.
    pub(crate) text: String,
    /// Tries left, where the token tells.
    pub(crate) tries_left: Option<u8>,
    /// The token it is about.
    pub(crate) token: &'a TokenName,
}

/// One act's conversation.
pub(crate) struct Conversation {
    use_id: String,
    subject: [u8; 32],
    may_ask: bool,
    /// The command to type where questions can be answered.
    again: String,
    until: Instant,
    asked: u32,
    lines: Lines,
}

impl Conversation {
    /// The conversation of `order`, whose answers come on `lines`.
    pub(crate) fn new(order: &EnrolOrder, lines: Lines) -> Self {
        let subject = signet_envelope::sha256(&prompt::subject_input("", order.request.as_bytes()));
        let until = Instant::now() + Duration::from_millis(order.deadline_ms);
        let again = match &order.act {
            EnrolAct::List => "signet token list".to_owned(),
            EnrolAct::Enrol { .. } => "signet token enrol".to_owned(),
            EnrolAct::Credential { key, .. } => format!("signet factor add fido2 --key {key}"),
            EnrolAct::Info { serial } => format!("signet token info {serial}"),
            EnrolAct::Pin { serial } => format!("signet token pin {serial}"),
            EnrolAct::Unblock { serial } => format!("signet token unblock {serial}"),
        };
        Self { use_id: order.use_id.clone(), subject, may_ask: order.may_ask, again, until, asked: 0, lines }
    }

    /// Refuses `no_prompt` where no question can be asked: called before anything is changed.
    pub(crate) fn must_ask(&self, what: &str) -> Result<(), Refusal> {
        if self.may_ask {
            return Ok(());
        }
        let message = format!("{what}, and there is nowhere to ask: run it in a terminal");
        Err(Refusal::new(Code::NoPrompt, message, self.again.as_str()))
    }

    /// Says that the next call may block on the card.
    pub(crate) fn waiting(&self, tokens: &[TokenName]) -> Result<(), Refusal> {
        say(&Event::Waiting { what: WaitingFor::Card, tokens: tokens.to_vec() })
    }

    /// Says that the authenticator waits for a touch, which of how many.
    pub(crate) fn touch(&self, n: u32, of: u32, token: &TokenName, seconds: u32) -> Result<(), Refusal> {
        say(&Event::Touch { n, of, token: token.clone(), seconds })
    }

    /// Says that the touch is over, given or not.
    pub(crate) fn touched(&self) -> Result<(), Refusal> {
        say(&Event::Touched)
    }

    /// When the act must be over.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    /// Whether nobody can answer any more.
    pub(crate) fn is_hung_up(&self) -> bool {
        self.lines.is_hung_up()
    }

    /// Asks, and gives the answer as it was typed.
    ///
    /// # Errors
    /// `interrupted` when the person cancelled; `no_prompt`, `timeout`, `internal`.
    pub(crate) fn ask(&mut self, question: Question<'_>) -> Result<Secret, Refusal> {
        self.put(question)?.ok_or_else(|| Refusal::bare(Code::Interrupted, "cancelled"))
    }

    /// Asks yes or no. Cancelling is no.
    pub(crate) fn confirm(&mut self, text: String, token: &TokenName) -> Result<bool, Refusal> {
        let question = Question { kind: PromptKind::Confirm, text, tries_left: None, token };
        Ok(self.put(question)?.is_some_and(|answer| answer.as_slice() == b"yes"))
    }

    fn put(&mut self, question: Question<'_>) -> Result<Option<Secret>, Refusal> {
        self.must_ask("a question has to be answered")?;
        let key = OneTimeKey::new().map_err(|_| internal("the system gave no random bytes"))?;
        self.asked = self.asked.saturating_add(1);
        say(&Event::Prompt(Prompt {
            number: self.asked,
            kind: question.kind,
            text: Some(question.text),
            tries_left: question.tries_left,
            token: Some(question.token.clone()),
            public_key: STANDARD.encode(key.public()),
        }))?;
        let line = self.lines.next(self.until)?;
        let answer: ChildAnswer =
            serde_json::from_slice(&line).map_err(|_| internal("an answer was not understood"))?;
        if answer.number != self.asked {
            return Err(internal("an answer belongs to another question"));
        }
        let Some(sealed) = answer.sealed else { return Ok(None) };
        let sealed = STANDARD.decode(sealed).map_err(|_| internal("an answer is not base64"))?;
        let info = prompt::answer_info(&self.use_id, self.asked, question.kind, &self.subject);
        let opened = key
            .open(&info, &sealed)
            .map_err(|_| Refusal::bare(Code::BadRequest, "an answer was not sealed to its question"))?;
        Ok(Some(opened))
    }
}

/// Writes one event as a line.
///
/// # Errors
/// `interrupted` when nobody reads any more.
pub(crate) fn say(event: &Event) -> Result<(), Refusal> {
    let mut line = serde_json::to_vec(event).map_err(|_| internal("an event could not be written"))?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line).and_then(|()| out.flush()).map_err(|_| gone())
}

fn gone() -> Refusal {
    Refusal::bare(Code::Interrupted, "the agent is gone")
}

fn internal(message: &str) -> Refusal {
    Refusal::bare(Code::Internal, message)
}
