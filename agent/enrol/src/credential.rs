//! A FIDO2 credential for the approvals of one key.
//!
//! Promises: where the authenticator can verify the person, it does so now and at each use from here on; what
//! it has made is seen to work, as it will be used, before it is told.

use crate::authenticator::{Authenticator, Want, random};
use crate::conversation::Conversation;
use base64::{Engine, engine::general_purpose::STANDARD};
use signet_ctap::{Algorithm, MakeRequest};
use signet_fido::Fault;
use signet_fido::assertion::{Assertion, MAX_TRANSPORTS, check, is_transport};
use signet_protocol::approval::RELYING_PARTY;
use signet_protocol::child::Managed;
use signet_protocol::record::{self, Credential};
use signet_protocol::{Code, Refusal};

/// What an authenticator is called as long as it has no name of a factor.
const SERIAL: &str = "fido2";
/// One to make it, one to try it.
const TOUCHES: u32 = 2;

/// Makes one, and tries it.
pub(crate) fn make(talk: &mut Conversation, key: &str, exclude: &[String]) -> Result<Managed, Refusal> {
    talk.must_ask("the authenticator has to be touched")?;
    let excluded = exclude.iter().map(|id| STANDARD.decode(id)).collect::<Result<Vec<_>, _>>();
    let excluded = excluded.map_err(|_| Refusal::bare(Code::BadRequest, "a credential id is not base64"))?;
    let mut authenticator = Authenticator::choose(talk, SERIAL, &excluded, Want::AsItCan, TOUCHES)?;
    let made = authenticator.make(
        talk,
        &MakeRequest {
            rp: RELYING_PARTY,
            user_id: &random()?,
            user_name: key,
            client_data_hash: &random()?,
            algorithms: &[Algorithm::Es256, Algorithm::EdDsa],
            exclude: &[],
            hmac_secret: false,
        },
    )?;
    let info = authenticator.device().info();
    let mut credential = Credential {
        id: STANDARD.encode(&made.id),
        algorithm: match made.algorithm {
            Algorithm::Es256 => record::Algorithm::Es256,
            Algorithm::EdDsa => record::Algorithm::EdDsa,
        },
        public_key: STANDARD.encode(&made.public_key),
        aaguid: signet_envelope::hex(&made.aaguid),
        transports: info
            .transports
            .iter()
            .filter(|name| is_transport(name))
            .take(MAX_TRANSPORTS)
            .cloned()
            .collect(),
        user_verification: authenticator.verifies(),
        counter: Some(made.counter),
    };
    let client_data_hash = random()?;
    let tried = authenticator.sign(talk, &made.id, &client_data_hash, None)?;
    let assertion = Assertion {
        credential: &tried.id,
        authenticator_data: &tried.auth_data,
        signature: &tried.signature,
    };
    credential.counter = match check(&credential, assertion, &client_data_hash, None) {
        Ok(counter) => Some(counter),
        // It may be one whose counter is always zero.
        Err(Fault::Counter) => {
            credential.counter = None;
            check(&credential, assertion, &client_data_hash, None).map_err(does_not_work)?;
            None
        }
        Err(fault) => return Err(does_not_work(fault)),
    };
    let mut warnings = Vec::new();
    if !credential.user_verification {
        let message =
            "it has no pin and reads no finger: whoever holds it can approve; set a pin, and enrol it again";
        warnings.push(message.to_owned());
    }
    let device = authenticator.device().name().to_owned();
    Ok(Managed::Credential { credential, device, warnings })
}

fn does_not_work(fault: Fault) -> Refusal {
    let message = format!("the credential that the authenticator made cannot be used: {fault}");
    Refusal::new(Code::Unsupported, message, "signet factor list")
}
