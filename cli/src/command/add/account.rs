//! The account that an access key id belongs to. Pure.

use signet_protocol::{Code, Refusal};

/// Length of an account id.
const DIGITS: usize = 12;

/// The account of the key: the one that was named, which must not contradict the id, else the one that
/// the id tells; null where neither says.
pub(super) fn settle(access_key_id: &str, named: Option<&str>) -> Result<Option<String>, Refusal> {
    let decoded = decode(access_key_id);
    let Some(named) = named else { return Ok(decoded) };
    if named.len() != DIGITS || !named.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::bare(Code::Usage, "an account id has 12 digits"));
    }
    match decoded {
        Some(decoded) if decoded != named => Err(Refusal::bare(
            Code::BadRequest,
            format!("{access_key_id} belongs to account {decoded}, not to {named}"),
        )),
        Some(_) | None => Ok(Some(named.to_owned())),
    }
}

/// Newer ids hold the account: base32 behind the prefix of four letters, its first six bytes without
/// their highest and their lowest seven bits. Not documented by AWS; ids whose fifth letter comes
/// before Q are older, and hold none.
fn decode(access_key_id: &str) -> Option<String> {
    let letters = access_key_id.strip_prefix("AKIA").or_else(|| access_key_id.strip_prefix("ASIA"))?;
    if letters.len() < 16 || !letters.bytes().next().is_some_and(|first| (b'Q'..=b'Z').contains(&first)) {
        return None;
    }
    // ten letters are fifty bits, of which the first 48 are six bytes
    let mut bits = 0_u64;
    for letter in letters.bytes().take(10) {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5) | u64::from(value);
    }
    let account = ((bits >> 2) & 0x7fff_ffff_ff80) >> 7;
    Some(format!("{account:0DIGITS$}")).filter(|account| account.len() == DIGITS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_newer_id_tells_its_account() {
        assert_eq!(decode("ASIAQNZGKIQY56JQ7WML").as_deref(), Some("029608264753"));
        assert_eq!(decode("AKIAQAAAAAAAAAAAAAAA").as_deref(), Some("000000000000"));
    }

    #[test]
    fn an_older_or_odd_id_tells_none() {
        for id in [
            "AKIAIOSFODNN7EXAMPLE",
            "AKIAJAAAAAAAAAAAAAAA",
            "AKIA",
            "AKIDEXAMPLE",
            "AKIAQ1AAAAAAAAAAAAAA",
            "AKIAQÄ",
            "",
            "AKIA2AAAAAAAAAAAAAAA",
        ] {
            assert_eq!(decode(id), None, "{id}");
        }
    }

    #[test]
    fn a_named_account_must_not_contradict_the_id() {
        assert_eq!(settle("ASIAQNZGKIQY56JQ7WML", Some("123456789012")).unwrap_err().code, Code::BadRequest);
        assert_eq!(settle("AKIAIOSFODNN7EXAMPLE", Some("1234")).unwrap_err().code, Code::Usage);
        let named = settle("AKIAIOSFODNN7EXAMPLE", Some("123456789012")).unwrap();
        assert_eq!(named.as_deref(), Some("123456789012"));
        assert_eq!(settle("AKIAIOSFODNN7EXAMPLE", None).unwrap(), None);
    }
}
