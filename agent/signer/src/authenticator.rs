//! FIDO2 authenticators, as far as a use needs them: the one that holds a credential is found, and has it sign,
//! with PIN or finger where that is owed and with its touch announced.
//!
//! Promises: an authenticator is known by a credential that it holds, without a touch, before its PIN goes
//! anywhere, and again right before the PIN does; a touch is announced before it is waited for; when the
//! person or the agent goes, or the time is over, the authenticator is told to wait no longer.
//!
//! Must not know what is approved, or what an answer opens.

use crate::conversation::{Conversation, is_hung_up};
use crate::token::{Asks, Error};
use signet_ctap::{
    AssertRequest, Assertion, Device, Fault, Found, Go, Patience, Permission, Token, Wait, devices, refusal,
};
use signet_protocol::PromptKind;
use signet_protocol::approval::RELYING_PARTY;
use signet_protocol::child::TokenName;
use signet_protocol::refusal::Refusal;
use std::time::{Duration, Instant};

/// Seconds that an authenticator waits for a touch: a guess; CTAP 2.1 (6.1.2) asks for at least 10.
const TOUCH_SECONDS: u32 = 30;
/// How long one look may take, all authenticators together.
const LOOK: Duration = Duration::from_secs(5);
/// How often authenticators are looked for while one is waited for.
pub const PACE: Duration = Duration::from_millis(400);

/// A credential that would do.
pub struct Wanted {
    /// Its authenticator as people know it.
    pub name: TokenName,
    /// Its id.
    pub id: Vec<u8>,
    /// How the person must be verified.
    pub verified: Verified,
}

/// How a person is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// Not at all.
    Not,
    /// As the authenticator can: by a finger that it reads, else by its PIN.
    AsItCan,
    /// By its PIN.
    ByPin,
}

/// What a credential is to sign.
pub struct Signing<'a> {
    /// What is signed, after the authenticator data.
    pub client_data_hash: &'a [u8; 32],
    /// The salt of hmac-secret, where its output is wanted.
    pub salt: Option<&'a [u8; 32]>,
    /// What was typed, where it was asked for.
    pub pin: Option<&'a [u8]>,
}

/// Looks for an authenticator that holds one of the credentials: which of them, and what must be asked.
/// Spends no try, needs no touch.
///
/// # Errors
/// [`Error::NotMine`] when there is none, with what hindered the search.
pub fn look(wanted: &[Wanted], talk: &Conversation) -> Result<(usize, Asks), Error> {
    let (at, mut device) = held(wanted, talk)?;
    let one = wanted.get(at).ok_or(Error::NotMine(None))?;
    let asks = asks(&mut device, one).map_err(|fault| refusal::of(fault, &one.name))?;
    Ok((at, asks))
}

/// Has the credential sign, on the authenticator that holds it.
///
/// # Errors
/// [`Error::NotMine`] before, [`Error::Stop`] after anything was spent.
pub fn sign(wanted: &Wanted, signing: &Signing<'_>, talk: &Conversation) -> Result<Assertion, Error> {
    let (_, mut device) = held(std::slice::from_ref(wanted), talk)?;
    let mut touch = Touch { name: &wanted.name, talk, begun: false, gone: None };
    let signed = assert(&mut device, wanted, signing, &mut touch);
    if touch.begun {
        talk.touched()?;
    }
    if let Some(gone) = touch.gone {
        return Err(gone.into());
    }
    Ok(signed.map_err(|fault| refusal::of(fault, &wanted.name))?)
}

fn assert(
    device: &mut Device,
    wanted: &Wanted,
    signing: &Signing<'_>,
    touch: &mut Touch<'_>,
) -> Result<Assertion, Fault> {
    let token = verify(device, wanted, signing.pin, touch)?;
    let ids = [wanted.id.clone()];
    let request = AssertRequest {
        rp: RELYING_PARTY,
        client_data_hash: signing.client_data_hash,
        ids: &ids,
        up: true,
        hmac_secret: signing.salt,
    };
    // A finger that was read may have been the touch too: then only the authenticator knows.
    if !touch.begun {
        touch.begin();
    }
    let (until, mut tell) = (touch.talk.until(), |wait| touch.hear(wait));
    device.get_assertion(&request, token.as_ref(), &mut Patience::until(until, &mut tell))
}

/// The authenticator's word that the person was verified, where that is owed.
fn verify(
    device: &mut Device,
    wanted: &Wanted,
    pin: Option<&[u8]>,
    touch: &mut Touch<'_>,
) -> Result<Option<Token>, Fault> {
    if wanted.verified == Verified::Not {
        return Ok(None);
    }
    if pin.is_none() {
        touch.begin();
    }
    let (until, mut tell) = (touch.talk.until(), |wait| touch.hear(wait));
    let mut patience = Patience::until(until, &mut tell);
    let permission = Permission::GetAssertion;
    match pin {
        Some(pin) => device.pin_token(pin, permission, RELYING_PARTY, &mut patience),
        None => device.uv_token(permission, RELYING_PARTY, &mut patience),
    }
    .map(Some)
}

/// The first authenticator that holds one of the credentials, and which.
fn held(wanted: &[Wanted], talk: &Conversation) -> Result<(usize, Device), Error> {
    let ids: Vec<Vec<u8>> = wanted.iter().map(|one| one.id.clone()).collect();
    let names = || wanted.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
    let mut tell = |_| if is_hung_up() { Go::Stop } else { Go::On };
    let mut patience = Patience::until(Instant::now() + LOOK, &mut tell);
    talk.waiting(signet_protocol::child::WaitingFor::Card, names())?;
    let Found { devices, failures } = devices(&mut patience);
    let mut hindrance = failures.into_iter().find_map(|(name, fault)| refusal::hindrance(&name, fault));
    for mut device in devices {
        match device.holds(RELYING_PARTY, &ids, &mut patience) {
            Ok(Some(id)) => {
                if let Some(at) = ids.iter().position(|known| *known == id) {
                    return Ok((at, device));
                }
            }
            Ok(None) => {}
            Err(fault) => hindrance = hindrance.or_else(|| refusal::hindrance(device.name(), fault)),
        }
    }
    Err(Error::NotMine(Some(Box::new(hindrance.unwrap_or_else(|| refusal::absent(&names()))))))
}

/// What must be asked so that the authenticator verifies the person.
fn asks(device: &mut Device, wanted: &Wanted) -> Result<Asks, Fault> {
    let nothing = Asks { secret: None, tries_left: None, consent: None };
    let options = device.info().options;
    // A finger that it reads itself comes before a PIN.
    match wanted.verified {
        Verified::Not => return Ok(nothing),
        Verified::AsItCan if options.uv == Some(true) => return Ok(nothing),
        Verified::AsItCan | Verified::ByPin => {}
    }
    if options.client_pin != Some(true) {
        return Err(Fault::PinNotSet);
    }
    let mut tell = |_| if is_hung_up() { Go::Stop } else { Go::On };
    let retries = device.pin_retries(&mut Patience::until(Instant::now() + LOOK, &mut tell))?;
    if retries.left == 0 {
        return Err(Fault::PinBlocked);
    }
    if retries.power_cycle {
        return Err(Fault::PowerCycleNeeded);
    }
    Ok(Asks { secret: Some(PromptKind::FidoPin), tries_left: Some(retries.left), ..nothing })
}

/// The touch of an authenticator, announced to the person.
struct Touch<'a> {
    name: &'a TokenName,
    talk: &'a Conversation,
    begun: bool,
    /// The agent has gone.
    gone: Option<Refusal>,
}

impl Touch<'_> {
    /// The authenticator is about to wait for one.
    fn begin(&mut self) {
        self.begun = true;
        self.gone = self.talk.touch(self.name.clone(), TOUCH_SECONDS).err();
    }

    /// Hears what it waits for.
    fn hear(&mut self, wait: Wait) -> Go {
        if wait == Wait::Touch && !self.begun {
            self.begin();
        }
        if self.gone.is_some() || is_hung_up() { Go::Stop } else { Go::On }
    }
}
