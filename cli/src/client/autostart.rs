//! Starting the personal agent that nobody has started yet.
//!
//! Promises: only for the personal default socket; only the program beside our own, never one found by
//! PATH; nothing of our environment but what the agent needs to find its directories, and none of our
//! descriptors. Who wins a race between two does not matter: the loser connects to the winner.

use super::socket::{Origin, Socket};
use crate::harden;
use signet_protocol::{Code, Refusal};
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

/// How long to go on connecting.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often to look.
const STEP: Duration = Duration::from_millis(10);

/// Whether it is ours to start an agent for this socket.
pub(super) fn allowed(socket: &Socket) -> bool {
    socket.origin() == Origin::Personal
        && env::var_os("SIGNET_NO_AUTOSTART").is_none_or(|value| value != "1")
        && ["SIGNET_SOCK", "SIGNET_CONFIG", "SIGNET_STATE_DIR"].iter().all(|name| env::var_os(name).is_none())
}

/// Starts the agent and connects to it.
pub(super) async fn start(socket: &Socket) -> Result<UnixStream, Refusal> {
    let program = beside()?;
    let mut child = spawn(&program)?;
    let until = Instant::now() + PATIENCE;
    loop {
        let error = match UnixStream::connect(socket.path()).await {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        let ended = child.try_wait().ok().flatten();
        // `busy` is the loser of a race: the winner is about to listen
        let lost = ended.is_some_and(|status| status.code() != Some(i32::from(Code::Busy.exit())));
        if lost || Instant::now() >= until {
            return Err(socket.unreachable(&error));
        }
        sleep(STEP).await;
    }
}

/// The agent's program in the directory of ours.
fn beside() -> Result<PathBuf, Refusal> {
    let missing = |what: String| Refusal::bare(Code::NoAgent, what);
    let own = fs::read_link("/proc/self/exe").map_err(|error| missing(format!("/proc/self/exe: {error}")))?;
    let program = own.with_file_name("signet-agent");
    if program.is_file() {
        Ok(program)
    } else {
        Err(missing(format!("no agent listens, and there is no {}", program.display())))
    }
}

fn spawn(program: &std::path::Path) -> Result<Child, Refusal> {
    let kept = env::vars_os().filter(|(name, _)| {
        name == "HOME" || name == "USER" || name.to_str().is_some_and(|name| name.starts_with("XDG_"))
    });
    let mut command = Command::new(program);
    command
        // the agent leaves our session itself, so that it outlives the terminal
        .arg("--detached")
        .env_clear()
        .envs(kept)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    harden::close_inherited(&mut command).spawn().map_err(|error| {
        Refusal::new(Code::NoAgent, format!("{} does not start: {error}", program.display()), "signet-agent")
    })
}
