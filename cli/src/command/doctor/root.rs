//! Whether a root key should exist at all.
//!
//! AWS advises to have none. Since `aws login` gives temporary root credentials after a sign-in with
//! the browser, most of what root is needed for takes no access key; what is left is said here, and
//! nothing more is claimed.

use super::Finding;
use super::keys::{DAYS, days_since};
use super::renewal::{self, Renewal};
use signet_protocol::api::KeyInfo;
use signet_protocol::record::Partition;
use time::OffsetDateTime;

/// What `aws login` does, and what it leaves.
const HONEST: &str = "aws advises to have no root key: `aws login` signs root in by the browser, for up to 12 h, \
    and covers most tasks; it does not cover s3 mfa delete, which wants a long-term key, work while the sign-in is \
    down, or a touch and a log for each request";

/// Says of one root key whether it earns its risk.
pub(super) fn judge(key: &KeyInfo, now: OffsetDateTime, renewal: &Renewal<'_>) -> Finding {
    let name = &key.name;
    match key.partition {
        Partition::AwsUsGov => {
            let what = format!("{name} is a root key of GovCloud, where root has no sign-in but its keys");
            return Finding::ok("root", what);
        }
        Partition::Aws => {}
    }
    let last = key.last_used.as_deref().and_then(|time| days_since(time, now));
    let used = match last {
        Some(days) if days < DAYS => format!("{name} is a root key, last used {days} days ago"),
        Some(days) => format!("{name} is a root key that was not used in {days} days"),
        None => format!("{name} is a root key that was never used"),
    };
    let what = format!("{used}: the safest root key is one that is deleted at aws");
    Finding::warning("root", what, HONEST, renewal::end(renewal))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::command::doctor::Level;
    use crate::command::doctor::facts::key;
    use signet_protocol::record::KeyKind;
    use time::macros::datetime;

    #[test]
    fn only_govcloud_needs_a_root_key() {
        let mut root = key("prod", &["42"]);
        root.kind = KeyKind::Root;
        let judged = |key: &KeyInfo| {
            judge(key, datetime!(2026-11-22 17:00 UTC), &Renewal { key, usable: 1, keys: &[], iam: None })
        };
        let found = judged(&root);
        assert_eq!(found.level, Level::Warning);
        assert!(found.message.contains("last used 21 days ago"), "{found:?}");
        assert!(found.hint.unwrap().ends_with("&& signet remove prod --yes"));
        assert!(found.why.unwrap().contains("s3 mfa delete"));
        root.last_used = None;
        assert!(judged(&root).message.contains("never used"));
        root.partition = Partition::AwsUsGov;
        assert_eq!(judged(&root).level, Level::Ok);
    }
}
