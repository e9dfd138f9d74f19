//! Public keys as COSE writes them (RFC 9053; CTAP 2.1, 6.5.6).

use crate::Algorithm;
use crate::cbor::{Map, Value, Writer, Written};

/// Labels of a key (RFC 9052, 7.1; RFC 9053, 7.1).
const KTY: i64 = 1;
const ALG: i64 = 3;
const CRV: i64 = -1;
const X: i64 = -2;
const Y: i64 = -3;

/// Key types and curves (RFC 9053, 7).
const OKP: i64 = 1;
const EC2: i64 = 2;
const P256: i64 = 1;
const ED25519: i64 = 6;

/// The algorithm that CTAP gives the key of an agreement (CTAP 2.1, 6.5.6); it means nothing.
const AGREEMENT: i64 = -25;

impl Algorithm {
    /// The number (RFC 9053, 2).
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::EdDsa => -8,
        }
    }

    /// The one with this number.
    pub(crate) fn of(number: i64) -> Option<Self> {
        [Self::Es256, Self::EdDsa].into_iter().find(|one| one.number() == number)
    }
}

/// A credential's key: a point of 65 bytes, or the 32 of Ed25519.
pub(crate) fn public_key(key: &Map<'_>) -> Option<(Algorithm, Vec<u8>)> {
    let number = |label: i64| key.get(label).and_then(Value::number);
    let algorithm = Algorithm::of(number(ALG)?)?;
    let public = match algorithm {
        Algorithm::Es256 => point(key)?.to_vec(),
        Algorithm::EdDsa if number(KTY)? == OKP && number(CRV)? == ED25519 => coordinate(key, X)?.to_vec(),
        Algorithm::EdDsa => return None,
    };
    Some((algorithm, public))
}

/// A point on P-256, or what is said to be one.
pub(crate) fn point(key: &Map<'_>) -> Option<[u8; 65]> {
    let number = |label: i64| key.get(label).and_then(Value::number);
    if number(KTY)? != EC2 || number(CRV)? != P256 {
        return None;
    }
    let mut point = [0x04; 65];
    let (_, rest) = point.split_first_mut()?;
    let (x, y) = rest.split_first_chunk_mut::<32>()?;
    *x = coordinate(key, X)?;
    y.copy_from_slice(&coordinate(key, Y)?);
    Some(point)
}

/// Writes our key of an agreement.
pub(crate) fn write_point(out: &mut Writer, point: &[u8; 65]) -> Written {
    let (x, y) = point
        .split_last_chunk::<32>()
        .map_or((&[][..], &[][..]), |(head, y)| (head.split_first().map_or(&[][..], |(_, x)| x), &y[..]));
    out.map(5)?.i64(KTY)?.i64(EC2)?.i64(ALG)?.i64(AGREEMENT)?;
    out.i64(CRV)?.i64(P256)?.i64(X)?.bytes(x)?.i64(Y)?.bytes(y)?;
    Ok(())
}

fn coordinate(key: &Map<'_>, label: i64) -> Option<[u8; 32]> {
    key.get(label)?.bytes()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use minicbor::encode::Encoder;

    #[test]
    fn what_is_written_is_read() {
        let point: [u8; 65] = std::array::from_fn(|at| if at == 0 { 4 } else { u8::try_from(at).unwrap() });
        let mut out = Encoder::new(Vec::new());
        write_point(&mut out, &point).unwrap();
        let bytes = out.into_writer();
        assert_eq!(bytes.get(..10).unwrap(), [0xa5, 0x01, 0x02, 0x03, 0x38, 0x18, 0x20, 0x01, 0x21, 0x58]);
        assert_eq!(super::point(&Value::only(&bytes).unwrap().map().unwrap()), Some(point));
    }

    #[test]
    fn a_key_of_another_kind_is_none() {
        let key = |kty: i64, alg: i64, crv: i64, x: usize| {
            let mut out = Encoder::new(Vec::new());
            out.map(4).unwrap().i64(KTY).unwrap().i64(kty).unwrap().i64(ALG).unwrap().i64(alg).unwrap();
            out.i64(CRV).unwrap().i64(crv).unwrap().i64(X).unwrap().bytes(&vec![7; x]).unwrap();
            let bytes = out.into_writer();
            public_key(&Value::only(&bytes).unwrap().map().unwrap())
        };
        assert_eq!(key(OKP, -8, ED25519, 32), Some((Algorithm::EdDsa, vec![7; 32])));
        for (kty, alg, crv, x) in
            [(2, -8, 6, 32), (1, -8, 4, 32), (1, -8, 6, 31), (1, -257, 6, 32), (2, -7, 1, 32)]
        {
            assert_eq!(key(kty, alg, crv, x), None);
        }
    }
}
