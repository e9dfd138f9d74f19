//! A notice that stands until it is taken away: "touch the token now", "waiting for the card".

use super::tty;
use crate::output;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{self, IsTerminal};
use std::time::Duration;
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

/// How long a program that shows a notice may take to go when told to.
const GRACE: Duration = Duration::from_secs(1);

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The token waits for a touch.
    Touch,
    /// Something is waited for.
    Waiting,
}

/// What stands on the screen.
pub(crate) struct Notice {
    form: Form,
}

enum Form {
    Terminal { text: String, until: Option<Instant> },
    Program(Child),
    Nothing,
}

impl Notice {
    pub(super) fn terminal(text: String, seconds: Option<u32>) -> Self {
        let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds.into()));
        Self { form: Form::Terminal { text, until } }
    }

    /// A program that shows it. One that does not start shows nothing; the use goes on, for it is the
    /// touch that counts, and the token blinks.
    pub(super) fn program(child: io::Result<Child>) -> Self {
        match child {
            Ok(child) => Self { form: Form::Program(child) },
            Err(error) => {
                output::talk(&format!("the notice is not shown: {error}"));
                Self::nothing()
            }
        }
    }

    pub(super) fn pinentry(child: io::Result<Child>) -> Self {
        Self::program(child)
    }

    /// For people who look at standard error; the AWS tools would quote it as an error.
    pub(super) fn talk(text: &str) -> Self {
        if io::stderr().is_terminal() {
            output::talk(text);
        }
        Self::nothing()
    }

    pub(super) fn nothing() -> Self {
        Self { form: Form::Nothing }
    }

    /// Keeps the countdown going; never comes to an end.
    pub(crate) async fn count_down(&self) {
        let Form::Terminal { text, until } = &self.form else {
            return std::future::pending().await;
        };
        loop {
            let left =
                until.map(|until| until.saturating_duration_since(Instant::now()).as_secs_f64().round());
            let left = left.map(|seconds| format!(" ({seconds} s)")).unwrap_or_default();
            let room = tty::width().saturating_sub(left.len() + 1);
            let text: String = text.chars().take(room).collect();
            // carriage return and EL (ECMA-48): the line is written over itself
            tty::print(&format!("\r\x1b[K{text}{left}"));
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// Takes it away.
    pub(crate) async fn take_away(mut self) {
        if let Form::Program(child) = &mut self.form {
            terminate(child);
            // one that does not go is killed when it is dropped
            let _ = timeout(GRACE, child.wait()).await;
        }
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        match &mut self.form {
            Form::Terminal { .. } => tty::print("\r\x1b[K"),
            Form::Program(child) => terminate(child),
            Form::Nothing => {}
        }
    }
}

/// SIGTERM, as the contract says; a program that is gone already needs none.
fn terminate(child: &Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::TERM);
    }
}
