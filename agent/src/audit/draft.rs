//! An entry as the pipeline knows it, before the log gives it its number and its place.

use crate::clock;
use signet_protocol::audit::{Entry, Facts, Phase};
use signet_protocol::record::Factor;
use time::OffsetDateTime;

/// Longest text of an entry, in characters: callers choose some of them.
const LONGEST: usize = 1024;
/// Acts that set the factors of a key.
const SETS_FACTORS: [&str; 4] = ["signet:Add", "signet:Restore", "signet:AddFactor", "signet:RemoveFactor"];

/// An entry without number and chain. Unknown is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Id of the use.
    pub id: String,
    /// When.
    pub time: OffsetDateTime,
    /// What it records.
    pub phase: Phase,
    /// What it is about.
    pub facts: Facts,
}

impl Draft {
    /// An entry of which nothing else is known.
    #[must_use]
    pub fn new(phase: Phase, id: &str, time: OffsetDateTime) -> Self {
        Self { id: id.to_owned(), time, phase, facts: Facts::default() }
    }

    /// What the log keeps of an intent that has no outcome; with the key's FIDO2 factors as they are now, where
    /// it may have set them.
    pub(super) fn unfinished(
        intent: Entry,
        enrolled: impl Fn(&str) -> Option<Vec<Factor>>,
        time: OffsetDateTime,
    ) -> Self {
        let sets = matches!(intent.facts.action.as_deref(), Some(action) if SETS_FACTORS.contains(&action));
        let enrolled = intent.facts.key.as_deref().filter(|_| sets).and_then(enrolled);
        let result = Some("unfinished".to_owned());
        let facts = Facts { pid: None, exe: None, reason: None, result, enrolled, ..intent.facts };
        Self { facts, ..Self::new(Phase::Recovered, &intent.id, time) }
    }

    /// The entry with its place in the chain.
    pub(super) fn entry(self, seq: u64, prev: &str) -> Entry {
        let Self { id, time, phase, mut facts } = self;
        for text in texts(&mut facts) {
            *text = text.take().map(cut);
        }
        Entry { seq, id: cut(id), time: clock::rfc3339(time), phase, facts, prev: prev.to_owned() }
    }
}

/// Every text, so that none is forgotten: a new fact does not compile before it stands here.
fn texts(facts: &mut Facts) -> [&mut Option<String>; 18] {
    let Facts {
        key,
        access_key_id,
        account,
        action,
        region,
        host,
        request_sha256,
        uid: _,
        user,
        pid: _,
        exe,
        machine,
        reason,
        rule,
        token,
        token_label,
        factors: _,
        // bounded by the records and the orders that they come from
        proof: _,
        enrolled: _,
        result,
        code,
        session_key_id,
        aws_request_id,
    } = facts;
    [
        key,
        access_key_id,
        account,
        action,
        region,
        host,
        request_sha256,
        user,
        exe,
        machine,
        reason,
        rule,
        token,
        token_label,
        result,
        code,
        session_key_id,
        aws_request_id,
    ]
}

fn cut(mut text: String) -> String {
    if let Some((place, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(place);
    }
    text
}
