//! FIDO2 authenticators on USB, as sysfs tells of them, and whether the agent may open them. Nothing is opened
//! but text files of the kernel.

use super::Finding;
use super::machine::{Machine, Services};
use rustix::fs::Access;
use signet_protocol::api::{KeyInfo, Status};
use signet_protocol::record::FactorKind;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Where the kernel tells of devices that are spoken to in reports.
const DEVICES: &str = "/sys/class/hidraw";
/// How the reports of such an authenticator begin: usage page F1D0 (CTAP 2.1, 11.2.8.2).
const FIDO: [u8; 3] = [0x06, 0xd0, 0xf1];
/// Where udev's rules of this machine lie (udev(7)).
const RULES: &str = "/etc/udev/rules.d/71-signet-fido.rules";
/// The name of the kind of token.
const KIND: &str = "fido2";

/// Who opens authenticators.
pub(super) struct Opener<'a> {
    /// The agent's user.
    pub(super) uid: u32,
    pub(super) user: &'a str,
    /// The user is who types.
    pub(super) person: bool,
    /// What is kept needs an authenticator.
    pub(super) needed: bool,
}

/// An authenticator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// What it calls itself.
    name: String,
    /// The agent may open it.
    open: bool,
}

/// Whether tokens or factors of the vault are authenticators.
pub(super) fn needed(status: Option<&Status>, keys: &[KeyInfo]) -> bool {
    let kinds = status.is_some_and(|status| status.kinds.iter().any(|kind| kind == KIND));
    let factor = |key: &KeyInfo| key.factor_details.iter().any(|factor| factor.kind == FactorKind::Fido2);
    kinds || keys.iter().any(factor)
}

/// Looks at sysfs.
pub(super) fn look(opener: &Opener<'_>) -> Vec<Key> {
    // a machine without such devices has nothing to show
    let Ok(entries) = fs::read_dir(DEVICES) else { return Vec::new() };
    let mut keys: Vec<Key> =
        entries.filter_map(Result::ok).filter_map(|entry| key(&entry.path(), opener)).collect();
    keys.sort_by(|one, other| one.name.cmp(&other.name));
    keys
}

fn key(dir: &Path, opener: &Opener<'_>) -> Option<Key> {
    let descriptor = fs::read(dir.join("device/report_descriptor")).ok()?;
    if !descriptor.windows(FIDO.len()).any(|item| item == FIDO) {
        return None;
    }
    let told = fs::read_to_string(dir.join("device/uevent")).unwrap_or_default();
    let name =
        told.lines().find_map(|line| line.strip_prefix("HID_NAME=")).unwrap_or("a fido2 authenticator");
    // a device may call itself anything
    let name = name.chars().filter(|letter| matches!(letter, ' '..='~')).collect();
    let node = Path::new("/dev").join(dir.file_name()?);
    // where a container shows none of its machine's devices, there is nothing to open
    let meta = fs::metadata(&node).ok()?;
    let open = if opener.person {
        rustix::fs::access(&node, Access::READ_OK | Access::WRITE_OK).is_ok()
    } else {
        is_open_to(&meta, opener.uid)
    };
    Some(Key { name, open })
}

/// Whether another user may open it: by its modes, and taken to be in its group.
fn is_open_to(meta: &Metadata, uid: u32) -> bool {
    let mode = meta.mode();
    uid == 0
        || mode & 0o006 == 0o006
        || (meta.uid() == uid && mode & 0o600 == 0o600)
        || (meta.gid() != 0 && mode & 0o060 == 0o060)
}

/// What is said of each.
pub(super) fn judge(keys: &[Key], opener: &Opener<'_>, machine: &Machine) -> Vec<Finding> {
    keys.iter().map(|key| finding(key, opener, machine)).collect()
}

fn finding(key: &Key, opener: &Opener<'_>, machine: &Machine) -> Finding {
    let Key { name, open } = key;
    if *open {
        return Finding::ok(KIND, format!("{name} is plugged in, and the agent may open it"));
    }
    let found = if opener.needed { Finding::wrong } else { Finding::warning };
    let what = format!("{name} is plugged in, and the agent (user {}) may not open it", opener.user);
    if opener.person && machine.services == Services::Systemd {
        let why =
            "systemd opens it to who sits at the machine, not to who came over the network: log in there";
        return found(KIND, what, why.to_owned(), "loginctl list-sessions".to_owned());
    }
    let why = "its node is root's alone, unless a udev rule says otherwise";
    found(KIND, what, why.to_owned(), install(opener.user, machine))
}

/// Puts a rule in force that opens authenticators to a user's group.
fn install(user: &str, machine: &Machine) -> String {
    let rule = format!(r#"SUBSYSTEM=="hidraw", ENV{{ID_FIDO_TOKEN}}=="1", MODE="0660", GROUP="{user}""#);
    format!(
        "echo '{rule}' | {} && {} && {}",
        machine.as_root(&format!("tee {RULES}")),
        machine.as_root("udevadm control --reload"),
        machine.as_root("udevadm trigger --subsystem-match=hidraw")
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::machine::tests::PLAIN;
    use super::*;
    use crate::command::custody::tests::factor;
    use crate::command::doctor::Level;
    use crate::command::doctor::facts::{key, status};

    const AGENT: Opener<'_> = Opener { uid: 999, user: "signet", person: false, needed: true };

    fn of(open: bool, opener: &Opener<'_>, machine: &Machine) -> Finding {
        finding(&Key { name: "YubiKey".into(), open }, opener, machine)
    }

    #[test]
    fn a_closed_node_is_opened_by_the_rule_that_packages_install() {
        assert_eq!(of(true, &AGENT, &PLAIN).level, Level::Ok);
        let found = of(false, &AGENT, &PLAIN);
        assert_eq!((found.level, found.check), (Level::Wrong, "fido2"));
        let packaged = include_str!("../../../../packaging/udev/71-signet-fido.rules");
        let rule = packaged.lines().find(|line| !line.starts_with('#') && !line.is_empty()).unwrap();
        assert_eq!(
            found.hint.unwrap(),
            format!(
                "echo '{rule}' | sudo tee /etc/udev/rules.d/71-signet-fido.rules && sudo udevadm control --reload \
                 && sudo udevadm trigger --subsystem-match=hidraw"
            )
        );
    }

    #[test]
    fn a_person_is_told_to_sit_at_the_machine_where_that_helps() {
        let person = Opener { uid: 1000, user: "alice", person: true, needed: false };
        let found = of(false, &person, &PLAIN);
        assert_eq!((found.level, found.hint.unwrap().as_str()), (Level::Warning, "loginctl list-sessions"));
        let bare = Machine { services: Services::None, ..PLAIN };
        assert!(of(false, &person, &bare).hint.unwrap().contains("GROUP=\"alice\""));
    }

    #[test]
    fn modes_open_to_owner_group_and_all() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        let with = |mode: u32| {
            file.as_file().set_permissions(fs::Permissions::from_mode(mode)).unwrap();
            file.as_file().metadata().unwrap()
        };
        let (owner, other) = (with(0o600).uid(), with(0o600).uid() + 1);
        assert!(is_open_to(&with(0o600), owner) && !is_open_to(&with(0o600), other));
        assert!(is_open_to(&with(0o666), other) && is_open_to(&with(0o000), 0));
        assert_eq!(is_open_to(&with(0o660), other), with(0o660).gid() != 0, "root's group is nobody's");
    }

    #[test]
    fn it_is_needed_where_a_kind_or_a_factor_is_one() {
        assert!(!needed(None, &[key("prod", &["42"])]));
        let mut approved = key("prod", &["42"]);
        approved.factor_details = vec![factor(FactorKind::Fido2)];
        assert!(needed(None, &[approved]));
        let mut status = status();
        assert!(!needed(Some(&status), &[]));
        status.kinds.push("fido2".into());
        assert!(needed(Some(&status), &[]));
    }
}
