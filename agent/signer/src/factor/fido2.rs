//! The approval of a request by one of the key's FIDO2 factors.
//!
//! Promises: what is approved is the order of the [`Job`] and nothing else, under a nonce of this process;
//! the assertion is checked here, told to the agent, which checks it again, and its counter is on disk, before
//! the token is asked.

use crate::authenticator::{self, PACE, Signing, Verified, Wanted};
use crate::conversation::{Conversation, Typed};
use crate::job::{Job, disagree};
use crate::token::{Asks, Error, Search};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use signet_fido::assertion::{self, Assertion};
use signet_fido::order::{NONCE, client_data_hash};
use signet_fido::{Fault, proof};
use signet_protocol::child::{ApprovalGate, TokenName};
use signet_protocol::record::{Credential, Factor};
use signet_protocol::refusal::{Code, Refusal};
use std::time::Instant;

/// A factor whose authenticator is there.
pub struct Approver<'a> {
    /// The order.
    order: &'a str,
    factor: &'a Factor,
    credential: &'a Credential,
    wanted: Wanted,
    /// What must be asked of the person.
    pub asks: Asks,
}

impl<'a> Approver<'a> {
    /// The first of the key's factors whose authenticator is there; `None` where no approval is due. With a
    /// deadline, waits for one.
    ///
    /// # Errors
    /// `token_absent`, naming all that would do; what hindered the search.
    pub fn find(job: &'a Job, until: Option<Instant>, talk: &Conversation) -> Result<Option<Self>, Refusal> {
        let Some(order) = &job.approval else { return Ok(None) };
        let factors: Vec<(&Factor, &Credential)> = job
            .metadata
            .factors
            .iter()
            .filter_map(|factor| Some((factor, factor.credential.as_ref()?)))
            .collect();
        let mut wanted = factors.iter().map(wanted).collect::<Result<Vec<_>, _>>()?;
        let (at, asks) = find(&wanted, until, talk)?;
        let (factor, credential) = *factors.get(at).ok_or_else(|| disagree("which factor approves"))?;
        let wanted = wanted.swap_remove(at);
        Ok(Some(Self { order, factor, credential, wanted, asks }))
    }

    /// As people know it.
    #[must_use]
    pub fn name(&self) -> &TokenName {
        &self.wanted.name
    }

    /// Has it approve; told to the agent when it holds, which checks it again and keeps its counter.
    ///
    /// # Errors
    /// `factor_failed` for an assertion that does not hold; what the authenticator says.
    pub fn approve(
        &self,
        gate: Option<&ApprovalGate>,
        pin: Option<&Typed>,
        talk: &mut Conversation,
    ) -> Result<(), Refusal> {
        let gate = gate.ok_or_else(|| disagree("whether an approval is needed"))?;
        let mut nonce = [0; NONCE];
        SystemRandom::new()
            .fill(&mut nonce)
            .map_err(|_| Refusal::bare(Code::Internal, "the system gave no random bytes"))?;
        let client_data_hash = client_data_hash(&nonce, self.order);
        let signing = Signing { client_data_hash: &client_data_hash, salt: None, pin: pin.map(|pin| &**pin) };
        let signed = authenticator::sign(&self.wanted, &signing, talk)
            .map_err(|error| error.into_refusal(&self.wanted.name))?;
        let assertion = Assertion {
            credential: &signed.id,
            authenticator_data: &signed.auth_data,
            signature: &signed.signature,
        };
        let last = gate.counters.get(&self.factor.id).copied();
        let counter = assertion::check(self.credential, assertion, &client_data_hash, last)
            .map_err(|fault| self.does_not_hold(fault))?;
        let proof = proof::of(&self.factor.id, assertion, &nonce, self.order.to_owned());
        talk.approved(proof, counter)
    }

    fn does_not_hold(&self, fault: Fault) -> Refusal {
        let message = format!("the approval by {} is refused: {fault}", self.factor.id);
        Refusal::new(Code::FactorFailed, message, "signet factor list")
    }
}

fn wanted((factor, credential): &(&Factor, &Credential)) -> Result<Wanted, Refusal> {
    let id = STANDARD.decode(&credential.id).map_err(|_| {
        let message = format!("the credential of {} in the record is none", factor.id);
        Refusal::new(Code::Rollback, message, "signet doctor")
    })?;
    let name = TokenName { serial: factor.id.clone(), label: factor.label.clone() };
    let verified = if credential.user_verification { Verified::AsItCan } else { Verified::Not };
    Ok(Wanted { name, id, verified })
}

/// The first credential whose authenticator is there, and what it asks for.
fn find(wanted: &[Wanted], until: Option<Instant>, talk: &Conversation) -> Result<(usize, Asks), Refusal> {
    let mut search = Search::new(until);
    loop {
        let hindrance = match authenticator::look(wanted, talk) {
            Ok(found) => return Ok(found),
            Err(Error::NotMine(why)) => why,
            Err(Error::Stop(refusal)) => return Err(*refusal),
        };
        let names = wanted.iter().map(|one| one.name.clone()).collect();
        let left = search.lasts(hindrance, names, talk)?.saturating_duration_since(Instant::now());
        std::thread::sleep(left.min(PACE));
    }
}
