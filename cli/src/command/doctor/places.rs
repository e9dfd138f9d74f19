//! Modes and owners of the socket and the state directory.

use super::Finding;
use crate::client::Origin;
use crate::context::Context;
use signet_protocol::api::Status;
use std::fs::{Metadata, symlink_metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Looks at both.
pub(super) fn look(cx: &Context, status: Option<&Status>) -> Vec<Finding> {
    let socket = cx.client().socket();
    // the system agent's socket is for its group
    let most = if socket.origin() == Origin::System { 0o660 } else { 0o600 };
    let agent = status.map(|status| status.uid);
    let mut findings = Vec::new();
    if status.is_some() {
        findings.extend(place("socket", socket.path(), most, agent));
    }
    if let Some(status) = status {
        findings.extend(place("state", Path::new(&status.state_dir), 0o700, agent));
    }
    findings
}

/// One path that only its owner may change, and whose mode may have no other bits than `most`.
fn place(check: &'static str, path: &Path, most: u32, owner: Option<u32>) -> Option<Finding> {
    let shown = path.display();
    let meta = match symlink_metadata(path) {
        Ok(meta) => meta,
        // what may not be looked at from here is closed to this user
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return None,
        Err(error) => return Some(Finding::wrong(check, format!("{shown}: {error}"), "signet status")),
    };
    let mode = meta.mode() & 0o777;
    if foreign(&meta, owner) {
        let what = format!("{shown} belongs to uid {}, not to the agent", meta.uid());
        return Some(Finding::wrong(check, what, format!("ls -ld {shown}")));
    }
    if mode & !most != 0 {
        let what = format!("{shown} has mode {mode:o}; others can reach it");
        return Some(Finding::wrong(check, what, format!("chmod {most:o} {shown}")));
    }
    Some(Finding::ok(check, format!("{shown}, mode {mode:o}")))
}

fn foreign(meta: &Metadata, owner: Option<u32>) -> bool {
    // a socket that systemd made belongs to root
    owner.is_some_and(|owner| meta.uid() != owner && meta.uid() != 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::command::doctor::Level;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_place_that_others_can_reach_is_wrong() {
        let dir = std::env::temp_dir().join(format!("signet-places-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let me = rustix::process::geteuid().as_raw();
        for (mode, level) in
            [(0o700, Level::Ok), (0o500, Level::Ok), (0o755, Level::Wrong), (0o770, Level::Wrong)]
        {
            std::fs::set_permissions(&dir, Permissions::from_mode(mode)).unwrap();
            assert_eq!(place("state", &dir, 0o700, Some(me)).unwrap().level, level, "{mode:o}");
        }
        std::fs::set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(place("state", &dir, 0o700, Some(me)).unwrap().level, Level::Wrong);
    }
}
