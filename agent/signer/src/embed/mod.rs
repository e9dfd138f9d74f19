//! A key written into tokens, after which no record holds it.
//!
//! Promises: the course is one that may be broken off anywhere. Access codes that are new are durable,
//! in a generation of their own, before any applet is given one; each token proves by a touch that it
//! computes what it should; only then is there a generation without the secret. Begun again, it finds
//! what was done and goes on. The new metadata is what the person asked for, as with [`crate::reseal`].
//!
//! Of secrets: this is the one act that hands the secret to a token. It is borrowed from the payload,
//! or from what was typed; its HMAC key is in one buffer that is wiped when this ends.

mod order;

use crate::access_code::Codes;
use crate::answers::{self, Answers, about};
use crate::conversation::{Conversation, Typed};
use crate::job::{Job, disagree};
use crate::payload::Payload;
use crate::reseal::{dropped, seal_as};
use crate::token::holder::{Locked, Writing};
use crate::token::{self, Candidate, Keeper, find, find_keep, name_of};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
pub use order::Embed;
use signet_envelope::{Record, hex, sha256};
use signet_protocol::PromptKind;
use signet_protocol::child::{CodeFate, Order, TokenName};
use signet_protocol::record::{self, CHECK_CHALLENGE, Holder, Recipient};
use signet_protocol::refusal::{Code, Refusal};
use signet_sigv4::{answer, hmac_key};
use std::time::Instant;
use zeroize::Zeroizing;

/// Longest name of a credential.
const LONGEST_NAME: usize = 64;

/// What the course of a use has at hand.
pub struct Hand<'a> {
    /// The order.
    pub order: &'a Order,
    /// Until when a token that is not there is waited for.
    pub patience: Option<Instant>,
    /// The token that opened the record.
    pub opener: &'a TokenName,
    /// What became of the code.
    pub code: CodeFate,
    /// What [`glance`] found.
    pub locked: &'a [String],
}

/// Looks at the tokens that are to be written and are there, before a PIN, a code or a touch is spent. Gives
/// the serials of those whose applets ask for an access code: each needs the one that it has, and no new one.
///
/// # Errors
/// `unsupported` where one has no place for a key.
pub fn glance(embed: &Embed, talk: &Conversation) -> Result<Vec<String>, Refusal> {
    let mut locked = Vec::new();
    for recipient in &embed.tokens {
        match token::keeper(recipient)?.keep.look(None, talk) {
            Ok(Locked::Foreign) => locked.push(recipient.serial.clone()),
            Ok(Locked::No { .. } | Locked::Fits) => {}
            // Not there yet: it is waited for when its turn comes.
            Err(token::Error::NotMine(_)) => {}
            Err(token::Error::Stop(refusal)) => return Err(*refusal),
        }
    }
    Ok(locked)
}

/// Writes the key into the tokens, and gives the last generation.
///
/// # Errors
/// Whatever a token refuses; `bad_request` for a secret that is not this key's, `unsupported` for one
/// that is too long for a token.
pub fn run(
    job: &Job,
    embed: &Embed,
    payload: &Payload,
    answers: &Answers,
    hand: &Hand<'_>,
    talk: &mut Conversation,
) -> Result<Vec<u8>, Refusal> {
    let held = payload.read()?;
    let (key, check) = the_key(job, held.secret, answers)?;
    let keepers = embed.tokens.iter().map(token::keeper).collect::<Result<Vec<_>, _>>()?;
    for keeper in &keepers {
        if key.len() > keeper.longest_key {
            return Err(too_long(keeper));
        }
    }

    let mut codes = Codes::of(&held.access_codes);
    let mut last = embed.metadata.clone();
    if embed.access_code && make_missing(&mut codes, embed, hand.locked)? {
        let between = record::Payload { access_codes: codes.of_those(|_| true), ..held };
        let stored = store(job, &between, hand, talk)?;
        last.epoch = stored.epoch.saturating_add(1);
        last.previous = Some(stored.header_sha256);
    }

    let held = payload.read()?;
    let task = Task { job, embed, answers, hand, key: &key, check: &check };
    for (recipient, keeper) in embed.tokens.iter().zip(keepers) {
        last.holders.push(task.write(recipient, keeper, &mut codes, talk)?);
    }

    dropped(&job.metadata, &last).iter().for_each(|serial| codes.forget(serial));
    let access_codes = codes.of_those(|_| true);
    let text = serde_json::to_string(&last).map_err(|_| disagree("how metadata is written"))?;
    seal_as(&last, &text, &record::Payload { secret: None, totp_seed: held.totp_seed, access_codes })
}

/// The HMAC key, and the hash of what it answers to the challenge that is no date. A secret that was
/// typed is compared with what the holders there are have answered.
fn the_key(
    job: &Job,
    sealed: Option<&str>,
    answers: &Answers,
) -> Result<(Zeroizing<Vec<u8>>, String), Refusal> {
    let secret = match (sealed, &answers.key) {
        (Some(sealed), None) => sealed.as_bytes(),
        (None, Some(typed)) => typed,
        (Some(_), Some(_)) | (None, None) => return Err(disagree("where the key is")),
    };
    let check = hex(&sha256(&*answer(secret, CHECK_CHALLENGE)));
    if answers.key.is_some() && job.metadata.holders.iter().any(|holder| holder.check != check) {
        let message = format!("that is not the secret of {}", job.metadata.access_key_id);
        return Err(Refusal::bare(Code::BadRequest, message));
    }
    Ok((hmac_key(secret), check))
}

/// Makes the access codes that there are not yet; whether there was one to make.
fn make_missing(codes: &mut Codes, embed: &Embed, locked: &[String]) -> Result<bool, Refusal> {
    let mut made = false;
    for token in &embed.tokens {
        if codes.get(&token.serial).is_none() && !locked.contains(&token.serial) {
            codes.make(&token.serial)?;
            made = true;
        }
    }
    Ok(made)
}

/// A generation that is on disk.
struct Stored {
    epoch: u64,
    header_sha256: String,
}

/// Seals the old metadata, one epoch on, around `payload`, and waits until that is durable.
fn store(
    job: &Job,
    payload: &record::Payload<'_>,
    hand: &Hand<'_>,
    talk: &mut Conversation,
) -> Result<Stored, Refusal> {
    let mut metadata = job.metadata.clone();
    metadata.epoch = metadata.epoch.saturating_add(1);
    metadata.previous = Some(hex(&job.record.header_sha256()));
    let text = serde_json::to_string(&metadata).map_err(|_| disagree("how metadata is written"))?;
    let file = seal_as(&metadata, &text, payload)?;
    let record = Record::parse(&file).map_err(|error| Refusal::bare(Code::Internal, error.to_string()))?;
    talk.store(STANDARD.encode(&file), metadata.epoch, hand.opener.clone(), hand.code)?;
    Ok(Stored { epoch: metadata.epoch, header_sha256: hex(&record.header_sha256()) })
}

/// What is the same for each token.
struct Task<'a> {
    job: &'a Job,
    embed: &'a Embed,
    answers: &'a Answers,
    hand: &'a Hand<'a>,
    key: &'a [u8],
    check: &'a str,
}

impl Task<'_> {
    /// Writes one token; `codes` holds afterwards the access code that it has, if any.
    fn write(
        &self,
        recipient: &Recipient,
        mut keeper: Keeper,
        codes: &mut Codes,
        talk: &mut Conversation,
    ) -> Result<Holder, Refusal> {
        let serial = &recipient.serial;
        match self.look(&mut keeper, codes.get(serial), talk)? {
            Locked::No { .. } if self.embed.access_code && codes.get(serial).is_none() => {
                return Err(unlocked_meanwhile(&keeper.name));
            }
            Locked::No { others } if self.embed.access_code => agreed(&keeper.name, others, talk)?,
            Locked::No { .. } => codes.forget(serial),
            Locked::Fits => {}
            // Where none fits, the token refuses before anything is written.
            Locked::Foreign => self.borrow_code(recipient, &mut keeper, codes, talk)?,
        }
        let credential = credential(&self.job.metadata.name);
        let code = codes.get(serial);
        let writing = Writing { credential: &credential, key: self.key, check: self.check, code };
        let written = keeper.keep.write(&writing, talk);
        let device = written.map_err(|error| error.into_refusal(&keeper.name))?;
        Ok(Holder {
            kind: keeper.kind.to_owned(),
            serial: serial.clone(),
            device,
            credential,
            access_code: code.is_some(),
            check: self.check.to_owned(),
        })
    }

    fn look(&self, keeper: &mut Keeper, code: Option<&str>, talk: &Conversation) -> Result<Locked, Refusal> {
        find_keep(&mut *keeper.keep, &keeper.name, code, self.hand.patience, talk)
    }

    /// Looks for a token's access code in other keys' records, each opened by the token itself. Leaves
    /// `codes` as it was where none fits.
    fn borrow_code(
        &self,
        recipient: &Recipient,
        keeper: &mut Keeper,
        codes: &mut Codes,
        talk: &mut Conversation,
    ) -> Result<(), Refusal> {
        let mut asked: Option<Typed> = None;
        for sister in self.embed.siblings.iter().filter(|sister| sister.serial == recipient.serial) {
            let name = name_of(recipient);
            let token = token::opener(recipient, self.hand.order)?;
            let mut opener = [Candidate { name: name.clone(), token }];
            let (found, asks) = find(&mut opener, self.hand.patience, talk)?;
            if self.hand.opener.serial != name.serial && asked.is_none() {
                asked = answers::secret(&asks, &name, talk)?;
            }
            answers::consent(&asks, &name, talk)?;
            let secret = asked.as_ref().or(self.answers.secret.as_ref());
            let secret = secret.ok_or_else(|| disagree("whether the record is opened"))?;
            talk.expect_touches(found.token.touches());
            let payload = found.token.open(&sister.record, secret, talk);
            let payload = payload.map_err(|error| error.into_refusal(&name))?;
            let Some(code) = payload.access_code(&name.serial)? else { continue };
            if self.look(keeper, Some(code), talk)? == Locked::Fits {
                codes.keep(&name.serial, code);
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Other people's credentials in an applet will ask for the new access code too: that is asked first.
fn agreed(token: &TokenName, others: usize, talk: &mut Conversation) -> Result<(), Refusal> {
    if others == 0 {
        return Ok(());
    }
    let text = format!(
        "token {} holds {others} other oath accounts, which will ask for signet's access code too: go on",
        token.serial
    );
    if talk.ask(about(PromptKind::Confirm, Some(text), token))?.is_yes() {
        Ok(())
    } else {
        Err(Refusal::bare(Code::Interrupted, "the access code was not set"))
    }
}

/// It asked for an access code when it was glanced at, so that none was made.
fn unlocked_meanwhile(token: &TokenName) -> Refusal {
    let message = format!("the access code of token {} was taken away meanwhile", token.serial);
    Refusal::new(Code::Busy, message, format!("signet token info {}", token.serial))
}

/// The name of a key's credential, cut to what applets take.
fn credential(key: &str) -> String {
    let mut name = format!("signet-{key}");
    // Names of keys are ASCII.
    name.truncate(LONGEST_NAME);
    name
}

fn too_long(keeper: &Keeper) -> Refusal {
    let most = keeper.longest_key.saturating_sub(hmac_key(b"").len());
    let message = format!(
        "the secret is too long for token {}: it holds at most {most} characters",
        keeper.name.serial
    );
    Refusal::bare(Code::Unsupported, message)
}

#[cfg(test)]
mod tests {
    use super::credential;
    use signet_protocol::record::is_key_name;

    #[test]
    fn the_longest_name_of_a_key_makes_a_name_that_applets_take() {
        assert_eq!(credential("prod-root"), "signet-prod-root");
        let longest = "k".repeat(64);
        assert!(is_key_name(&longest));
        assert_eq!(credential(&longest), format!("signet-{}", "k".repeat(57)));
    }
}
