//! Reading the parameters of a request: which are there, and whether they are what they should be.

use super::cbor::Value;
use super::status::{self, Status};

/// The parameters: a map with numbers for keys, or a map inside one, with text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a>(pub(super) &'a Value);

/// One kind of credential, the only one there is.
const PUBLIC_KEY: &str = "public-key";

impl<'a> Request<'a> {
    /// What stands there, whatever it is.
    pub(super) fn any(self, key: impl Into<Value>) -> Option<&'a Value> {
        self.0.get(key)
    }

    pub(super) fn bytes(self, key: impl Into<Value>) -> Result<Option<&'a [u8]>, Status> {
        match self.any(key) {
            None => Ok(None),
            Some(Value::Bytes(bytes)) => Ok(Some(bytes)),
            Some(_) => Err(status::UNEXPECTED_TYPE),
        }
    }

    pub(super) fn text(self, key: impl Into<Value>) -> Result<Option<&'a str>, Status> {
        match self.any(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(status::UNEXPECTED_TYPE),
        }
    }

    pub(super) fn number(self, key: impl Into<Value>) -> Result<Option<i64>, Status> {
        match self.any(key) {
            None => Ok(None),
            Some(Value::Int(number)) => Ok(Some(*number)),
            Some(_) => Err(status::UNEXPECTED_TYPE),
        }
    }

    pub(super) fn truth(self, key: impl Into<Value>) -> Result<Option<bool>, Status> {
        match self.any(key) {
            None => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(*truth)),
            Some(_) => Err(status::UNEXPECTED_TYPE),
        }
    }

    pub(super) fn map(self, key: impl Into<Value>) -> Result<Option<Self>, Status> {
        match self.any(key) {
            None => Ok(None),
            Some(map @ Value::Map(_)) => Ok(Some(Self(map))),
            Some(_) => Err(status::UNEXPECTED_TYPE),
        }
    }

    pub(super) fn list(self, key: impl Into<Value>) -> Result<Option<&'a [Value]>, Status> {
        match self.any(key) {
            None => Ok(None),
            Some(Value::Array(values)) => Ok(Some(values)),
            Some(_) => Err(status::UNEXPECTED_TYPE),
        }
    }

    /// An option of the map of options.
    pub(super) fn option(self, key: i64, name: &str) -> Result<Option<bool>, Status> {
        self.map(key)?.map_or(Ok(None), |options| options.truth(name))
    }

    /// The hash that is to be signed.
    pub(super) fn hash(self, key: i64) -> Result<&'a [u8], Status> {
        let hash = needed(self.bytes(key)?)?;
        if hash.len() == 32 { Ok(hash) } else { Err(status::INVALID_LENGTH) }
    }

    /// The names in a list of credentials; those of another kind are passed over.
    pub(super) fn names(self, key: i64, most: usize) -> Result<Vec<&'a [u8]>, Status> {
        let list = self.list(key)?.unwrap_or_default();
        if list.len() > most {
            return Err(status::LIMIT_EXCEEDED);
        }
        let mut names = Vec::new();
        for entry in list {
            if !matches!(entry, Value::Map(_)) {
                return Err(status::UNEXPECTED_TYPE);
            }
            let (kind, id) = (needed(Request(entry).text("type")?)?, needed(Request(entry).bytes("id")?)?);
            if kind == PUBLIC_KEY {
                names.push(id);
            }
        }
        Ok(names)
    }

    /// The algorithms of the keys that are wanted, the best first.
    pub(super) fn algorithms(self, key: i64) -> Result<Vec<i64>, Status> {
        let mut wanted = Vec::new();
        for entry in needed(self.list(key)?)? {
            if !matches!(entry, Value::Map(_)) {
                return Err(status::UNEXPECTED_TYPE);
            }
            let (kind, code) =
                (needed(Request(entry).text("type")?)?, needed(Request(entry).number("alg")?)?);
            if kind == PUBLIC_KEY {
                wanted.push(code);
            }
        }
        Ok(wanted)
    }
}

/// What must be there.
pub(super) fn needed<T>(value: Option<T>) -> Result<T, Status> {
    value.ok_or(status::MISSING_PARAMETER)
}

/// A credential as lists and answers name it.
pub(super) fn descriptor(id: &[u8]) -> Value {
    Value::map([("id", Value::from(id)), ("type", Value::from(PUBLIC_KEY))])
}
