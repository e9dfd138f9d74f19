//! An order to write a key into tokens, checked before anybody is asked anything.
//!
//! Promises: as [`crate::reseal`] does, that the new metadata is what the person asked for; and that no
//! token is written, and no access code left out, that the request does not name.

use crate::job::{disagree, read_metadata, read_record};
use crate::reseal::{exchange, next};
use signet_envelope::Record;
use signet_protocol::api::UseAct;
use signet_protocol::child::{Act, Order, Sibling};
use signet_protocol::record::{Custody, Holder, Metadata, Recipient};
use signet_protocol::refusal::Refusal;

/// A checked order to write the key into tokens.
pub struct Embed {
    /// The last generation's metadata, but for its holders (and the generation that may come before).
    pub(super) metadata: Metadata,
    /// The tokens to write, in this order.
    pub tokens: Vec<Recipient>,
    pub(super) access_code: bool,
    pub(super) siblings: Vec<Sister>,
}

/// Another key's record that holds the access code of a token.
pub(super) struct Sister {
    pub(super) serial: String,
    pub(super) record: Record,
}

impl Embed {
    /// Checks the metadata of the generation that is to follow `old`, and what is to be written.
    ///
    /// # Errors
    /// `internal` where it is not what the request asks for, `bad_request` where that cannot be.
    pub fn read(old: &Metadata, record: &Record, order: &Order, asked: &UseAct) -> Result<Self, Refusal> {
        let Act::Embed { metadata, tokens, access_code, siblings, .. } = &order.act else {
            return Err(disagree("what is to be done"));
        };
        let (mut new, mut expected) = next(old, record, metadata)?;
        expected.custody = Custody::InToken;
        let is_asked = match asked {
            UseAct::Embed { tokens: named, access_code: code } => {
                code == access_code && (named.is_empty() || is_same_set(named, tokens))
            }
            UseAct::Reseal { add, drop } => {
                exchange(&mut expected, &new, add, drop)?;
                let has_code = old.holders.iter().any(|holder| holder.access_code);
                old.custody == Custody::InToken && *access_code == has_code && is_same_set(add, tokens)
            }
            UseAct::Sign(_)
            | UseAct::Add { .. }
            | UseAct::SetPolicy { .. }
            | UseAct::AddTotp { .. }
            | UseAct::AddFido2 { .. }
            | UseAct::RemoveFactor { .. }
            | UseAct::Remove {}
            | UseAct::Verify { .. }
            | UseAct::Restore { .. } => false,
        };
        // A token that is written again is another holder than before, whether it was left out or not.
        let stays = |holder: &Holder| !tokens.contains(&holder.serial);
        expected.holders.retain(stays);
        new.holders.retain(stays);
        if !is_asked || new != expected {
            return Err(disagree("what the new record is to say"));
        }
        let recipient = |serial: &String| new.recipients.iter().find(|to| to.serial == *serial).cloned();
        let recipients: Option<Vec<Recipient>> = tokens.iter().map(recipient).collect();
        let recipients = recipients.filter(|all| !all.is_empty() && is_unique(tokens));
        let tokens = recipients.ok_or_else(|| disagree("which tokens are written"))?;
        let siblings = siblings.iter().map(Sister::read).collect::<Result<_, _>>()?;
        Ok(Self { metadata: new, tokens, access_code: *access_code, siblings })
    }
}

impl Sister {
    fn read(sibling: &Sibling) -> Result<Self, Refusal> {
        let (_, record) = read_record(&sibling.record, &sibling.header_sha256, &sibling.key)?;
        read_metadata(record.meta(), &sibling.key)?;
        Ok(Self { serial: sibling.serial.clone(), record })
    }
}

fn is_same_set(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|serial| other.contains(serial))
}

fn is_unique(serials: &[String]) -> bool {
    serials.iter().enumerate().all(|(at, serial)| !serials.iter().take(at).any(|before| before == serial))
}
