//! Modes and owners of the socket, its directory, and everything in the state directory.

use super::Finding;
use super::machine;
use crate::client::Origin;
use crate::context::Context;
use signet_protocol::api::Status;
use std::fs::{self, Metadata, symlink_metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How deep the vault is: `audit/000001.jsonl`.
const DEEP: u32 = 3;
/// More files than a vault has.
const MANY: usize = 10_000;

/// What the file system says of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    path: PathBuf,
    mode: u32,
    owner: u32,
    dir: bool,
}

impl Place {
    fn of(path: &Path) -> io::Result<Self> {
        symlink_metadata(path).map(|meta| Self::from(path, &meta))
    }

    fn from(path: &Path, meta: &Metadata) -> Self {
        Self { path: path.to_owned(), mode: meta.mode() & 0o7777, owner: meta.uid(), dir: meta.is_dir() }
    }
}

/// Looks at all of them.
pub(super) fn look(cx: &Context, status: &Status) -> Vec<Finding> {
    let socket = cx.client().socket();
    // the system agent's socket is for its group
    let most = if socket.origin() == Origin::System { 0o660 } else { 0o600 };
    let state = Path::new(&status.state_dir);
    let mut findings = Vec::new();
    findings.extend(seen("socket", socket.path(), |place| closed("socket", place, most, status.uid)));
    if let Some(dir) = socket.path().parent() {
        findings.extend(seen("socket", dir, |place| directory(place, status.uid)));
    }
    findings.extend(seen("state", state, |place| closed("state", place, 0o700, status.uid)));
    findings.extend(inside(state, &everything(state), status.uid));
    findings
}

/// What is found of a path that can be looked at; what may not be looked at is closed to this user.
fn seen(check: &'static str, path: &Path, judge: impl FnOnce(&Place) -> Option<Finding>) -> Option<Finding> {
    match Place::of(path) {
        Ok(place) => judge(&place),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => None,
        Err(error) => {
            let why = "the agent says that it is there: it was moved or removed under it";
            Some(Finding::wrong(check, format!("{}: {error}", path.display()), why, "signet status"))
        }
    }
}

/// One path that belongs to the agent, and whose mode may have no other bits than `most`.
fn closed(check: &'static str, place: &Place, most: u32, agent: u32) -> Option<Finding> {
    let (shown, mode) = (place.path.display(), place.mode & 0o777);
    // a socket that systemd made belongs to root
    if place.owner != agent && place.owner != 0 {
        let what = format!("{shown} belongs to uid {}, not to the agent", place.owner);
        let why = "its owner can put another in its place";
        let hint = format!("sudo chown {agent} {}", machine::path(&place.path));
        return Some(Finding::wrong(check, what, why, hint));
    }
    if mode & !most != 0 {
        let what = format!("{shown} has mode {mode:o}; others can reach it");
        let why = "only its owner's programs are meant to get as far as a question for the pin";
        return Some(Finding::wrong(
            check,
            what,
            why,
            format!("chmod {most:o} {}", machine::path(&place.path)),
        ));
    }
    Some(Finding::ok(check, format!("{shown}, mode {mode:o}")))
}

/// The directory of the socket: whoever can write there can put another socket in its place.
fn directory(place: &Place, agent: u32) -> Option<Finding> {
    let shown = place.path.display();
    let why = "others can put a socket of their own in the place of the agent's, and ask for the pin";
    if place.owner != agent && place.owner != 0 {
        let what = format!("{shown}, the directory of the socket, belongs to uid {}", place.owner);
        return Some(Finding::wrong("socket", what, why, "unset SIGNET_SOCK"));
    }
    if place.mode & 0o022 == 0 {
        return None;
    }
    let what = format!(
        "{shown}, the directory of the socket, has mode {:o}; others can write to it",
        place.mode & 0o777
    );
    // a directory that is shared on purpose (/tmp) is not ours to close
    let shared = place.mode & 0o1000 != 0 || place.owner != agent;
    let hint = if shared {
        "unset SIGNET_SOCK".to_owned()
    } else {
        format!("chmod go-w {}", machine::path(&place.path))
    };
    Some(Finding::wrong("socket", what, why, hint))
}

/// What lies in the vault, as far as it can be read.
fn everything(state: &Path) -> Vec<Place> {
    let mut found = Vec::new();
    let mut open = vec![(state.to_owned(), DEEP)];
    while let Some((dir, deep)) = open.pop() {
        // a directory that may not be read is closed to this user
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            let Ok(place) = Place::of(&path) else { continue };
            if place.dir && deep > 1 {
                open.push((path, deep - 1));
            }
            found.push(place);
            if found.len() >= MANY {
                return found;
            }
        }
    }
    found
}

/// Files and directories of the vault that are not closed, or not the agent's.
fn inside(state: &Path, places: &[Place], agent: u32) -> Vec<Finding> {
    let shown = |places: &[&Place]| {
        let name =
            |place: &&Place| place.path.strip_prefix(state).unwrap_or(&place.path).display().to_string();
        let more = if places.len() > 3 { format!(" and {} more", places.len() - 3) } else { String::new() };
        places.iter().take(3).map(name).collect::<Vec<_>>().join(", ") + &more
    };
    let mut findings = Vec::new();
    let state_word = machine::path(state);
    let foreign: Vec<&Place> = places.iter().filter(|place| place.owner != agent).collect();
    if !foreign.is_empty() {
        let what = format!("in {}, these are not the agent's: {}", state.display(), shown(&foreign));
        let why = "the agent refuses a record that another user could have written";
        findings.push(Finding::wrong("state", what, why, format!("sudo chown -R {agent} {state_word}")));
    }
    let open: Vec<&Place> = places.iter().filter(|place| place.mode & 0o077 != 0).collect();
    if !open.is_empty() {
        let what = format!("in {}, others can reach: {}", state.display(), shown(&open));
        let why = "records and log are for the agent alone, also where the directory is closed";
        findings.push(Finding::wrong("state", what, why, format!("chmod -R go= {state_word}")));
    }
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::command::doctor::Level;

    const ME: u32 = 1000;

    fn place(mode: u32, owner: u32, dir: bool) -> Place {
        Place { path: "/s/p q".into(), mode, owner, dir }
    }

    #[test]
    fn a_place_that_others_can_reach_is_wrong_and_the_command_closes_it() {
        for (mode, level) in
            [(0o700, Level::Ok), (0o500, Level::Ok), (0o755, Level::Wrong), (0o770, Level::Wrong)]
        {
            let found = closed("state", &place(mode, ME, true), 0o700, ME).unwrap();
            assert_eq!(found.level, level, "{mode:o}");
            assert!(level == Level::Ok || found.hint.unwrap() == "chmod 700 '/s/p q'");
        }
    }

    #[test]
    fn a_place_of_somebody_else_is_wrong_and_one_of_root_is_not() {
        let level = |owner| closed("socket", &place(0o600, owner, false), 0o600, ME).unwrap().level;
        assert_eq!((level(ME), level(0), level(4242)), (Level::Ok, Level::Ok, Level::Wrong));
    }

    #[test]
    fn a_socket_lies_where_nobody_else_can_write() {
        assert_eq!(directory(&place(0o755, ME, true), ME), None);
        assert_eq!(directory(&place(0o750, 0, true), ME), None);
        let open = directory(&place(0o777, ME, true), ME).unwrap();
        assert_eq!((open.level, open.hint.unwrap()), (Level::Wrong, "chmod go-w '/s/p q'".to_owned()));
        for shared in [place(0o1777, 0, true), place(0o1777, ME, true), place(0o700, 4242, true)] {
            assert_eq!(directory(&shared, ME).unwrap().hint.unwrap(), "unset SIGNET_SOCK", "{shared:?}");
        }
    }

    #[test]
    fn what_lies_open_in_the_vault_is_named() {
        let file =
            |name: &str, mode, owner| Place { path: format!("/s/{name}").into(), mode, owner, dir: false };
        let good = [file("state.json", 0o600, ME), place(0o700, ME, true)];
        assert_eq!(inside(Path::new("/s"), &good, ME), []);
        let bad = [file("keys/a.age", 0o644, ME), file("lock", 0o600, 0)];
        let found = inside(Path::new("/s"), &bad, ME);
        assert!(found[0].message.ends_with("not the agent's: lock"), "{found:?}");
        assert!(found[1].message.ends_with("others can reach: keys/a.age"), "{found:?}");
    }
}
