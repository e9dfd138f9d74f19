//! `signet factor add fido2`: a credential is made on an authenticator, then the key takes it in. Two acts, in
//! this order: what fails in the first leaves the key as it is.

use crate::args::Format;
use crate::command::show::find;
use crate::command::token::another;
use crate::context::Context;
use crate::output;
use serde::Serialize;
use signet_protocol::api::UseAct;
use signet_protocol::child::{EnrolAct, Managed};
use signet_protocol::record::{Credential, Factor, FactorKind, MAX_FACTORS};
use signet_protocol::{Code, Refusal, VERSION};

/// A credential that was just made.
#[derive(Serialize)]
pub(in crate::command) struct Made {
    /// What the authenticator is called.
    device: String,
    /// What the record is to keep of it.
    pub(in crate::command) credential: Credential,
    /// What the person should know.
    warnings: Vec<String>,
}

/// Makes a credential for a key, on an authenticator that is none of these factors, and says on which.
pub(in crate::command) fn make(cx: &Context, key: &str, factors: &[Factor]) -> Result<Made, Refusal> {
    let order = "first the authenticator that is to approve: its pin and its touch";
    output::talk(&format!("{order}; then the token of {key}"));
    let known = factors.iter().filter_map(|factor| factor.credential.as_ref());
    let exclude = known.map(|credential| credential.id.clone()).collect();
    let made = match cx.manage(EnrolAct::Credential { key: key.to_owned(), exclude })? {
        Some(Managed::Credential { credential, device, warnings }) => Made { device, credential, warnings },
        Some(Managed::Enrolled { .. } | Managed::Seen { .. } | Managed::Done) | None => return Err(another()),
    };
    output::talk(&format!("{} is enrolled, verified by {}", made.device, verified_by(&made.credential)));
    for warning in &made.warnings {
        output::talk(&format!("warning: {warning}"));
    }
    Ok(made)
}

/// How an authenticator knows who touches it.
pub(in crate::command) fn verified_by(credential: &Credential) -> &'static str {
    if credential.user_verification { "pin or biometry" } else { "touch only" }
}

/// Adds an authenticator to those that approve the uses of a key.
pub(super) fn add(cx: &Context, key: &str, label: &str) -> Result<(), Refusal> {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        key: &'a str,
        #[serde(flatten)]
        made: Made,
    }
    let factors = find(cx, key)?.factor_details;
    if factors.len() >= MAX_FACTORS {
        let message = format!("{key} has {MAX_FACTORS} factors already: remove one first");
        return Err(Refusal::new(Code::BadRequest, message, "signet factor list"));
    }
    let made = make(cx, key, &factors)?;
    let credential = made.credential.clone();
    cx.use_key(key, UseAct::AddFido2 { label: label.to_owned(), credential }, None)?;
    match cx.format() {
        Format::Json => output::json(&Document { version: VERSION, key, made }),
        Format::Text | Format::Csv => {
            output::talk(&added(key, factors.iter().filter(|it| it.kind == FactorKind::Fido2).count()));
            Ok(())
        }
    }
}

/// What was added to so many authenticators.
fn added(key: &str, others: usize) -> String {
    match others {
        0 => format!("{key} now needs an approval by this authenticator for each use"),
        others => format!("any one of the {} authenticators of {key} now approves a use", others + 1),
    }
}
