//! The agent: whether it answers, how it is started again, and what its configuration leaves open.

use super::Finding;
use super::machine::{Machine, Services, config_dir, word};
use crate::client::{Origin, Socket};
use crate::context::Context;
use signet_protocol::Refusal;
use signet_protocol::api::Status;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// What starts the agent, and so starts it anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeper {
    /// The system's service manager.
    System,
    /// The user's service manager.
    User,
    /// `signet` itself, when nobody listens.
    Signet,
    /// A person.
    Person,
}

impl Keeper {
    /// Finds out from the control group of the agent.
    pub(super) fn of(status: &Status, socket: &Socket) -> Self {
        // what cannot be read tells nothing, and then the socket does
        let group = std::fs::read_to_string(format!("/proc/{}/cgroup", status.pid)).unwrap_or_default();
        Self::told(&group, socket.origin())
    }

    fn told(group: &str, origin: Origin) -> Self {
        let unit = group.lines().any(|line| line.trim_end().ends_with("/signet-agent.service"));
        match (unit, origin) {
            (true, _) if group.contains("/user.slice/") => Self::User,
            (true, _) | (false, Origin::System) => Self::System,
            (false, Origin::Personal) => Self::Signet,
            (false, Origin::Flag | Origin::Environment) => Self::Person,
        }
    }

    /// Ends the agent and starts it with the same files.
    pub(super) fn restart(self, machine: &Machine, status: &Status) -> String {
        let Status { pid, socket, state_dir, config, .. } = status;
        match self {
            Self::System => machine.as_root("systemctl restart signet-agent"),
            Self::User => "systemctl --user restart signet-agent".to_owned(),
            Self::Signet => format!("kill {pid} && sleep 1 && signet status"),
            Self::Person => {
                let config = config.as_deref().map(|file| format!(" --config {}", word(file)));
                format!(
                    "kill {pid} && sleep 1 && setsid -f signet-agent{} --socket {} --state-dir {}",
                    config.unwrap_or_default(),
                    word(socket),
                    word(state_dir)
                )
            }
        }
    }
}

/// That there is none, or none to speak to.
pub(super) fn absent(refusal: Refusal, socket: &Socket, machine: &Machine) -> Finding {
    let connected = UnixStream::connect(socket.path()).map(drop).map_err(|error| error.kind());
    // somebody is there, or nobody may look: another agent at that place would not help
    let free = matches!(connected, Err(ErrorKind::NotFound | ErrorKind::ConnectionRefused));
    missing(refusal, socket.path(), socket.origin(), free, machine)
}

fn missing(refusal: Refusal, path: &Path, origin: Origin, free: bool, machine: &Machine) -> Finding {
    let hint = match (origin, free) {
        (Origin::Flag | Origin::Environment, true) => {
            format!("setsid -f signet-agent --socket {}", super::machine::path(path))
        }
        (Origin::Environment, false) => "unset SIGNET_SOCK".to_owned(),
        (Origin::Flag, false) => "signet doctor".to_owned(),
        (Origin::System, true) => machine.as_root("systemctl restart signet-agent"),
        (Origin::System, false) => {
            refusal.hint.unwrap_or_else(|| machine.as_root("systemctl restart signet-agent"))
        }
        // where it was started just now and ended, it says why to who starts it by hand
        (Origin::Personal, true) => "setsid -f signet-agent".to_owned(),
        (Origin::Personal, false) => format!("rm -f {} && signet status", super::machine::path(path)),
    };
    let why = "every use, and most of what is looked at here, goes through the agent";
    Finding::wrong("agent", refusal.message, why, hint)
}

/// What the agent tells of its version and its configuration.
pub(super) fn look(cx: &Context, machine: &Machine, status: &Status) -> Vec<Finding> {
    let keeper = Keeper::of(status, cx.client().socket());
    let config = Configuration::of(status);
    judge(status, keeper, machine, &config)
}

/// The agent's configuration file, as far as a command changes it.
struct Configuration {
    file: PathBuf,
    /// It has a table `[audit]` already.
    audit: bool,
    /// It may be written by who types.
    ours: bool,
}

impl Configuration {
    fn of(status: &Status) -> Self {
        let file = status.config.as_ref().map_or_else(|| config_dir().join("agent.toml"), PathBuf::from);
        // what cannot be read is not known to have it
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let audit = text.lines().any(|line| line.trim_start().starts_with("[audit]"));
        Self { ours: !file.starts_with("/etc"), file, audit }
    }

    /// A command that changes the file, with the rights that it takes.
    fn change(&self, machine: &Machine, command: &str) -> String {
        if self.ours { command.to_owned() } else { machine.as_root(&format!("sh -c {}", word(command))) }
    }
}

fn judge(status: &Status, keeper: Keeper, machine: &Machine, config: &Configuration) -> Vec<Finding> {
    let own = env!("CARGO_PKG_VERSION");
    let restart = keeper.restart(machine, status);
    let file = super::machine::path(&config.file);
    let mut findings =
        vec![Finding::ok("agent", format!("version {} answers at {}", status.agent_version, status.socket))];
    if status.agent_version != own {
        let what = format!("the agent is version {}, this program {own}", status.agent_version);
        let why = "an agent that was started before an upgrade goes on as it was, its repairs left out";
        findings.push(Finding::warning("version", what, why, restart.clone()));
    }
    if status.anchor.is_empty() {
        let anchor =
            if machine.services == Services::Systemd { "journald".to_owned() } else { heads(status) };
        let line = format!("anchor = \"{anchor}\"");
        let change = if config.audit {
            format!("sed -i {} {file}", word(&format!("/^ *anchor *=/d; s|^ *\\[audit\\].*|&\\n{line}|")))
        } else {
            let dir = super::machine::path(config.file.parent().unwrap_or(Path::new(".")));
            format!("mkdir -p {dir} && printf '\\n[audit]\\n%s\\n' {} >> {file}", word(&line))
        };
        let what = "the head of the audit log is copied nowhere: a tail that is cut off would not be seen";
        let why = "a chain shows what was changed in it, not what is missing at its end";
        let hint = format!("{} && {restart}", config.change(machine, &change));
        findings.push(Finding::warning("audit", what, why, hint));
    }
    if !status.extra_hosts.is_empty() {
        let what = format!("requests may go in the clear to {}", status.extra_hosts.join(", "));
        let why = "who listens on that port gets signed requests, and can have them answered as he likes";
        let change = format!("sed -i '/^ *extra_hosts *=/d' {file}");
        let hint = format!("{} && {restart}", config.change(machine, &change));
        findings.push(Finding::warning("hosts", what, why, hint));
    }
    findings.extend(hardening(status, keeper, machine, &restart));
    findings
}

/// A file beside the vault, where there is no journal.
fn heads(status: &Status) -> String {
    format!("{}.heads", status.state_dir.trim_end_matches('/'))
}

/// The layers in force. What the agent can do for itself it has done: what is left is a limit of its
/// surroundings, and the kernel.
fn hardening(status: &Status, keeper: Keeper, machine: &Machine, restart: &str) -> Vec<Finding> {
    let (on, off): (Vec<_>, Vec<_>) = status.hardening.iter().partition(|layer| layer.on);
    let mut findings = Vec::new();
    if !on.is_empty() {
        let names: Vec<&str> = on.iter().map(|layer| layer.name.as_str()).collect();
        findings.push(Finding::ok("hardening", format!("in force: {}", names.join(", "))));
    }
    let raised = |dir: &str, reload: &str| {
        format!(
            "mkdir -p {dir} && printf '[Service]\\nLimitMEMLOCK=infinity\\n' > {dir}/memlock.conf && {reload}"
        )
    };
    let hint = match keeper {
        Keeper::System => machine.as_root(&format!(
            "sh -c {}",
            word(&raised(
                "/etc/systemd/system/signet-agent.service.d",
                "systemctl daemon-reload && systemctl restart signet-agent"
            ))
        )),
        Keeper::User => machine.as_root(&format!(
            "sh -c {} && systemctl --user daemon-reexec && systemctl --user restart signet-agent",
            word(&raised("/etc/systemd/system/user@.service.d", "systemctl daemon-reload"))
        )),
        Keeper::Signet | Keeper::Person => {
            format!("{} && {restart}", machine.as_root("prlimit --pid $$ --memlock=unlimited:unlimited"))
        }
    };
    findings.extend(off.into_iter().map(|layer| {
        let reason = layer.why.as_deref().unwrap_or("no reason given");
        let what = format!("{} is off: {reason}", layer.name);
        let why = "session credentials, and what passes through, could be swapped out or read";
        Finding::warning("hardening", what, why, hint.clone())
    }));
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::super::machine::tests::PLAIN;
    use super::*;
    use crate::command::doctor::Level;
    use crate::command::doctor::facts::status;
    use signet_protocol::Code;
    use signet_protocol::api::Layer;

    fn config() -> Configuration {
        Configuration { file: "/c/agent.toml".into(), audit: false, ours: true }
    }

    #[test]
    fn who_started_the_agent_starts_it_again() {
        let system = "0::/system.slice/signet-agent.service\n";
        let user = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/signet-agent.service\n";
        let shell = "0::/user.slice/user-1000.slice/session-2.scope\n";
        assert_eq!(Keeper::told(system, Origin::Environment), Keeper::System);
        assert_eq!(Keeper::told(user, Origin::Personal), Keeper::User);
        assert_eq!(Keeper::told(shell, Origin::Personal), Keeper::Signet);
        assert_eq!(Keeper::told("", Origin::Environment), Keeper::Person);
        let restart = Keeper::Person.restart(&PLAIN, &status());
        assert_eq!(
            restart,
            "kill 42 && sleep 1 && setsid -f signet-agent --config /c/agent.toml --socket /r/s --state-dir '/v v'"
        );
    }

    #[test]
    fn a_place_that_somebody_else_has_is_left_to_him() {
        let hint = |origin, free| {
            let refusal = Refusal::new(Code::NoAgent, "no agent", "told");
            missing(refusal, Path::new("/r/s"), origin, free, &PLAIN).hint.unwrap()
        };
        assert_eq!(hint(Origin::Environment, true), "setsid -f signet-agent --socket /r/s");
        assert_eq!(hint(Origin::Environment, false), "unset SIGNET_SOCK");
        assert_eq!(hint(Origin::Personal, true), "setsid -f signet-agent");
        assert_eq!(hint(Origin::System, true), "sudo systemctl restart signet-agent");
        assert_eq!(hint(Origin::System, false), "told", "to join its group");
    }

    #[test]
    fn a_good_agent_has_nothing_to_be_said_against_it() {
        let found = judge(&status(), Keeper::Signet, &PLAIN, &config());
        assert!(found.iter().all(|it| it.level == Level::Ok), "{found:?}");
    }

    #[test]
    fn another_version_is_named_and_started_anew() {
        let old = Status { agent_version: "0.0.9".into(), ..status() };
        let found = judge(&old, Keeper::User, &PLAIN, &config());
        let version = found.iter().find(|it| it.check == "version").unwrap();
        assert_eq!(version.hint.as_deref(), Some("systemctl --user restart signet-agent"));
    }

    #[test]
    fn a_log_without_an_anchor_gets_one_where_there_is_none_yet() {
        let bare = Status { anchor: String::new(), ..status() };
        let hint = |audit| {
            let config = Configuration { audit, ..config() };
            let found = judge(&bare, Keeper::User, &PLAIN, &config);
            found.iter().find(|it| it.check == "audit").unwrap().hint.clone().unwrap()
        };
        assert!(
            hint(false).starts_with("mkdir -p /c && printf '\\n[audit]\\n%s\\n' 'anchor = \"journald\"' >>")
        );
        assert!(hint(true).starts_with("sed -i '/^ *anchor *=/d; s|^ *\\[audit\\]"), "{}", hint(true));
    }

    #[test]
    fn a_layer_that_is_off_is_named_with_its_reason() {
        let layer = Layer { name: "memory locked".into(), on: false, why: Some("a limit".into()) };
        let weak = Status { hardening: vec![layer], ..status() };
        let found = judge(&weak, Keeper::Signet, &PLAIN, &config());
        let off = found.iter().find(|it| it.check == "hardening").unwrap();
        assert_eq!((off.level, off.message.as_str()), (Level::Warning, "memory locked is off: a limit"));
        assert!(
            off.hint
                .as_ref()
                .unwrap()
                .starts_with("sudo prlimit --pid $$ --memlock=unlimited:unlimited && kill 42")
        );
    }
}
