//! What an order says, held against what the log's entries say. Pure.

use signet_protocol::VERSION;
use signet_protocol::approval::Approval;
use signet_protocol::audit::{Entry, Facts};

/// Longest text of an entry, in characters: the agent cuts what is longer.
const LONGEST: usize = 1024;

/// What an outcome has from its intent, as far as an approval speaks of it.
pub(super) fn subject(facts: &Facts) -> [&Option<String>; 6] {
    let Facts { key, access_key_id, action, region, request_sha256, reason, .. } = facts;
    [key, access_key_id, action, region, request_sha256, reason]
}

/// An order, if it is written as one is.
pub(super) fn read(text: &str) -> Option<Approval> {
    let order: Approval = serde_json::from_str(text).ok()?;
    (signet_fido::order::text(&order)? == text).then_some(order)
}

/// The first thing that an order says otherwise than the intent. Of the scope only the region is in the log.
pub(super) fn differing(order: &Approval, intent: &Entry) -> Option<&'static str> {
    let facts = &intent.facts;
    let same = |told: Option<&str>, logged: &Option<String>| told.map(cut) == logged.as_deref();
    let in_region = match (order.scope.as_deref(), facts.region.as_deref()) {
        (Some(scope), Some(region)) => scope.split('/').nth(1) == Some(region),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    let members = [
        ("version", order.version == VERSION),
        ("key", same(Some(&order.key), &facts.key)),
        ("access key id", same(Some(&order.access_key_id), &facts.access_key_id)),
        ("action", same(Some(&order.action), &facts.action)),
        ("region", in_region),
        ("request", same(Some(&order.request_sha256), &facts.request_sha256)),
        ("reason", same(order.reason.as_deref(), &facts.reason)),
        ("time", order.time == intent.time),
        ("place in the log", order.seq == intent.seq),
    ];
    members.into_iter().find(|(_, same)| !same).map(|(member, _)| member)
}

/// A text as an entry keeps it.
fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(place, _)| place);
    text.get(..end).unwrap_or(text)
}
