//! The PC/SC service: whether it runs, whether it lets the agent in, and the readers behind it. It is
//! asked nothing here: what stands in them, the agent finds out.

use super::finding::{Finding, HERE};
use super::machine::{Machine, path, word};
use super::usb::{self, Device};
use signet_protocol::api::Status;
use signet_protocol::child::Seen;
use signet_protocol::{Code, Refusal, kinds};
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Where pcscd listens.
const SYSTEM: &str = "/run/pcscd/pcscd.comm";

/// Whether any kind of token in force needs the service; a kind that is not known may be hardware.
pub(super) fn needed(kinds: &[String]) -> bool {
    kinds.iter().any(|kind| kinds::find(kind).is_none_or(|kind| kind.guarantees.touch))
}

/// What was found out of the service.
pub(super) struct Service<'a> {
    /// Its socket.
    pub(super) socket: &'a str,
    /// What connecting came to.
    pub(super) connected: Result<(), ErrorKind>,
    /// The agent's configuration names the socket.
    pub(super) named: Option<&'a str>,
    /// How the agent is started again.
    pub(super) restart: &'a str,
}

/// Connects to the service; `status` is null without an agent.
pub(super) fn look(status: Option<&Status>, restart: &str, machine: &Machine) -> Finding {
    let socket = status.map(|status| status.pcsc_socket.as_str()).filter(|socket| !socket.is_empty());
    let named = socket.and(status).and_then(|status| status.config.as_deref());
    let socket = socket.unwrap_or(SYSTEM);
    let connected = UnixStream::connect(socket).map(drop).map_err(|error| error.kind());
    judge(&Service { socket, connected, named, restart }, machine)
}

fn judge(service: &Service<'_>, machine: &Machine) -> Finding {
    let Service { socket, connected, named, restart } = service;
    let why = "a hardware token is reached through the pc/sc service only";
    match (connected, named) {
        (Ok(()), _) => Finding::ok("pcscd", format!("the pc/sc service answers at {socket}")),
        (Err(ErrorKind::PermissionDenied), _) => Finding::wrong(
            "access",
            format!("{socket} may not be used by you"),
            "the service's own rules (polkit) decide who uses a card; its socket is for everybody",
            machine.as_root(&format!("chmod a+rw {}", path(Path::new(socket)))),
        ),
        // a service that somebody keeps apart is not started by installing the system's
        (Err(_), Some(config)) if machine.pcscd => Finding::wrong(
            "pcscd",
            format!("there is no pc/sc service at {socket}, which agent.toml names"),
            why,
            format!(
                "sed -i '/^ *pcsc_socket *=/d' {} && {} && {restart}",
                word(config),
                machine.start_pcscd()
            ),
        ),
        (Err(ErrorKind::NotFound | ErrorKind::ConnectionRefused), _) => Finding::wrong(
            "pcscd",
            format!("there is no pc/sc service at {socket}"),
            why,
            machine.start_pcscd(),
        ),
        (Err(error), _) => {
            Finding::wrong("pcscd", format!("{socket}: {error}"), why, machine.restart_pcscd())
        }
    }
}

/// What the agent found when it looked for tokens.
pub(super) struct Look<'a> {
    /// The tokens, or why they could not be looked for.
    pub(super) seen: &'a Result<Vec<Seen>, Refusal>,
    /// Whether the service answered to us.
    pub(super) answers: bool,
    /// The user that the agent runs as.
    pub(super) agent: &'a str,
    /// What stands on USB.
    pub(super) usb: &'a [Device],
}

/// Whether the agent is let in, and whether there is anything to use.
pub(super) fn readers(look: &Look<'_>, machine: &Machine) -> Vec<Finding> {
    match look.seen {
        Ok(seen) if seen.iter().any(|token| token.reader.is_some()) => unreadable(seen),
        Ok(_) => absent(look, machine),
        // that the service is down is said already
        Err(refusal) if refusal.code == Code::NoReader && !look.answers => Vec::new(),
        // what is sent here by its hint was refused by polkit: anybody may connect, and gets no further
        Err(refusal) if refusal.code == Code::NoReader && refusal.hint.as_deref() == Some(HERE) => {
            let what = format!("the pc/sc service does not let the agent (user {}) use cards", look.agent);
            let why = "polkit lets only who sits at the machine use cards, unless a rule says otherwise";
            vec![Finding::wrong("access", what, why, rule(look.agent, machine))]
        }
        Err(refusal) if refusal.code == Code::Unsupported => {
            let why = "a YubiKey whose PIV application is switched off looks like that; keys are kept in it";
            let hint = "ykman config usb --enable PIV --enable OATH --force";
            vec![Finding::warning("readers", refusal.message.clone(), why, hint)]
        }
        Err(refusal) => {
            let hint = refusal.hint.clone().filter(|hint| hint != HERE && refusal.code != Code::NoReader);
            let hint = hint.unwrap_or_else(|| machine.restart_pcscd());
            let why = "which tokens are there, and how they are, could not be found out";
            vec![Finding::wrong("readers", refusal.message.clone(), why, hint)]
        }
    }
}

/// Nothing is there that could be used.
fn absent(look: &Look<'_>, machine: &Machine) -> Vec<Finding> {
    let missing = usb::unseen(look.usb, machine);
    if !missing.is_empty() {
        return missing;
    }
    let reader = if look.usb.iter().any(|it| it.ccid) { "" } else { ", and USB shows no reader" };
    let what = format!("no token is plugged in{reader}");
    let why = "no use is possible until one is; plug it in, then look again";
    vec![Finding::warning("readers", what, why, "signet token list")]
}

/// Readers whose card could not be asked: what the agent's look noted beside the first one that could.
fn unreadable(seen: &[Seen]) -> Vec<Finding> {
    let notes = seen.iter().flat_map(|token| &token.details).filter(|(name, _)| name.starts_with("reader "));
    let finding = |(reader, message): &(String, String)| {
        let why = "if it is one of your tokens, it is not found while that lasts";
        Finding::warning("readers", format!("{reader}: {message}"), why, "signet token list")
    };
    notes.map(finding).collect()
}

/// Where rules of this machine lie (polkit(8)).
const RULES: &str = "/etc/polkit-1/rules.d/50-signet.rules";

/// Writes the rule that lets the agent's user use cards.
fn rule(user: &str, machine: &Machine) -> String {
    format!("echo {} | {}", word(&text(user)), machine.as_root(&format!("tee {RULES}")))
}

fn text(user: &str) -> String {
    format!(
        "polkit.addRule(function(action, subject) {{ \
         if (action.id.indexOf(\"org.debian.pcsc-lite.access_\") == 0 && subject.user == \"{user}\") \
         {{ return polkit.Result.YES; }} }});"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::super::machine::tests::PLAIN;
    use super::*;
    use crate::command::doctor::Level;
    use crate::command::doctor::facts::seen;

    fn service(connected: Result<(), ErrorKind>, named: Option<&'static str>) -> Finding {
        judge(&Service { socket: "/p/s", connected, named, restart: "again" }, &PLAIN)
    }

    #[test]
    fn a_service_that_is_not_there_is_started() {
        let found = service(Err(ErrorKind::NotFound), None);
        assert_eq!((found.level, found.check), (Level::Wrong, "pcscd"));
        assert_eq!(found.hint.unwrap(), "sudo systemctl enable --now pcscd.socket");
        assert_eq!(service(Ok(()), None).level, Level::Ok);
    }

    #[test]
    fn a_configured_socket_where_nobody_listens_is_taken_out_again() {
        let found = service(Err(ErrorKind::ConnectionRefused), Some("/c/agent.toml"));
        assert_eq!(
            found.hint.unwrap(),
            "sed -i '/^ *pcsc_socket *=/d' /c/agent.toml && sudo systemctl enable --now pcscd.socket && again"
        );
    }

    #[test]
    fn a_socket_that_is_closed_to_us_is_a_matter_of_access() {
        let found = service(Err(ErrorKind::PermissionDenied), None);
        assert_eq!((found.check, found.hint.unwrap().as_str()), ("access", "sudo chmod a+rw /p/s"));
    }

    #[test]
    fn an_agent_that_is_not_let_in_gets_a_rule() {
        let refused = Err(Refusal::new(Code::NoReader, "no", HERE));
        let look = Look { seen: &refused, answers: true, agent: "signet", usb: &[] };
        let found = &readers(&look, &PLAIN)[0];
        assert_eq!((found.level, found.check), (Level::Wrong, "access"));
        let hint = found.hint.as_ref().unwrap();
        assert!(hint.ends_with("| sudo tee /etc/polkit-1/rules.d/50-signet.rules"), "{hint}");
        assert!(hint.contains("subject.user == \"signet\""), "{hint}");
        let away = Look { answers: false, ..look };
        assert_eq!(readers(&away, &PLAIN), [], "a service that is down denies nobody");
        let broken = Err(Refusal::new(Code::NoReader, "no", "sudo apt install pcscd"));
        let found = &readers(&Look { seen: &broken, answers: true, ..away }, &PLAIN)[0];
        assert_eq!(found.hint.as_deref(), Some("sudo systemctl restart pcscd.socket pcscd.service"));
    }

    #[test]
    fn the_rule_is_the_one_that_packages_install() {
        let packaged = include_str!("../../../../packaging/polkit/50-signet.rules");
        let flat = |text: &str| {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            code.collect::<String>().split_whitespace().collect::<String>()
        };
        assert_eq!(flat(packaged), flat(&text("signet")));
    }

    #[test]
    fn a_card_that_cannot_be_asked_is_named_beside_one_that_can() {
        let mut good = seen("42");
        good.details =
            vec![("slot 95".into(), "x".into()), ("reader B".into(), "another program has it".into())];
        let both = Ok(vec![good]);
        let look = Look { seen: &both, answers: true, agent: "me", usb: &[] };
        let found = readers(&look, &PLAIN);
        assert_eq!((found.len(), found[0].message.as_str()), (1, "reader B: another program has it"));
    }

    #[test]
    fn a_card_that_is_not_recognised_is_named() {
        let refused = Err(Refusal::new(Code::Unsupported, "the card in A is no token", HERE));
        let look = Look { seen: &refused, answers: true, agent: "me", usb: &[] };
        let found = &readers(&look, &PLAIN)[0];
        assert_eq!((found.level, found.message.as_str()), (Level::Warning, "the card in A is no token"));
        assert!(found.hint.as_ref().unwrap().starts_with("ykman config usb"));
    }

    #[test]
    fn no_token_is_no_fault_of_the_service() {
        let none = Ok(vec![seen("soft-1")]);
        let look = Look { seen: &none, answers: true, agent: "me", usb: &[] };
        let found = &readers(&look, &PLAIN)[0];
        assert_eq!((found.level, found.check), (Level::Warning, "readers"));
        assert_eq!(found.message, "no token is plugged in, and USB shows no reader");
    }
}
