//! Asking the person, and telling them to touch.
//!
//! Order of the contract: `SIGNET_ASKPASS`; the terminal, when we are in its foreground group; a
//! pinentry that root owns. Promises: an answer is read by `read(2)` into memory that is wiped, never
//! echoed, never a `String`; standard input and output are never used for it; what is set but cannot
//! be used refuses instead of falling through to the next. Must not know what the answer is for.

mod askpass;
mod notice;
mod pinentry;
mod tty;

pub(crate) use notice::Notice;

use crate::clean;
use signet_protocol::{Code, PromptKind, Refusal};
use std::cell::RefCell;
use std::env;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// What the person typed, without line end.
pub(crate) type Answer = Zeroizing<Vec<u8>>;

/// Longest answer in bytes; an `otpauth:` URI is the longest there is.
const LIMIT: usize = 1024;

/// How often a new PIN or passphrase is asked for when the two entries differ.
const ROUNDS: usize = 3;

/// One question.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    kind: PromptKind,
    /// The question itself, one clean line.
    text: String,
    /// What it is about, clean lines; a terminal has shown them already.
    about: String,
}

impl Question {
    /// A question that stands for itself; `text` is cleaned.
    pub(crate) fn new(kind: PromptKind, text: &str) -> Self {
        Self { kind, text: clean::line(text), about: String::new() }
    }

    /// The same with the lines that say what it is about, clean already.
    pub(crate) fn about(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.about);
        self
    }

    /// Everything in one text, for programs that show only one.
    fn whole(&self) -> String {
        if self.about.is_empty() { self.text.clone() } else { format!("{}\n\n{}", self.about, self.text) }
    }
}

/// How the person can be asked.
#[derive(Debug)]
enum Device {
    /// A program of the person's choice.
    Askpass(PathBuf),
    /// The controlling terminal.
    Terminal,
    /// A pinentry.
    Pinentry(PathBuf),
    /// Not at all, and why.
    Nothing(&'static str),
}

/// The way to the person.
pub(crate) struct Prompts {
    device: Device,
    /// An answer that was settled before its question comes.
    prepared: RefCell<Option<(PromptKind, Answer)>>,
}

impl Prompts {
    /// Finds the first way there is.
    pub(crate) fn find() -> Self {
        let device = match env::var_os("SIGNET_ASKPASS").filter(|value| !value.is_empty()).map(PathBuf::from)
        {
            Some(path) if path.is_absolute() => Device::Askpass(path),
            Some(_) => Device::Nothing("SIGNET_ASKPASS is not an absolute path"),
            None if tty::in_foreground() => Device::Terminal,
            None => match pinentry::find() {
                Ok(Some(path)) => Device::Pinentry(path),
                Ok(None) => {
                    Device::Nothing("there is no terminal, no pinentry, and SIGNET_ASKPASS is not set")
                }
                Err(why) => Device::Nothing(why),
            },
        };
        Self { device, prepared: RefCell::default() }
    }

    /// `--no-prompt`.
    pub(crate) fn none() -> Self {
        Self { device: Device::Nothing("--no-prompt was given"), prepared: RefCell::default() }
    }

    /// The pinentry that would be used without askpass and terminal, for `doctor`; the error says what
    /// is wrong with the one that was configured.
    pub(crate) fn pinentry() -> Result<Option<PathBuf>, &'static str> {
        pinentry::find()
    }

    /// Settles the answer to the next question of a kind, which is then not asked.
    pub(crate) fn prepare(&self, kind: PromptKind, answer: Answer) {
        self.prepared.replace(Some((kind, answer)));
    }

    /// Whether there is a way to ask.
    pub(crate) fn available(&self) -> bool {
        !matches!(self.device, Device::Nothing(_))
    }

    /// Where questions go, for `status` and `doctor`.
    pub(crate) fn describe(&self) -> String {
        match &self.device {
            Device::Askpass(path) => format!("askpass {}", path.display()),
            Device::Terminal => "terminal".to_owned(),
            Device::Pinentry(path) => format!("pinentry {}", path.display()),
            Device::Nothing(why) => format!("none: {why}"),
        }
    }

    /// Shows what is about to be asked, where questions do not carry it themselves.
    pub(crate) fn show(&self, lines: &str) {
        if matches!(self.device, Device::Terminal) {
            tty::print(&format!("{lines}\n"));
        }
    }

    /// Asks; what is new is asked twice.
    pub(crate) async fn ask(&self, question: &Question) -> Result<Answer, Refusal> {
        let prepared = self.prepared.borrow_mut().take_if(|(kind, _)| *kind == question.kind);
        if let Some((_, answer)) = prepared {
            return Ok(answer);
        }
        if !is_new(question.kind) {
            return self.ask_once(question).await;
        }
        let mut first = question.clone();
        for _ in 0..ROUNDS {
            let one = self.ask_once(&first).await?;
            let again = Question { text: format!("the same again: {}", question.text), ..question.clone() };
            let two = self.ask_once(&again).await?;
            // both were typed by the same person a moment ago: nothing is learnt from the time it takes
            if *one == *two {
                return Ok(one);
            }
            first.text = format!("the two differ; {}", question.text);
        }
        Err(Refusal::bare(Code::Interrupted, "the two entries differed each time"))
    }

    /// Asks at the terminal or not at all: a token's last try is not for programs to spend.
    pub(crate) async fn ask_at_terminal(&self, question: &Question) -> Result<Answer, Refusal> {
        match self.device {
            Device::Nothing(why) => Err(no_prompt(why)),
            Device::Terminal | Device::Askpass(_) | Device::Pinentry(_) if tty::in_foreground() => {
                if !matches!(self.device, Device::Terminal) && !question.about.is_empty() {
                    tty::print(&format!("{}\n", question.about));
                }
                tty::ask(question).await
            }
            Device::Terminal | Device::Askpass(_) | Device::Pinentry(_) => {
                Err(no_prompt("the last try is spent only with a yes typed at a terminal"))
            }
        }
    }

    /// Tells the person something until the notice is taken away.
    pub(crate) fn notice(&self, kind: notice::Kind, text: &str, about: &str, seconds: Option<u32>) -> Notice {
        let text = clean::line(text);
        match (&self.device, kind) {
            (Device::Terminal, _) => Notice::terminal(text, seconds),
            (Device::Askpass(path), notice::Kind::Touch) => Notice::program(askpass::notice(
                path,
                &Question { kind: PromptKind::Touch, text, about: about.to_owned() },
            )),
            (Device::Pinentry(path), notice::Kind::Touch) => {
                Notice::pinentry(pinentry::notice(path, &format!("{about}\n\n{text}")))
            }
            (Device::Askpass(_) | Device::Pinentry(_), notice::Kind::Waiting) => Notice::talk(&text),
            (Device::Nothing(_), _) => Notice::nothing(),
        }
    }

    async fn ask_once(&self, question: &Question) -> Result<Answer, Refusal> {
        match &self.device {
            Device::Askpass(path) => askpass::ask(path, question).await,
            Device::Terminal => tty::ask(question).await,
            Device::Pinentry(path) => pinentry::ask(path, question).await,
            Device::Nothing(why) => Err(no_prompt(why)),
        }
    }
}

pub(crate) use notice::Kind as NoticeKind;

/// Whether the kind is asked twice.
fn is_new(kind: PromptKind) -> bool {
    matches!(kind, PromptKind::NewPin | PromptKind::NewPuk | PromptKind::NewPassphrase)
}

/// Whether Return alone says yes: the "touch" of a token that has nothing to touch.
fn return_confirms(question: &Question) -> bool {
    question.kind == PromptKind::Confirm && question.text.starts_with("press return")
}

/// The refusal where there is nowhere to ask. The conversation adds the hint, which names the key.
fn no_prompt(why: &str) -> Refusal {
    Refusal::bare(Code::NoPrompt, format!("a question had to be asked: {why}"))
}

/// The person did not answer.
fn cancelled() -> Refusal {
    Refusal::bare(Code::Interrupted, "the question was not answered")
}

/// An answer without its line end; an empty one is none.
fn trimmed(mut answer: Answer) -> Result<Answer, Refusal> {
    if answer.last() == Some(&b'\n') {
        answer.pop();
    }
    if answer.last() == Some(&b'\r') {
        answer.pop();
    }
    if answer.is_empty() { Err(cancelled()) } else { Ok(answer) }
}

/// A yes, as it is sealed.
fn yes() -> Answer {
    Zeroizing::new(b"yes".to_vec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_empty_answer_is_none() {
        for text in ["", "\n", "\r\n"] {
            assert_eq!(trimmed(Zeroizing::new(text.into())).unwrap_err().code, Code::Interrupted);
        }
        assert_eq!(**trimmed(Zeroizing::new(b"12 34\r\n".to_vec())).unwrap(), *b"12 34");
    }

    #[test]
    fn only_the_software_touch_is_answered_by_return() {
        assert!(return_confirms(&Question::new(
            PromptKind::Confirm,
            "press return to sign with the software token"
        )));
        assert!(!return_confirms(&Question::new(PromptKind::Confirm, "one try is left: spend it?")));
        assert!(!return_confirms(&Question::new(PromptKind::Pin, "press return")));
    }

    #[test]
    fn a_hostile_question_is_shown_clean() {
        let shown =
            Question::new(PromptKind::Pin, "pin of \u{1b}]0;x\u{7}token\u{202e}").about("key x").whole();
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']));
        assert!(shown.starts_with("key x\n\n"));
    }
}
