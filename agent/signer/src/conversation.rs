//! The signer's half of the conversation: events and prompts out, sealed answers in, and the word that a
//! counter or a generation is durable; one JSON line each (`signet_protocol::child`).
//!
//! Promises: each question has a number and a one-time key of its own, and an answer opens only for
//! that question, this use, and the request the person saw. An answer in the clear stands in memory
//! that is wiped. Lines are read from the descriptor itself, with caps, so nothing is read ahead into
//! a buffer of the standard library. The end of the input means that the person, or the agent, has
//! gone.
//!
//! Must not know what is asked, or why.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signet_envelope::hpke::OneTimeKey;
use signet_envelope::{Secret, sha256};
use signet_protocol::PromptKind;
use signet_protocol::approval::Proof;
use signet_protocol::child::{
    ChildAnswer, ChildKept, ChildStored, CodeFate, Event, Order, Outcome, Prompt, TokenName, WaitingFor,
};
use signet_protocol::prompt::{answer_info, subject_input};
use signet_protocol::refusal::{Code, Refusal};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::ops::Deref;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

/// Cap on the order: a record and a request of 64 KiB each, as base64 and as JSON in JSON, and some
/// dozens of other records of usual size.
const ORDER_LIMIT: usize = 1024 * 1024;

/// Cap on an answer line; what is typed is short.
const ANSWER_LIMIT: usize = 8 * 1024;

/// What a person typed. Not `Debug`; wiped on drop.
pub struct Typed(Secret);

impl Deref for Typed {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Typed {
    /// Whether a `confirm` was answered with yes.
    #[must_use]
    pub fn is_yes(&self) -> bool {
        **self == *b"yes"
    }
}

/// A question, as far as its asker decides it.
pub struct Question {
    /// Kind.
    pub kind: PromptKind,
    /// What to ask, where the kind does not say it.
    pub text: Option<String>,
    /// Tries left, where the token tells.
    pub tries_left: Option<u8>,
    /// The token, where it is about one.
    pub token: Option<TokenName>,
}

/// Lines of a descriptor, each up to a cap.
pub struct Input {
    source: File,
    pending: Vec<u8>,
}

impl Input {
    /// Reads from `source` and from nothing else.
    #[must_use]
    pub const fn new(source: File) -> Self {
        Self { source, pending: Vec::new() }
    }

    /// The next line without its end; `None` at the end of the input.
    fn line(&mut self, limit: usize) -> io::Result<Option<Vec<u8>>> {
        let mut looked = 0;
        loop {
            if let Some(at) = self.pending.iter().skip(looked).position(|byte| *byte == b'\n') {
                let rest = self.pending.split_off(looked + at + 1);
                let mut line = std::mem::replace(&mut self.pending, rest);
                line.pop();
                return Ok(Some(line));
            }
            looked = self.pending.len();
            if looked > limit {
                return Err(io::Error::other("a line is too long"));
            }
            let mut block = [0; 4096];
            let got = match self.source.read(&mut block) {
                Ok(0) => return Ok(None),
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.pending.extend(block.iter().take(got));
        }
    }
}

/// Reads the order from standard input, and gives the input for the answers that follow.
///
/// # Errors
/// When it is not one: the reason is for the agent's log.
pub fn read_order() -> Result<(Order, Input), Refusal> {
    let source = io::stdin().as_fd().try_clone_to_owned().map_err(|_| bad_order("there is no input"))?;
    let mut input = Input::new(File::from(source));
    let line = input.line(ORDER_LIMIT).ok().flatten().ok_or_else(|| bad_order("no whole line came"))?;
    let order = serde_json::from_slice(&line).map_err(|_| bad_order("it is not an order of this version"))?;
    Ok((order, input))
}

fn bad_order(why: &str) -> Refusal {
    Refusal::bare(Code::Internal, format!("the signer cannot read its order: {why}"))
}

/// Whether nobody can write to standard input any more.
#[must_use]
pub fn is_hung_up() -> bool {
    let stdin = io::stdin();
    let mut watched = [PollFd::new(&stdin, PollFlags::empty())];
    poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok()
        && watched.iter().any(|fd| fd.revents().intersects(PollFlags::HUP | PollFlags::ERR))
}

/// Writes the last line.
///
/// # Errors
/// When the agent has gone.
pub fn tell(outcome: Outcome) -> io::Result<()> {
    write(&Event::Outcome(outcome))
}

/// One line in one write: a pipe keeps lines up to 4 KiB whole.
fn write(event: &Event) -> io::Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

/// The conversation of one use.
pub struct Conversation {
    use_id: String,
    subject: [u8; 32],
    until: Instant,
    asked: u32,
    /// Touches so far, and how many there will be.
    touches: Cell<(u32, u32)>,
    input: Input,
}

impl Conversation {
    /// Begins the conversation that `order` is about.
    #[must_use]
    pub fn new(order: &Order, input: Input) -> Self {
        let subject = sha256(&subject_input(&order.key, order.request.as_bytes()));
        let until = Instant::now() + Duration::from_millis(order.deadline_ms);
        Self { use_id: order.use_id.clone(), subject, until, asked: 0, touches: Cell::new((0, 0)), input }
    }

    /// When the use must be over.
    #[must_use]
    pub const fn until(&self) -> Instant {
        self.until
    }

    /// Says that the next call may block, and on what.
    ///
    /// # Errors
    /// When the agent has gone.
    pub fn waiting(&self, what: WaitingFor, tokens: Vec<TokenName>) -> Result<(), Refusal> {
        self.say(&Event::Waiting { what, tokens })
    }

    /// Adds to the number of touches that this use will take.
    pub fn expect_touches(&self, more: u32) {
        let (n, of) = self.touches.get();
        self.touches.set((n, of.saturating_add(more)));
    }

    /// Says that `token` now waits for the next touch.
    ///
    /// # Errors
    /// When the agent has gone.
    pub fn touch(&self, token: TokenName, seconds: u32) -> Result<(), Refusal> {
        let (before, of) = self.touches.get();
        let n = before.saturating_add(1);
        self.touches.set((n, of.max(n)));
        self.say(&Event::Touch { n, of: of.max(n), token, seconds })
    }

    /// Says that the touch is over, given or not.
    ///
    /// # Errors
    /// When the agent has gone.
    pub fn touched(&self) -> Result<(), Refusal> {
        self.say(&Event::Touched)
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// `interrupted` when the person cancels or the agent goes; `internal` for an answer that does
    /// not belong to the question.
    pub fn ask(&mut self, question: Question) -> Result<Typed, Refusal> {
        let Question { kind, text, tries_left, token } = question;
        self.asked += 1;
        let number = self.asked;
        let key = OneTimeKey::new().map_err(|_| not_made())?;
        let public_key = STANDARD.encode(key.public());
        self.say(&Event::Prompt(Prompt { number, kind, text, tries_left, token, public_key }))?;
        let line = self.input.line(ANSWER_LIMIT).map_err(|_| foreign_answer())?.ok_or_else(cancelled)?;
        let answer: ChildAnswer = serde_json::from_slice(&line).map_err(|_| foreign_answer())?;
        if answer.number != number {
            return Err(foreign_answer());
        }
        let sealed = STANDARD.decode(answer.sealed.ok_or_else(cancelled)?).map_err(|_| foreign_answer())?;
        let info = answer_info(&self.use_id, number, kind, &self.subject);
        key.open(&info, &sealed).map(Typed).map_err(|_| foreign_answer())
    }

    /// Tells of an approval that was checked, and waits until its counter is durable.
    ///
    /// # Errors
    /// `interrupted` when the agent goes, which it does where the approval does not hold; `internal` for
    /// another answer.
    pub fn approved(&mut self, proof: Proof, counter: u32) -> Result<(), Refusal> {
        self.say(&Event::Approved(proof))?;
        let line = self.input.line(ANSWER_LIMIT).map_err(|_| foreign_answer())?.ok_or_else(cancelled)?;
        let ChildKept { kept } = serde_json::from_slice(&line).map_err(|_| foreign_answer())?;
        if kept == counter { Ok(()) } else { Err(foreign_answer()) }
    }

    /// Hands over a generation that must be durable, and waits until it is.
    ///
    /// # Errors
    /// `interrupted` when the agent goes, which it does where it could not store it; `internal` for
    /// another answer.
    pub fn store(
        &mut self,
        record: String,
        epoch: u64,
        token: TokenName,
        code: CodeFate,
    ) -> Result<(), Refusal> {
        self.say(&Event::Store { record, token, code })?;
        let line = self.input.line(ANSWER_LIMIT).map_err(|_| foreign_answer())?.ok_or_else(cancelled)?;
        let ChildStored { stored } = serde_json::from_slice(&line).map_err(|_| foreign_answer())?;
        if stored == epoch { Ok(()) } else { Err(foreign_answer()) }
    }

    fn say(&self, event: &Event) -> Result<(), Refusal> {
        write(event).map_err(|_| cancelled())
    }
}

fn cancelled() -> Refusal {
    Refusal::bare(Code::Interrupted, "the use was cancelled")
}

fn foreign_answer() -> Refusal {
    Refusal::bare(Code::Internal, "an answer came that does not belong to the question")
}

fn not_made() -> Refusal {
    Refusal::bare(Code::Internal, "the system gave no random bytes")
}
