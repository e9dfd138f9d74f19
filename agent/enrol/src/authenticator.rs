//! The FIDO2 authenticator that is to be enrolled: chosen, asked for its PIN, made to make a credential and
//! to try it.
//!
//! Promises: there is one, or nothing is done; its PIN goes only to it, and its last try is not spent
//! unasked; each touch is announced before it is waited for; when the agent goes, or the time is over,
//! it is told to wait no longer.

use crate::conversation::{Conversation, Question};
use ring::rand::{SecureRandom, SystemRandom};
use signet_ctap::{
    AssertRequest, Assertion, Device, Fault, Found, Go, Made, MakeRequest, Patience, Permission, Token, Wait,
    devices, refusal,
};
use signet_envelope::Secret;
use signet_protocol::approval::RELYING_PARTY;
use signet_protocol::child::TokenName;
use signet_protocol::{Code, PromptKind, Refusal};
use std::time::{Duration, Instant};

/// How long one look may take.
const LOOK: Duration = Duration::from_secs(5);
/// Seconds that an authenticator waits for a touch: a guess; CTAP 2.1 (6.1.2) asks for at least 10.
const TOUCH_SECONDS: u32 = 30;

/// How the person is to be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// As the authenticator can, if it can.
    AsItCan,
    /// By its PIN, and the authenticator is to answer hmac-secret.
    ToOpen,
}

/// How the person is verified.
enum Verifies {
    /// By the PIN that was typed.
    Pin(Secret),
    /// By a finger that the authenticator reads.
    Finger,
    /// Not at all: none is set up.
    Not,
}

/// The authenticator.
pub(crate) struct Authenticator {
    device: Device,
    name: TokenName,
    verifies: Verifies,
    /// Touches so far, and how many there will be.
    touches: (u32, u32),
}

impl Authenticator {
    /// The only one there, if it holds none of `excluded`; its PIN asked for, where it has one. `touches` is
    /// how many the act takes.
    ///
    /// # Errors
    /// `token_absent`, `bad_request` where there are several or it is enrolled already; what it says.
    pub(crate) fn choose(
        talk: &mut Conversation,
        serial: &str,
        excluded: &[Vec<u8>],
        want: Want,
        touches: u32,
    ) -> Result<Self, Refusal> {
        let mut tell = |_| if talk.is_hung_up() { Go::Stop } else { Go::On };
        let mut patience = Patience::until(Instant::now() + LOOK, &mut tell);
        let Found { devices, failures } = devices(&mut patience);
        let mut there = devices.into_iter();
        let Some(mut device) = there.next() else {
            let why = failures.into_iter().find_map(|(name, fault)| refusal::hindrance(&name, fault));
            return Err(why.unwrap_or_else(absent));
        };
        if let Some(other) = there.next() {
            let message = format!(
                "several fido2 authenticators are there ({}, {}): leave only the one to enrol",
                device.name(),
                other.name()
            );
            return Err(Refusal::new(Code::BadRequest, message.to_lowercase(), "signet factor list"));
        }
        let name = TokenName { serial: serial.to_owned(), label: device.name().to_owned() };
        let said = |fault| said(fault, &name);
        if !excluded.is_empty()
            && device.holds(RELYING_PARTY, excluded, &mut patience).map_err(said)?.is_some()
        {
            return Err(enrolled_already(&name));
        }
        let options = device.info().options;
        let reads_finger = options.uv == Some(true) && want == Want::AsItCan;
        let has_pin = options.client_pin == Some(true);
        if want == Want::ToOpen && !device.info().has_extension("hmac-secret") {
            return Err(no_hmac_secret(&name));
        }
        if want == Want::ToOpen && !has_pin {
            return Err(no_pin(&name));
        }
        let retries = if reads_finger || !has_pin {
            None
        } else {
            Some(device.pin_retries(&mut patience).map_err(said)?)
        };
        let verifies = match retries {
            Some(retries) if retries.left == 0 => return Err(said(Fault::PinBlocked)),
            Some(retries) if retries.power_cycle => return Err(said(Fault::PowerCycleNeeded)),
            Some(retries) => Verifies::Pin(pin(talk, &name, retries.left)?),
            None if reads_finger => Verifies::Finger,
            None => Verifies::Not,
        };
        Ok(Self { device, name, verifies, touches: (0, touches) })
    }

    /// What it is called.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// Whether the person is verified.
    pub(crate) fn verifies(&self) -> bool {
        !matches!(self.verifies, Verifies::Not)
    }

    /// Makes a credential.
    pub(crate) fn make(&mut self, talk: &Conversation, request: &MakeRequest<'_>) -> Result<Made, Refusal> {
        self.touched(talk, Permission::MakeCredential, |device, token, patience| {
            device.make_credential(request, token, patience)
        })
    }

    /// Has a credential sign.
    pub(crate) fn sign(
        &mut self,
        talk: &Conversation,
        id: &[u8],
        client_data_hash: &[u8; 32],
        salt: Option<&[u8; 32]>,
    ) -> Result<Assertion, Refusal> {
        let ids = [id.to_vec()];
        let request =
            AssertRequest { rp: RELYING_PARTY, client_data_hash, ids: &ids, up: true, hmac_secret: salt };
        self.touched(talk, Permission::GetAssertion, |device, token, patience| {
            device.get_assertion(&request, token, patience)
        })
    }

    /// Something that takes the person, verified where that is possible, and a touch.
    fn touched<T>(
        &mut self,
        talk: &Conversation,
        permission: Permission,
        act: impl FnOnce(&mut Device, Option<&Token>, &mut Patience<'_>) -> Result<T, Fault>,
    ) -> Result<T, Refusal> {
        let Self { device, name, verifies, touches } = self;
        let said = |fault| said(fault, name);
        let mut tell = |_: Wait| if talk.is_hung_up() { Go::Stop } else { Go::On };
        let mut patience = Patience::until(talk.until(), &mut tell);
        if matches!(verifies, Verifies::Finger) {
            announce(talk, name, touches)?;
        }
        let token = match verifies {
            Verifies::Pin(pin) => Some(device.pin_token(pin, permission, RELYING_PARTY, &mut patience)),
            Verifies::Finger => Some(device.uv_token(permission, RELYING_PARTY, &mut patience)),
            Verifies::Not => None,
        };
        let token = token.transpose().map_err(said)?;
        if !matches!(verifies, Verifies::Finger) {
            announce(talk, name, touches)?;
        }
        let done = act(device, token.as_ref(), &mut patience);
        talk.touched()?;
        done.map_err(|fault| match fault {
            Fault::Excluded => enrolled_already(name),
            fault => said(fault),
        })
    }
}

/// A sentence begins with what it is, not with the name that its maker gave it.
fn said(fault: Fault, name: &TokenName) -> Refusal {
    let label = format!("the authenticator {}", name.label);
    refusal::of(fault, &TokenName { serial: String::new(), label })
}

fn announce(talk: &Conversation, name: &TokenName, touches: &mut (u32, u32)) -> Result<(), Refusal> {
    let (before, of) = *touches;
    let n = before.saturating_add(1);
    *touches = (n, of.max(n));
    talk.touch(n, of.max(n), name, TOUCH_SECONDS)
}

fn pin(talk: &mut Conversation, name: &TokenName, left: u8) -> Result<Secret, Refusal> {
    if left == 1 {
        let text = format!("one try is left for the pin of {}: use it?", name.label);
        if !talk.confirm(text, name)? {
            return Err(Refusal::bare(Code::Interrupted, "the last try of the pin was not used"));
        }
    }
    let text = format!("pin of the authenticator {}", name.label);
    talk.ask(Question { kind: PromptKind::FidoPin, text, tries_left: Some(left), token: name })
}

fn absent() -> Refusal {
    let message = "no fido2 authenticator is there: plug in the one to enrol";
    Refusal::new(Code::TokenAbsent, message, "signet doctor")
}

fn no_hmac_secret(name: &TokenName) -> Refusal {
    let message =
        format!("the authenticator {} has no hmac-secret, without which it opens nothing", name.label);
    Refusal::new(Code::Unsupported, message, "signet factor add fido2 --key NAME")
}

fn no_pin(name: &TokenName) -> Refusal {
    let message = format!("the authenticator {} has no pin, without which it opens nothing", name.label);
    Refusal::new(Code::Unsupported, message, "ykman fido access change-pin")
}

fn enrolled_already(name: &TokenName) -> Refusal {
    let message = format!("the authenticator {} is enrolled already", name.label);
    Refusal::new(Code::BadRequest, message, "signet factor list")
}

/// 32 random bytes.
pub(crate) fn random() -> Result<[u8; 32], Refusal> {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Refusal::bare(Code::Internal, "the system gave no random bytes"))?;
    Ok(bytes)
}
