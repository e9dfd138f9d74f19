//! The start of the agent: every check, in the order in which a failure leaves nothing behind.
//!
//! Promises: the process is hardened before anything of outside is looked at; the vault is ours before
//! the log is opened, and the socket comes last. Must not know: what is served.

#![forbid(unsafe_code)]

use crate::audit::Log;
use crate::config::Config;
use crate::config::paths::{Environment, Flags, Places};
use crate::flags::Serve;
use crate::peer::{Admits, own_uid};
use crate::pipeline::approving;
use crate::pipeline::house::{self, House, OpenUses};
use crate::queue::Queue;
use crate::serve::socket::{NoSocket, Reach, Socket};
use crate::serve::{End, serve};
use crate::sessions::Sessions;
use crate::signer::Programs;
use crate::vault::Vault;
use crate::{clock, harden, policy};
use signet_protocol::rule::PolicyFile;
use signet_protocol::{Code, Refusal};
use std::cell::RefCell;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Why the agent does not run.
#[derive(Debug)]
pub struct Failed {
    /// Exit status.
    pub exit: u8,
    /// What happened.
    pub message: String,
    /// What to type next.
    pub hint: Option<String>,
}

impl Failed {
    fn plain(message: impl Into<String>) -> Self {
        Self { exit: Code::Internal.exit(), message: message.into(), hint: None }
    }

    /// The command line was not understood.
    #[must_use]
    pub fn usage(message: String) -> Self {
        Self { exit: Code::Usage.exit(), message, hint: Some("signet-agent --help".to_owned()) }
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self { exit: refusal.code.exit(), message: refusal.message, hint: refusal.hint }
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::plain(error.to_string())
    }
}

impl From<NoSocket> for Failed {
    fn from(error: NoSocket) -> Self {
        match error {
            NoSocket::Live(message) => {
                Self { exit: Code::Busy.exit(), message, hint: Some("signet status".to_owned()) }
            }
            NoSocket::Unfit(message) => Self::plain(message),
        }
    }
}

/// An agent that has passed every check but the last: its socket.
pub struct Ready {
    house: House,
    passed: Option<UnixListener>,
    reach: Reach,
    admits: Admits,
    idle: Option<Duration>,
}

/// Makes everything ready.
///
/// # Errors
/// The first check that fails.
pub fn ready(flags: &Serve) -> Result<Ready, Failed> {
    let layers = harden::harden();
    let passed = harden::inherited_socket().map_err(Failed::plain)?;
    if flags.detached {
        // Fails only for the leader of a process group, who has left its session already.
        let _led = rustix::process::setsid();
    }
    let named = Flags {
        config: flags.config.clone(),
        socket: flags.socket.clone(),
        state_dir: flags.state_dir.clone(),
    };
    let places = Places::find(&named, &Environment::read())?;
    let config = Config::load(places.config.as_deref()).map_err(Refusal::from)?;
    if let Some(missing) = harden::missing(&layers).filter(|_| config.harden.require) {
        return Err(Failed::plain(format!("hardening is required and not in force: {missing}")));
    }
    let narrowing = narrowing(&places.config_dir, &config)?;
    let programs = Programs::find().map_err(Failed::plain)?;
    let mut vault = Vault::open(&places.state_dir).map_err(Refusal::from)?;
    let (mut log, recovery) = Log::open(&places.state_dir.join("audit"), &config.audit.anchor, clock::now())
        .map_err(Refusal::from)?;
    if recovery.cut > 0 || !recovery.unfinished.is_empty() {
        let unfinished = recovery.unfinished.len();
        eprintln!(
            "signet-agent: the log was recovered: {} bytes cut, {unfinished} uses without an end",
            recovery.cut
        );
    }
    let deed = log.last(house::is_deed).map_err(Refusal::from)?;
    vault.resume(log.head().seq, deed).map_err(Refusal::from)?;
    // Only now it is clear which act came to its end.
    let enrolled = |key: &str| Some(approving(&vault.record(key).ok()?.meta).cloned().collect());
    log.note_unfinished(recovery.unfinished, enrolled, clock::now()).map_err(Refusal::from)?;
    vault.noted(log.head().seq);
    if let Err(stale) = vault.check_fresh() {
        // It serves all the same: somebody has to tell why nothing works, and show the log.
        eprintln!("signet-agent: error: {}", Refusal::from(stale));
    }
    let (reach, admits) = if places.system {
        (Reach::Group, Admits::Connected)
    } else {
        (Reach::Owner, Admits::Only(own_uid()))
    };
    let house = House {
        socket: places.socket.clone(),
        places,
        config,
        narrowing,
        vault: RefCell::new(vault),
        log: RefCell::new(log),
        sessions: Sessions::default(),
        queue: Queue::default(),
        programs,
        uses: OpenUses::default(),
        layers,
        started: Instant::now(),
        stop: watch::channel(false).0,
    };
    Ok(Ready { house, passed, reach, admits, idle: flags.idle })
}

impl Ready {
    /// Listens, and serves until a signal, the idle time, or the loss of the socket. Signals are
    /// waited for before there is a socket that one of them could leave behind.
    ///
    /// # Errors
    /// When the socket cannot be had, or is no longer ours.
    pub async fn run(self) -> Result<(), Failed> {
        let Self { mut house, passed, reach, admits, idle } = self;
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let socket = match passed {
            Some(listener) => Socket::passed(listener)?,
            None => Socket::bind(&house.places.socket, reach)?,
        };
        house.socket = socket.path().to_owned();
        let house = Rc::new(house);
        let stopped = Rc::clone(&house);
        tokio::task::spawn_local(async move {
            tokio::select! {
                _signal = terminate.recv() => {}
                _signal = interrupt.recv() => {}
            }
            stopped.stop.send_replace(true);
        });
        match serve(house, &socket, admits, idle).await? {
            End::Told | End::Idle => Ok(()),
            End::Lost => Err(Failed::plain(format!(
                "{} is no longer this agent's socket: stopped",
                socket.path().display()
            ))),
        }
    }
}

/// The policy file: one that is named must be there, the default one may be missing.
fn narrowing(config_dir: &Path, config: &Config) -> Result<Option<(PathBuf, PolicyFile)>, Failed> {
    let path = config_dir.join(&config.policy.file);
    match read_policy(&path) {
        Ok(rules) => Ok(Some((path, rules))),
        Err(PolicyTrouble::Absent) if !config.policy.named => Ok(None),
        Err(PolicyTrouble::Absent) => Err(Failed::plain(format!("{} is not there", path.display()))),
        Err(PolicyTrouble::Wrong(failed)) => Err(failed),
    }
}

enum PolicyTrouble {
    Absent,
    Wrong(Failed),
}

fn read_policy(path: &Path) -> Result<PolicyFile, PolicyTrouble> {
    let text = crate::config::read_file(path)
        .map_err(|error| PolicyTrouble::Wrong(Refusal::from(error).into()))?
        .ok_or(PolicyTrouble::Absent)?;
    policy::parse(&text).map_err(|error| {
        let place = error.line.map_or_else(String::new, |line| format!(":{line}"));
        let message = format!("{}{place}: {}", path.display(), error.message);
        PolicyTrouble::Wrong(Failed { exit: Code::Usage.exit(), message, hint: None })
    })
}

/// `signet-agent check`: the daemon's own reading of its files, and nothing else.
///
/// # Errors
/// What is wrong, with file and line.
pub fn check(config: Option<&Path>, policy: Option<&Path>) -> Result<(), Failed> {
    let (config, config_dir) = match config {
        Some(path) => {
            let directory = path.parent().unwrap_or(Path::new("")).to_owned();
            (Config::load(Some(path)).map_err(Refusal::from)?, directory)
        }
        None => {
            let places = Places::find(&Flags::default(), &Environment::read())?;
            (Config::load(places.config.as_deref()).map_err(Refusal::from)?, places.config_dir)
        }
    };
    let found = match policy {
        None => narrowing(&config_dir, &config)?.map(|(path, _rules)| path),
        Some(path) => match read_policy(path) {
            Ok(_rules) => Some(path.to_owned()),
            Err(PolicyTrouble::Absent) => {
                return Err(Failed::plain(format!("{} is not there", path.display())));
            }
            Err(PolicyTrouble::Wrong(failed)) => return Err(failed),
        },
    };
    match found {
        Some(path) => println!("agent.toml and {} are sound", path.display()),
        None => println!("agent.toml is sound; there is no policy file"),
    }
    Ok(())
}
