//! What the user has given before a credential is made or used: his PIN by way of a token, his finger, his
//! presence (CTAP 2.1, sections 6.1.2 and 6.2.2, the steps that both have).

use std::time::Instant;

use super::Fido;
use super::protocol::offered;
use super::request::{Request, needed};
use super::status::{self, Status};
use super::token::Wish;
use crate::card::profile::{Fido as Ability, Uv};

/// What is known before a touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Consent {
    /// A token proves that the user was verified.
    pub(super) verified: bool,
    /// The touch shall be that of his finger.
    pub(super) finger: bool,
    /// The token is evidence of his presence too.
    pub(super) present: bool,
}

/// What it is asked for.
pub(super) struct For<'a> {
    pub(super) permission: u8,
    pub(super) rp_id: &'a str,
    pub(super) client_data_hash: &'a [u8],
    /// The map of options.
    pub(super) options: i64,
    /// The proof by a token, and the number of its protocol.
    pub(super) proof: i64,
    pub(super) protocol: i64,
}

impl Fido {
    pub(super) fn consent(
        &mut self,
        ability: Ability,
        request: Request<'_>,
        what: &For<'_>,
        now: Instant,
    ) -> Result<Consent, Status> {
        let uv = request.option(what.options, "uv")?.unwrap_or(false);
        let Some(proof) = request.bytes(what.proof)? else {
            if uv && ability.uv == Uv::Absent {
                return Err(status::INVALID_OPTION);
            }
            return Ok(Consent { verified: false, finger: uv, present: false });
        };
        let protocol = offered(ability, needed(request.number(what.protocol)?)?)?;
        let token = self.session.token.as_mut().ok_or(status::PIN_AUTH_INVALID)?;
        token.allow(
            &Wish {
                protocol,
                permission: what.permission,
                rp_id: what.rp_id,
                client_data_hash: what.client_data_hash,
                proof,
            },
            now,
        )?;
        Ok(Consent { verified: true, finger: false, present: token.present })
    }

    /// Whether the request asks only whether a token is the one that was meant: by an empty proof.
    pub(super) fn is_question(request: Request<'_>, proof: i64) -> Result<bool, Status> {
        Ok(request.bytes(proof)?.is_some_and(<[u8]>::is_empty))
    }

    /// The finger that has touched is looked at.
    pub(super) fn verify_finger(&mut self, ability: Ability) -> Result<(), Status> {
        if self.uv_left == 0 {
            return Err(status::UV_BLOCKED);
        }
        if ability.uv == Uv::Matches {
            self.uv_left = super::UV_TRIES;
            return Ok(());
        }
        self.uv_left -= 1;
        Err(if self.uv_left == 0 { status::UV_BLOCKED } else { status::UV_INVALID })
    }

    /// After a touch: whether the user is verified now.
    pub(super) fn touched_with(&mut self, ability: Ability, consent: Consent) -> Result<bool, Status> {
        if consent.finger && self.verify_finger(ability).is_err() {
            // With a PIN there is another way.
            let blocked = self.uv_left == 0 && self.pin.is_set();
            return Err(if blocked { status::PIN_REQUIRED } else { status::OPERATION_DENIED });
        }
        if let Some(token) = &mut self.session.token {
            token.use_up();
        }
        Ok(consent.verified || consent.finger)
    }
}
