//! Public keys as COSE writes them (RFC 9053, section 7).

use p256::PublicKey;

use super::cbor::Value;

/// A P-256 key, of its uncompressed point.
pub(super) fn ec2(algorithm: i64, point: &[u8; 65]) -> Value {
    let (x, y) = point.split_at(33);
    Value::map([
        (1, Value::from(2)),
        (3, Value::from(algorithm)),
        (-1, Value::from(1)),
        (-2, Value::from(x.get(1..).unwrap_or_default())),
        (-3, Value::from(y)),
    ])
}

/// An Ed25519 key.
pub(super) fn okp(algorithm: i64, public: &[u8]) -> Value {
    Value::map([
        (1, Value::from(1)),
        (3, Value::from(algorithm)),
        (-1, Value::from(6)),
        (-2, Value::from(public)),
    ])
}

/// The host's key of a key agreement: ECDH-ES + HKDF-256 by name, for both protocols (CTAP 2.1, section
/// 6.5.6).
pub(super) fn agreement_key(key: &Value) -> Option<PublicKey> {
    let is = |label: i64, value: i64| key.get(label) == Some(&Value::Int(value));
    if !(is(1, 2) && is(3, AGREEMENT) && is(-1, 1)) {
        return None;
    }
    let (Value::Bytes(x), Value::Bytes(y)) = (key.get(-2)?, key.get(-3)?) else { return None };
    if (x.len(), y.len()) != (32, 32) {
        return None;
    }
    PublicKey::from_sec1_bytes(&[&[4], &x[..], y].concat()).ok()
}

/// The algorithm that keys of an agreement name.
pub(super) const AGREEMENT: i64 = -25;
