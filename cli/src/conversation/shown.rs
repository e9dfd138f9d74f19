//! The words of a conversation. Pure; everything from elsewhere is cleaned here, line by line.

use super::WaitingFor;
use crate::clean;
use signet_protocol::PromptKind;
use signet_protocol::api::Accepted;
use signet_protocol::child::{Prompt, TokenName};

/// Asked before the last try where nobody has asked yet.
pub(super) const LAST_TRY: &str = "one try is left before the token locks: spend it?";

/// What will be done, for whom, and what will be asked.
pub(super) fn accepted(accepted: &Accepted, reason: Option<&str>) -> String {
    let mut rows: Vec<(&str, String)> = Vec::new();
    if !accepted.key.is_empty() {
        let account = accepted.account.as_deref().unwrap_or("not known yet");
        rows.push(("key", format!("{} (account {account})", accepted.key)));
    }
    rows.extend(accepted.region.iter().map(|region| ("region", region.clone())));
    rows.extend(accepted.host.iter().map(|host| ("host", host.clone())));
    rows.push(("asked by", accepted.peer.clone()));
    rows.extend(reason.map(|reason| ("claims", format!("\"{reason}\""))));
    if !accepted.tokens.is_empty() {
        let tokens: Vec<String> = accepted.tokens.iter().map(token).collect();
        rows.push(("token", tokens.join(" or ")));
    }
    if !accepted.obligations.is_empty() {
        rows.push(("needs", accepted.obligations.join(", ")));
    }
    rows.push(("within", format!("{} s", accepted.seconds)));
    rows.extend(accepted.warnings.iter().map(|warning| ("warning", warning.clone())));
    let mut lines = vec![format!("signet: {}", clean::line(&accepted.action))];
    lines.extend(rows.iter().map(|(name, value)| format!("  {name:<8}  {}", clean::line(value))));
    lines.join("\n")
}

/// The question, in the child's words where it has any.
pub(super) fn question(prompt: &Prompt) -> String {
    let mut text = prompt.text.clone().unwrap_or_else(|| {
        let of = prompt.token.as_ref().map(|name| format!(" of {}", token(name))).unwrap_or_default();
        format!("{}{of}", asked_for(prompt.kind))
    });
    if let Some(left) = prompt.tries_left {
        text += &format!(" ({left} {} left)", if left == 1 { "try" } else { "tries" });
    }
    text
}

/// What a kind of question asks for.
fn asked_for(kind: PromptKind) -> &'static str {
    match kind {
        PromptKind::Pin => "pin",
        PromptKind::FidoPin => "fido pin",
        PromptKind::NewPin => "new pin",
        PromptKind::NewPuk => "new puk",
        PromptKind::Puk => "puk",
        PromptKind::ManagementKey => "management key, in hex",
        PromptKind::Totp => "one-time code",
        PromptKind::TotpSeed => "seed of the one-time codes (otpauth uri or base32)",
        PromptKind::AwsMfa => "code of the aws mfa device",
        PromptKind::Secret => "secret access key",
        PromptKind::Confirm => "go on?",
        PromptKind::Passphrase => "passphrase",
        PromptKind::NewPassphrase => "new passphrase",
        PromptKind::Touch => "touch",
    }
}

/// "others come first".
pub(super) fn queued(place: u32) -> String {
    format!("the token is in use; place {place} in the queue")
}

/// "not yet": never reads like an invitation to touch.
pub(super) fn waiting(what: WaitingFor, tokens: &[TokenName]) -> String {
    let names: Vec<String> = tokens.iter().map(token).collect();
    match what {
        WaitingFor::Card => format!("waiting until {} is free; do not touch it yet", names.join(" or ")),
        WaitingFor::Token => format!("plug in {}", names.join(" or ")),
    }
}

/// "now"; where there are several, which touch it is and what for.
pub(super) fn touch(n: u32, of: u32, name: &TokenName, action: &str) -> String {
    let count = if of > 1 { format!(": touch {n} of {of} for {action}") } else { String::new() };
    format!("touch {} now{count}", token(name))
}

/// A token, or a factor that is touched: its id stands in place of the serial.
fn token(name: &TokenName) -> String {
    let TokenName { serial, label } = name;
    if serial.is_empty() {
        return label.clone();
    }
    if label.is_empty() || label == serial {
        let kind = if serial.starts_with("fido2-") { "fido2 key" } else { "token" };
        return format!("{kind} {serial}");
    }
    format!("{label} ({serial})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostile() -> Accepted {
        Accepted {
            id: "u1".into(),
            key: "prod\u{1b}[2Jroot".into(),
            action: "sts:GetCallerIdentity\nsigned: nothing".into(),
            account: Some("123456789012".into()),
            region: Some("us-east-1".into()),
            host: Some("sts.us-east-1.amazonaws.com\r".into()),
            peer: "uid 1000\u{202e}".into(),
            obligations: vec!["pin".into(), "touch".into()],
            tokens: vec![TokenName { serial: "1".into(), label: "safe\u{7}".into() }],
            seconds: 120,
            warnings: vec![],
        }
    }

    #[test]
    fn nothing_hostile_reaches_the_screen_or_adds_a_line() {
        let text = accepted(&hostile(), Some("because\nkey  other"));
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        assert!(!text.contains('\u{202e}'));
        assert_eq!(text.lines().count(), 9, "{text}");
    }

    #[test]
    fn the_reason_is_shown_as_a_claim() {
        assert!(accepted(&hostile(), Some("audit")).contains("  claims    \"audit\""));
    }

    #[test]
    fn a_wait_for_the_card_never_says_touch_now() {
        let name = TokenName { serial: "42".into(), label: String::new() };
        assert!(waiting(WaitingFor::Card, std::slice::from_ref(&name)).contains("do not touch"));
    }

    #[test]
    fn a_touch_is_counted_where_there_are_several_and_says_what_for() {
        let name = TokenName { serial: "42".into(), label: "safe".into() };
        let action = "sts:GetCallerIdentity";
        assert_eq!(touch(2, 2, &name, action), "touch safe (42) now: touch 2 of 2 for sts:GetCallerIdentity");
        assert_eq!(touch(1, 1, &name, action), "touch safe (42) now");
    }

    #[test]
    fn what_is_touched_is_named_so_that_it_can_be_found() {
        for (serial, label, shown) in [
            ("42", "", "token 42"),
            ("fido2-1", "", "fido2 key fido2-1"),
            ("fido2-1", "office key", "office key (fido2-1)"),
            ("fido-1a2b3c4d", "", "token fido-1a2b3c4d"),
            ("", "Example FIDO Reader", "Example FIDO Reader"),
        ] {
            assert_eq!(token(&TokenName { serial: serial.into(), label: label.into() }), shown);
        }
    }
}
