//! What an authenticator says of itself (CTAP 2.1, 6.4).

use crate::Fault;
use crate::cbor::{Map, Value};
use crate::port::LONGEST;

/// What it can sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

/// Its answer to getInfo, as far as it matters here. Nothing in it is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// `FIDO_2_0`, `FIDO_2_1`, …
    pub versions: Vec<String>,
    /// `hmac-secret`, …
    pub extensions: Vec<String>,
    /// The model.
    pub aaguid: [u8; 16],
    /// What it can, and what is set up.
    pub options: Options,
    /// PIN/UV auth protocols, the one it likes best first; known ones only.
    pub pin_protocols: Vec<u8>,
    /// Longest message it takes, in bytes.
    pub max_message: usize,
    /// Most credentials in one list.
    pub max_ids: Option<usize>,
    /// Longest credential id, in bytes.
    pub max_id_length: Option<usize>,
    /// `usb`, `nfc`, …
    pub transports: Vec<String>,
    /// What it can sign with, the one it likes best first; known ones only, empty where it does not say.
    pub algorithms: Vec<Algorithm>,
    /// Its version, as its maker counts.
    pub firmware: Option<u64>,
}

/// Options of an authenticator. `None`: it cannot. `Some(false)`: it can, but is not set up for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// It verifies the person by itself (a finger).
    pub uv: Option<bool>,
    /// It has a PIN.
    pub client_pin: Option<bool>,
    /// It gives tokens with permissions (CTAP 2.1).
    pub pin_uv_auth_token: bool,
    /// It wants the person verified at every use.
    pub always_uv: bool,
    /// It makes credentials without verification even where a PIN is set.
    pub make_cred_uv_not_required: bool,
}

/// The command (CTAP 2.1, 6.4).
pub(crate) const GET_INFO: [u8; 1] = [0x04];
/// What every authenticator takes (CTAP 2.1, 6.4, maxMsgSize).
const LEAST_MESSAGE: usize = 1024;
/// Most elements that are kept of a list.
const MOST: usize = 32;

impl Info {
    /// Reads the answer.
    pub(crate) fn parse(answer: &Map<'_>) -> Result<Self, Fault> {
        let versions = texts(answer, 1)?;
        if !versions.iter().any(|version| version.starts_with("FIDO_2")) {
            return Err(Fault::Unsupported("FIDO2"));
        }
        let numbers = answer.read(6, numbers)?.unwrap_or_default();
        let algorithms = answer.read(10, Value::array)?.unwrap_or_default();
        Ok(Self {
            versions,
            extensions: texts(answer, 2)?,
            aaguid: answer.need(3, Value::bytes)?.try_into().map_err(|_| Fault::Garbage("an AAGUID"))?,
            options: answer
                .read(4, Value::map)?
                .map_or(Ok(Options::default()), |map| Options::parse(&map))?,
            pin_protocols: numbers.into_iter().filter(|number| matches!(number, 1 | 2)).take(MOST).collect(),
            max_message: size(answer, 5)?.unwrap_or(LEAST_MESSAGE).clamp(LEAST_MESSAGE, LONGEST),
            max_ids: size(answer, 7)?.filter(|most| *most > 0),
            max_id_length: size(answer, 8)?.filter(|most| *most > 0),
            transports: texts(answer, 9)?,
            algorithms: algorithms.into_iter().filter_map(algorithm).take(MOST).collect(),
            firmware: answer.read(14, Value::number)?.and_then(|version| u64::try_from(version).ok()),
        })
    }

    /// Whether it knows an extension.
    pub fn has_extension(&self, name: &str) -> bool {
        self.extensions.iter().any(|extension| extension == name)
    }
}

impl Options {
    fn parse(map: &Map<'_>) -> Result<Self, Fault> {
        let option = |name: &str| map.read(name, Value::truth);
        Ok(Self {
            uv: option("uv")?,
            client_pin: option("clientPin")?,
            pin_uv_auth_token: option("pinUvAuthToken")?.unwrap_or(false),
            always_uv: option("alwaysUv")?.unwrap_or(false),
            make_cred_uv_not_required: option("makeCredUvNotRqd")?.unwrap_or(false),
        })
    }
}

fn texts(answer: &Map<'_>, key: i64) -> Result<Vec<String>, Fault> {
    let list = answer.read(key, Value::array)?.unwrap_or_default();
    let texts = list.into_iter().take(MOST).map(|value| value.text().map(str::to_owned));
    texts.collect::<Option<_>>().ok_or(Fault::Garbage("a list of texts"))
}

fn numbers(list: Value<'_>) -> Option<Vec<u8>> {
    // A number that is too large for a known protocol is none.
    let small = |value: Value<'_>| value.number().map(|number| u8::try_from(number).unwrap_or(0));
    list.array()?.into_iter().map(small).collect()
}

fn size(answer: &Map<'_>, key: i64) -> Result<Option<usize>, Fault> {
    let size = answer.read(key, Value::number)?.map(usize::try_from).transpose();
    size.map_err(|_| Fault::Garbage("a size"))
}

fn algorithm(entry: Value<'_>) -> Option<Algorithm> {
    let entry = entry.map()?;
    let of = Algorithm::of(entry.get("alg")?.number()?)?;
    (entry.get("type")?.text()? == "public-key").then_some(of)
}
