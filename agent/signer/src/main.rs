//! `signet-signer`: starts, reads its order, runs one use beside a clock, tells the outcome, ends.
//!
//! The use runs on a thread of its own, because a call into the PC/SC library blocks and cannot be
//! cancelled: this thread ends the process when the time is over or the agent has gone, a moment after
//! the use could have ended by itself.

#![forbid(unsafe_code)]

use signet_protocol::child::{CHILD_ARGUMENT, CodeFate, Outcome};
use signet_protocol::refusal::{Code, Refusal};
use signet_signer::conversation::{self, Conversation};
use signet_signer::{course, harden};
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often the main thread looks whether the agent is still there.
const LOOK: Duration = Duration::from_millis(100);

/// How long a use may take to let go of an authenticator when the time is over or nobody listens any more.
const LET_GO: Duration = Duration::from_millis(300);

/// Stack of the thread of the use: small, because all of it is locked into memory.
const STACK: usize = 512 * 1024;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let for_agent = arguments.next().is_some_and(|word| word == CHILD_ARGUMENT) && arguments.next().is_none();
    if !for_agent || std::io::stdin().is_terminal() {
        eprintln!("signet: error: signet-signer is started by signet-agent, not by hand");
        eprintln!("signet: hint: signet --help");
        return ExitCode::from(Code::Usage.exit());
    }
    if harden::process().is_err() {
        return ExitCode::FAILURE;
    }
    let outcome = match conversation::read_order() {
        Ok((order, input)) => {
            harden::pcsc_socket(&order.places.pcsc_socket);
            let deadline = Instant::now() + Duration::from_millis(order.deadline_ms);
            let (tell, told) = mpsc::channel();
            let talk = Conversation::new(&order, input);
            let use_of_key = move || {
                let mut talk = talk;
                // The receiver is gone only when the process is about to end.
                let _ = tell.send(course::run(&order, deadline, &mut talk));
            };
            match std::thread::Builder::new().stack_size(STACK).spawn(use_of_key) {
                Ok(_) => wait(&told, deadline),
                Err(_) => refused(Refusal::bare(Code::Internal, "the signer could not start its use")),
            }
        }
        Err(refusal) => refused(refusal),
    };
    match conversation::tell(outcome) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The outcome of the use, or of the clock, or of an agent that has gone.
fn wait(told: &mpsc::Receiver<Outcome>, deadline: Instant) -> Outcome {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match told.recv_timeout(left.min(LOOK)) {
            Ok(outcome) => return outcome,
            Err(RecvTimeoutError::Disconnected) => {
                return refused(Refusal::bare(Code::Internal, "the use ended without an outcome"));
            }
            Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                return last_word(told, Refusal::bare(Code::Timeout, "the time for this use is over"));
            }
            Err(RecvTimeoutError::Timeout) if conversation::is_hung_up() => {
                return last_word(told, Refusal::bare(Code::Interrupted, "the use was cancelled"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// A use that ends by itself says more than the clock.
fn last_word(told: &mpsc::Receiver<Outcome>, otherwise: Refusal) -> Outcome {
    told.recv_timeout(LET_GO).unwrap_or_else(|_| refused(otherwise))
}

fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused { refusal, token: None, code: CodeFate::Unchecked }
}
