//! The PC/SC service, who may use it, its readers, and the tokens in them. The command line speaks to
//! no reader itself: what is plugged in, the agent finds out.

use super::Finding;
use crate::context::Context;
use signet_protocol::api::Status;
use signet_protocol::child::{EnrolAct, Managed, Seen};
use signet_protocol::{Refusal, kinds};
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;

/// Where pcscd listens.
const SYSTEM: &str = "/run/pcscd/pcscd.comm";

/// Looks at all of it.
pub(super) fn look(cx: &Context, status: Option<&Status>) -> Vec<Finding> {
    // hardware is what guarantees a touch; a kind that is not known may be hardware
    let hardware = |kind: &String| kinds::find(kind).is_none_or(|kind| kind.guarantees.touch);
    if !status.is_none_or(|status| status.kinds.iter().any(hardware)) {
        return vec![Finding::ok("pcscd", "not needed: the configuration names no kind of hardware")];
    }
    let socket = status.map(|status| status.pcsc_socket.as_str()).filter(|socket| !socket.is_empty());
    let mut findings = vec![service(socket.unwrap_or(SYSTEM))];
    if status.is_some() {
        findings.extend(tokens(cx.manage(EnrolAct::List)));
    }
    findings
}

fn service(path: &str) -> Finding {
    match UnixStream::connect(path) {
        Ok(_) => Finding::ok("pcscd", format!("the pc/sc service answers at {path}")),
        Err(error) if error.kind() == ErrorKind::NotFound => Finding::wrong(
            "pcscd",
            format!("there is no pc/sc service at {path}"),
            "sudo apt install pcscd && sudo systemctl enable --now pcscd.socket",
        ),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Finding::wrong(
            "access",
            format!("{path} may not be used by you"),
            "pkaction --verbose --action-id org.debian.pcsc-lite.access_pcsc",
        ),
        Err(error) => {
            Finding::wrong("pcscd", format!("{path}: {error}"), "sudo systemctl restart pcscd.socket")
        }
    }
}

fn tokens(seen: Result<Option<Managed>, Refusal>) -> Vec<Finding> {
    let tokens = match seen {
        Ok(Some(Managed::Seen { tokens })) => tokens,
        Ok(Some(Managed::Enrolled { .. } | Managed::Done) | None) => Vec::new(),
        Err(refusal) => {
            let hint = refusal.hint.unwrap_or_else(|| "signet token list".to_owned());
            return vec![Finding::wrong("readers", refusal.message, hint)];
        }
    };
    if tokens.is_empty() {
        return vec![Finding::warning("readers", "no token is plugged in", "signet token list")];
    }
    tokens.iter().flat_map(token).collect()
}

fn token(token: &Seen) -> Vec<Finding> {
    let reader = token.reader.as_ref().map(|reader| format!(" in {reader}")).unwrap_or_default();
    let firmware = token.firmware.as_ref().map(|it| format!(", firmware {it}")).unwrap_or_default();
    let mut findings =
        vec![Finding::ok("token", format!("{} {}{reader}{firmware}", token.kind, token.serial))];
    let pin = format!("signet token pin {}", token.serial);
    if token.pin_tries == Some(0) {
        let hint = format!("signet token unblock {}", token.serial);
        findings.push(Finding::wrong("token", format!("the pin of {} is blocked", token.serial), hint));
    } else if token.pin_tries == Some(1) {
        findings.push(Finding::warning("token", format!("one pin try is left on {}", token.serial), pin));
    } else if !token.factory.is_empty() {
        let what = format!("{} still has the factory's {}", token.serial, token.factory.join(", "));
        findings.push(Finding::warning(
            "token",
            what,
            format!("signet token enrol --serial {}", token.serial),
        ));
    }
    if token.firmware.as_deref().is_some_and(|firmware| older(firmware, (5, 7, 0))) && token.reader.is_some()
    {
        findings.push(Finding::warning(
            "token",
            format!(
                "firmware of {} is older than 5.7: its keys can be read out by who has it in hand for hours",
                token.serial
            ),
            "xdg-open https://www.yubico.com/support/security-advisories/ysa-2024-03/",
        ));
    }
    findings
}

fn older(firmware: &str, than: (u32, u32, u32)) -> bool {
    let mut numbers = firmware.split('.').map(|number| number.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor), Some(patch)) => (major, minor, patch) < than,
        (_, _, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::Level;

    fn seen(pin_tries: Option<u8>, factory: &[&str], firmware: &str) -> Seen {
        Seen {
            kind: "yubikey-piv".into(),
            serial: "42".into(),
            reader: Some("reader 0".into()),
            firmware: Some(firmware.into()),
            pin_tries,
            puk_tries: None,
            factory: factory.iter().map(|&it| it.to_owned()).collect(),
            oath_code: None,
            details: vec![],
        }
    }

    fn levels(findings: &[Finding]) -> Vec<Level> {
        findings.iter().map(|it| it.level).collect()
    }

    #[test]
    fn a_token_in_danger_is_named() {
        assert_eq!(levels(&token(&seen(Some(3), &[], "5.7.1"))), [Level::Ok]);
        assert_eq!(levels(&token(&seen(Some(0), &[], "5.7.1"))), [Level::Ok, Level::Wrong]);
        assert_eq!(levels(&token(&seen(Some(1), &[], "5.7.1"))), [Level::Ok, Level::Warning]);
        assert_eq!(levels(&token(&seen(None, &["pin"], "5.7.1"))), [Level::Ok, Level::Warning]);
        assert_eq!(levels(&token(&seen(Some(3), &[], "5.4.3"))), [Level::Ok, Level::Warning]);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(older("5.4.3", (5, 7, 0)) && older("4.3.7", (5, 7, 0)));
        assert!(!older("5.7.0", (5, 7, 0)) && !older("5.10.0", (5, 7, 0)) && !older("new", (5, 7, 0)));
    }

    #[test]
    fn a_missing_service_is_wrong() {
        assert_eq!(service("/nonexistent/pcscd.comm").level, Level::Wrong);
    }
}
