//! Questions through a program of the person's choice (`SIGNET_ASKPASS`).
//!
//! It is run without a shell: the question is its one argument, the kind stands in `SIGNET_PROMPT`, its
//! standard output is the answer. `confirm` is answered by the exit code. `touch` is a notice: the
//! program is ended by SIGTERM when the touch was given.

use super::{Answer, LIMIT, Question, cancelled, trimmed, yes};
use signet_protocol::{Code, PromptKind, Refusal};
use std::io;
use std::path::Path;
use std::process::Stdio;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStdout, Command};
use zeroize::Zeroizing;

/// Asks one question.
pub(super) async fn ask(path: &Path, question: &Question) -> Result<Answer, Refusal> {
    let mut child = start(path, question).map_err(|error| broken(path, &error))?;
    let answer = match child.stdout.take() {
        Some(mut stdout) => read(&mut stdout).await.map_err(|error| broken(path, &error))?,
        None => Answer::default(),
    };
    let status = child.wait().await.map_err(|error| broken(path, &error))?;
    if !status.success() {
        return Err(cancelled());
    }
    if question.kind == PromptKind::Confirm { Ok(yes()) } else { trimmed(answer) }
}

/// Shows a notice; the child is ended by who holds it.
pub(super) fn notice(path: &Path, question: &Question) -> io::Result<Child> {
    start(path, question)
}

fn start(path: &Path, question: &Question) -> io::Result<Child> {
    let stdout = if question.kind == PromptKind::Touch { Stdio::null() } else { Stdio::piped() };
    Command::new(path)
        .arg(question.whole())
        .env("SIGNET_PROMPT", question.kind.name())
        .stdin(Stdio::null())
        .stdout(stdout)
        .kill_on_drop(true)
        .spawn()
}

/// Everything the program prints, up to the cap.
async fn read(stdout: &mut ChildStdout) -> io::Result<Answer> {
    // room for everything from the start: growing would leave a copy behind
    let mut answer = Zeroizing::new(Vec::with_capacity(2 * LIMIT));
    let mut buffer = Zeroizing::new([0_u8; LIMIT]);
    loop {
        let count = stdout.read(buffer.as_mut_slice()).await?;
        let got = buffer.get(..count).unwrap_or_default();
        if got.is_empty() {
            return Ok(answer);
        }
        answer.extend_from_slice(got);
        if answer.len() > LIMIT {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the answer is too long"));
        }
    }
}

fn broken(path: &Path, error: &io::Error) -> Refusal {
    Refusal::bare(Code::NoPrompt, format!("SIGNET_ASKPASS {}: {error}", path.display()))
}
