//! One card: found, opened, asked. What the `yubikey` crate says is put into our words here.
//!
//! Promises: a card session ends with a reset (the crate's handle does it when dropped), so no
//! verified PIN and no authenticated management key stays behind; a card that was only looked at is
//! left as it was found. A serial is compared at each opening, before anything secret is sent.
//!
//! Not promised: each call of the crate is a PC/SC transaction of its own. Between two of them
//! another program can use the card, also with the PIN that was verified for this act. Keys made
//! here ask for PIN and touch at each use; the signer has a use path in one transaction.

use crate::kind::Desk;
use signet_protocol::child::TokenName;
use signet_protocol::{Code, Refusal};
use std::path::Path;
use std::time::Duration;
use yubikey::piv::{ManagementSlotId, SlotId, SlotMetadata};
use yubikey::reader::{Context, Reader};
use yubikey::{Buffer, Error, ObjectId, YubiKey};

/// A card that is open.
pub(super) struct Card {
    /// The crate's handle.
    pub(super) key: YubiKey,
    /// What the person knows it as.
    pub(super) name: TokenName,
}

/// What was found in the readers.
pub(super) struct Survey<T> {
    /// What the visit of each card gave.
    pub(super) cards: Vec<T>,
    /// Readers whose card could not be asked, and why.
    pub(super) failed: Vec<(String, Refusal)>,
}

/// A PIN or PUK as the card describes it.
pub(super) struct Reference {
    /// Tries left; none where the card does not tell.
    pub(super) tries: Option<u8>,
    /// Whether it has its factory value; none where the card does not tell.
    pub(super) factory: Option<bool>,
}

impl Card {
    /// Opens the card with this serial.
    ///
    /// # Errors
    /// `token_absent`; `busy` when it may be in a reader that another program holds; `no_reader`.
    pub(super) fn open(desk: &Desk<'_>, serial: &str) -> Result<Self, Refusal> {
        let name = TokenName { serial: serial.to_owned(), label: desk.label(serial) };
        let mut context = Context::open().map_err(|error| refusal(error, "asking for readers"))?;
        let mut held = None;
        for reader in context.iter().map_err(|error| refusal(error, "asking for readers"))? {
            desk.talk.waiting(std::slice::from_ref(&name))?;
            match open(&reader) {
                Ok(key) if key.serial().to_string() == serial => return Ok(Self { key, name }),
                Ok(other) => leave(other),
                Err(Error::PcscError { inner: Some(pcsc::Error::SharingViolation) }) => held = Some(busy()),
                // an empty reader, or a card that is no YubiKey: not the one that is meant
                Err(_) => {}
            }
        }
        Err(held.unwrap_or_else(|| absent(serial)))
    }

    /// Visits every card there is, and leaves each as it was.
    ///
    /// # Errors
    /// `no_reader` when there is no PC/SC service.
    pub(super) fn survey<T>(
        desk: &Desk<'_>,
        mut visit: impl FnMut(&mut Self) -> Result<T, Refusal>,
    ) -> Result<Survey<T>, Refusal> {
        let mut context = Context::open().map_err(|error| refusal(error, "asking for readers"))?;
        let mut survey = Survey { cards: Vec::new(), failed: Vec::new() };
        for reader in context.iter().map_err(|error| refusal(error, "asking for readers"))? {
            let place = reader.name().into_owned();
            desk.talk.waiting(&[])?;
            let opened = match open(&reader) {
                Ok(key) => {
                    let serial = key.serial().to_string();
                    let label = desk.label(&serial);
                    Ok(Self { key, name: TokenName { serial, label } })
                }
                Err(Error::PcscError { inner: Some(pcsc::Error::NoSmartcard) }) => continue,
                Err(Error::AppletNotFound { .. } | Error::NotSupported) => Err(unknown(&place)),
                Err(error) => Err(refusal(error, "opening the card")),
            };
            let visited = opened.and_then(|mut card| {
                let seen = visit(&mut card);
                leave(card.key);
                seen
            });
            match visited {
                Ok(seen) => survey.cards.push(seen),
                Err(refusal) => survey.failed.push((place, refusal)),
            }
        }
        Ok(survey)
    }

    /// Firmware, `5.7.1`.
    pub(super) fn firmware(&self) -> String {
        self.key.version().to_string()
    }

    /// What the card says of its PIN or PUK. Spends no try.
    ///
    /// Metadata is there from firmware 5.3 on. Without it only the PIN's tries can be asked for.
    pub(super) fn reference(&mut self, which: ManagementSlotId) -> Result<Reference, Refusal> {
        if let Some(metadata) = self.metadata(SlotId::Management(which))? {
            let tries = metadata.retries.map(|retries| retries.remaining_count);
            return Ok(Reference { tries, factory: metadata.default });
        }
        let tries = match which {
            ManagementSlotId::Pin => self.pin_tries(),
            ManagementSlotId::Puk | ManagementSlotId::Management => None,
        };
        Ok(Reference { tries, factory: None })
    }

    /// Tries left, as VERIFY without data tells them; none where the card says neither how many nor that
    /// its PIN is blocked.
    fn pin_tries(&mut self) -> Option<u8> {
        match self.key.get_pin_retries() {
            // the crate says so of a blocked PIN, and of a card that answers 9000
            Ok(0) => match self.key.verify_pin(&[]) {
                Err(Error::WrongPin { tries }) => Some(tries),
                Ok(()) | Err(_) => None,
            },
            told => told.ok(),
        }
    }

    /// GET METADATA of a slot; none where the card has none to give.
    pub(super) fn metadata(&mut self, slot: SlotId) -> Result<Option<SlotMetadata>, Refusal> {
        match yubikey::piv::metadata(&mut self.key, slot) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(error @ Error::PcscError { .. }) => Err(refusal(error, "reading metadata")),
            Err(_) => Ok(None),
        }
    }

    /// GET METADATA of a slot that holds a key; none where the card does not know the command.
    ///
    /// # Errors
    /// `unsupported` where the card tells something that is not understood, or of no key: what it says
    /// is then no silence.
    pub(super) fn told_of_key(&mut self, slot: SlotId) -> Result<Option<SlotMetadata>, Refusal> {
        match yubikey::piv::metadata(&mut self.key, slot) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(error @ Error::PcscError { .. }) => Err(refusal(error, "reading metadata")),
            // its status words for a command that it does not know
            Err(Error::NotSupported | Error::GenericError) => Ok(None),
            Err(_) => {
                let serial = &self.name.serial;
                let message = format!(
                    "token {serial} tells of its new key in a way that is not understood: that it asks for PIN \
                     and touch at each use cannot be seen"
                );
                Err(Refusal::new(Code::Unsupported, message, format!("signet token info {serial}")))
            }
        }
    }

    /// A data object; none where it is absent or empty, or the card does not give it.
    pub(super) fn object(&mut self, id: ObjectId) -> Result<Option<Buffer>, Refusal> {
        match self.key.fetch_object(id) {
            Ok(object) if object.is_empty() => Ok(None),
            Ok(object) => Ok(Some(object)),
            Err(error @ Error::PcscError { .. }) => Err(refusal(error, "reading an object")),
            Err(_) => Ok(None),
        }
    }
}

/// Opens the card in a reader. Right after another program was killed, or reset the card, the service
/// answers with errors that are gone a moment later.
fn open(reader: &Reader<'_>) -> yubikey::Result<YubiKey> {
    use pcsc::Error as Pcsc;
    for _ in 0..10 {
        match reader.open() {
            Err(Error::PcscError {
                inner: Some(Pcsc::NotTransacted | Pcsc::ResetCard | Pcsc::InvalidHandle | Pcsc::CommError),
            }) => std::thread::sleep(Duration::from_millis(100)),
            opened => return opened,
        }
    }
    reader.open()
}

/// Ends a session in which nothing was verified, without a reset: other programs keep theirs.
fn leave(key: YubiKey) {
    if let Err((key, _)) = key.disconnect(pcsc::Disposition::LeaveCard) {
        // the card is gone or was reset by somebody: there is nothing left to leave
        drop(key);
    }
}

/// The crate's error in our words. `doing` is what was tried.
pub(super) fn refusal(error: Error, doing: &str) -> Refusal {
    use pcsc::Error as Pcsc;
    match error {
        Error::PcscError { inner: Some(Pcsc::NoService | Pcsc::ServiceStopped) } => no_service(),
        Error::PcscError { inner: Some(Pcsc::SecurityViolation) } => {
            let message = "the smart-card service does not let this user in";
            Refusal::new(Code::NoReader, message, "signet doctor")
        }
        Error::PcscError { inner: Some(Pcsc::SharingViolation) } => busy(),
        Error::PcscError { inner: Some(Pcsc::ResetCard) } => {
            Refusal::bare(Code::Busy, format!("another program reset the token while {doing}"))
        }
        Error::PcscError {
            inner:
                Some(
                    Pcsc::NoSmartcard
                    | Pcsc::RemovedCard
                    | Pcsc::NotTransacted
                    | Pcsc::ReaderUnavailable
                    | Pcsc::UnknownReader
                    | Pcsc::UnpoweredCard
                    | Pcsc::UnresponsiveCard,
                ),
        } => {
            Refusal::new(Code::TokenAbsent, format!("the token went away while {doing}"), "signet token list")
        }
        Error::WrongPin { tries: 0 } | Error::PinLocked => {
            Refusal::bare(Code::TokenLocked, "no tries are left")
        }
        Error::WrongPin { tries } => Refusal::bare(Code::PinFailed, "wrong").tries(tries),
        Error::AppletNotFound { .. } | Error::NotSupported => {
            Refusal::bare(Code::Unsupported, format!("the token cannot do it: {doing}"))
        }
        other => Refusal::bare(Code::Internal, format!("the token failed at {doing}: {other}")),
    }
}

/// The refusal for a token that is not there.
pub(super) fn absent(serial: &str) -> Refusal {
    Refusal::new(Code::TokenAbsent, format!("token {serial} is not plugged in"), "signet token list")
}

/// The refusal for a card that is there and does not speak Yubico's PIV.
fn unknown(reader: &str) -> Refusal {
    let message = format!("the card in {reader} is no token that signet can use");
    Refusal::new(Code::Unsupported, message, "signet doctor")
}

fn busy() -> Refusal {
    let message = "another program holds the token for itself";
    Refusal::new(Code::Busy, message, "gpgconf --kill scdaemon")
}

fn no_service() -> Refusal {
    let installed = ["/usr/sbin/pcscd", "/usr/bin/pcscd"].iter().any(|path| Path::new(path).exists());
    let hint = if installed { "sudo systemctl start pcscd.socket" } else { "sudo apt install pcscd" };
    Refusal::new(Code::NoReader, "there is no smart-card service", hint)
}
