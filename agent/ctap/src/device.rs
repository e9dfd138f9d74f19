//! An authenticator that is there: what is asked of it, in which order, and how a use of it ends.

use crate::assertion::{Salting, lists};
use crate::cbor::{Map, Value};
use crate::fault::PIN_INVALID;
use crate::info::GET_INFO;
use crate::pin::{self, Protocol, Shared};
use crate::port::{After, Asks, Port};
use crate::{AssertRequest, Assertion, Fault, Info, Made, MakeRequest, Patience, Permission, Retries, Token};

/// One authenticator.
///
/// A use begins with the first question and ends with the answer to the last: a token is for the one
/// [`Device::make_credential`] or [`Device::get_assertion`] that follows. After it, or when this is
/// dropped, a card is reset and forgets it; on USB it is known to nobody but its holder here.
pub struct Device {
    name: String,
    info: Info,
    port: Box<dyn Port>,
    /// Whether somebody may be verified, or a touch given, that must be forgotten.
    spent: bool,
}

impl Device {
    pub(crate) fn start(
        name: String,
        mut port: Box<dyn Port>,
        patience: &mut Patience<'_>,
    ) -> Result<Self, Fault> {
        let answer = port.exchange(&GET_INFO, Asks::Device, patience);
        port.end(After::Leave);
        let info = Info::parse(&map(&success(answer?)?)?)?;
        Ok(Self { name, info, port, spent: false })
    }

    /// What people call it: its product name, or its reader's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it says of itself.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Which of the credentials it holds, if any: without a touch, without a PIN.
    ///
    /// # Errors
    /// [`Fault::PinRequired`] where it does not say before it has verified the person.
    pub fn holds(
        &mut self,
        rp: &str,
        ids: &[Vec<u8>],
        patience: &mut Patience<'_>,
    ) -> Result<Option<Vec<u8>>, Fault> {
        for ids in lists(&self.info, ids) {
            let request =
                AssertRequest { rp, client_data_hash: &[0; 32], ids: &ids, up: false, hmac_secret: None };
            match self.get_assertion(&request, None, patience) {
                Ok(assertion) => return Ok(Some(assertion.id)),
                Err(Fault::NoCredential) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(None)
    }

    /// How often the PIN may still be wrong.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn pin_retries(&mut self, patience: &mut Patience<'_>) -> Result<Retries, Fault> {
        self.has_pin()?;
        let retries = self.retries(patience);
        self.rest();
        retries
    }

    /// Trades the PIN for a token. `pin` is UTF-8 in normalization form C: its maker's word, not
    /// checked here.
    ///
    /// # Errors
    /// [`Fault::PinWrong`] with the tries left, and the other states of a PIN.
    pub fn pin_token(
        &mut self,
        pin: &[u8],
        permission: Permission,
        rp: &str,
        patience: &mut Patience<'_>,
    ) -> Result<Token, Fault> {
        pin::check(pin)?;
        self.has_pin()?;
        let before = self.spent;
        let token = self.trade(pin, permission, rp, patience);
        match &token {
            Ok(_) => {}
            // What was refused unlocked nothing; and a reset would let a person try on who must not.
            Err(Fault::PinWrong(_) | Fault::PinBlocked | Fault::PowerCycleNeeded | Fault::PinNotSet) => {
                self.spent = before;
                self.over();
            }
            Err(_) => self.over(),
        }
        token
    }

    /// Has the authenticator verify the person by itself, for a token.
    ///
    /// # Errors
    /// [`Fault::UvFailed`], [`Fault::UvBlocked`]; [`Fault::Unsupported`] where it cannot.
    pub fn uv_token(
        &mut self,
        permission: Permission,
        rp: &str,
        patience: &mut Patience<'_>,
    ) -> Result<Token, Fault> {
        let options = self.info.options;
        if options.uv != Some(true) || !options.pin_uv_auth_token {
            return Err(Fault::Unsupported("verification of its own"));
        }
        let token = self.verify(permission, rp, patience);
        if token.is_err() {
            self.over();
        }
        token
    }

    /// Makes a credential that stays nowhere but in its id. Always waits for a touch.
    ///
    /// # Errors
    /// [`Fault::Excluded`], [`Fault::PinRequired`] without a token where one is needed, …
    pub fn make_credential(
        &mut self,
        request: &MakeRequest<'_>,
        token: Option<&Token>,
        patience: &mut Patience<'_>,
    ) -> Result<Made, Fault> {
        let made = request.message(token).and_then(|message| {
            let answer = self.ask(&message, Asks::Person, patience)?;
            request.made(&map(&answer)?)
        });
        self.over();
        made
    }

    /// Has a credential sign.
    ///
    /// # Errors
    /// [`Fault::NoCredential`], …
    pub fn get_assertion(
        &mut self,
        request: &AssertRequest<'_>,
        token: Option<&Token>,
        patience: &mut Patience<'_>,
    ) -> Result<Assertion, Fault> {
        let assertion = self.assert(request, token, patience);
        if request.up || token.is_some() {
            self.over()
        } else {
            self.rest()
        }
        assertion
    }

    fn has_pin(&self) -> Result<(), Fault> {
        match self.info.options.client_pin {
            Some(true) => Ok(()),
            Some(false) => Err(Fault::PinNotSet),
            None => Err(Fault::Unsupported("a PIN")),
        }
    }

    fn assert(
        &mut self,
        request: &AssertRequest<'_>,
        token: Option<&Token>,
        patience: &mut Patience<'_>,
    ) -> Result<Assertion, Fault> {
        let salting = match request.hmac_secret {
            Some(_) if !self.info.has_extension("hmac-secret") => {
                return Err(Fault::Unsupported("hmac-secret"));
            }
            Some(_) => {
                let protocol = pin::protocol(&self.info)?;
                let (shared, ours) = self.agree(protocol, patience)?;
                Some(Salting { protocol, shared, ours })
            }
            None => None,
        };
        let message = request.message(token, salting.as_ref())?;
        let asks = if request.up { Asks::Person } else { Asks::Device };
        let answer = self.ask(&message, asks, patience)?;
        request.answered(&map(&answer)?, salting.as_ref())
    }

    fn trade(
        &mut self,
        pin: &[u8],
        permission: Permission,
        rp: &str,
        patience: &mut Patience<'_>,
    ) -> Result<Token, Fault> {
        let protocol = pin::protocol(&self.info)?;
        let (shared, ours) = self.agree(protocol, patience)?;
        let permission = self.info.options.pin_uv_auth_token.then_some((permission, rp));
        let message = pin::ask_token((&shared, &ours), protocol, pin, permission)?;
        self.spent = true;
        match self.ask(&message, Asks::Device, patience) {
            Ok(answer) => pin::token(&map(&answer)?, protocol, &shared),
            Err(PIN_INVALID) => Err(self.wrong(patience)),
            Err(fault) => Err(fault),
        }
    }

    /// What it means that the PIN was wrong.
    fn wrong(&mut self, patience: &mut Patience<'_>) -> Fault {
        match self.retries(patience) {
            Ok(Retries { left: 0, .. }) => Fault::PinBlocked,
            Ok(Retries { power_cycle: true, .. }) => Fault::PowerCycleNeeded,
            Ok(Retries { left, .. }) => Fault::PinWrong(left),
            Err(fault) => fault,
        }
    }

    fn verify(
        &mut self,
        permission: Permission,
        rp: &str,
        patience: &mut Patience<'_>,
    ) -> Result<Token, Fault> {
        let protocol = pin::protocol(&self.info)?;
        let (shared, ours) = self.agree(protocol, patience)?;
        let message = pin::ask_token_by_uv(&ours, protocol, (permission, rp))?;
        self.spent = true;
        let answer = self.ask(&message, Asks::Person, patience)?;
        pin::token(&map(&answer)?, protocol, &shared)
    }

    fn retries(&mut self, patience: &mut Patience<'_>) -> Result<Retries, Fault> {
        let message = pin::ask_retries(pin::protocol(&self.info)?)?;
        let answer = self.ask(&message, Asks::Device, patience)?;
        pin::retries(&map(&answer)?)
    }

    fn agree(
        &mut self,
        protocol: Protocol,
        patience: &mut Patience<'_>,
    ) -> Result<(Shared, [u8; 65]), Fault> {
        let answer = self.ask(&pin::ask_agreement(protocol)?, Asks::Device, patience)?;
        Shared::agree(protocol, &pin::agreement(&map(&answer)?)?)
    }

    /// The body of the answer to a message.
    fn ask(&mut self, message: &[u8], asks: Asks, patience: &mut Patience<'_>) -> Result<Vec<u8>, Fault> {
        if message.len() > self.info.max_message {
            return Err(Fault::Unsupported("a message of this length"));
        }
        if asks == Asks::Person {
            self.spent = true;
        }
        success(self.port.exchange(message, asks, patience)?)
    }

    /// Lets others have the device, unless it knows who is there.
    fn rest(&mut self) {
        if !self.spent {
            self.port.end(After::Leave);
        }
    }

    /// Ends the use.
    fn over(&mut self) {
        self.port.end(if self.spent { After::Reset } else { After::Leave });
        self.spent = false;
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.over();
    }
}

/// What follows the status, if that says success.
fn success(answer: Vec<u8>) -> Result<Vec<u8>, Fault> {
    match answer.split_first() {
        Some((0x00, body)) => Ok(body.to_vec()),
        Some((status, _)) => Err(Fault::of_status(*status)),
        None => Err(Fault::Garbage("an empty answer")),
    }
}

fn map(body: &[u8]) -> Result<Map<'_>, Fault> {
    Value::only(body).and_then(Value::map).ok_or(Fault::Garbage("CBOR"))
}

#[cfg(test)]
pub(crate) mod tests;
