//! The words of a credential scope.

use crate::Error;

/// Refuses a service or region that could not stand between the slashes of a scope.
pub(crate) fn check(service: &str, region: &str) -> Result<(), Error> {
    let word = |text: &str| {
        (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if !word(service) {
        return Err(Error::Scope("the service is not a word of small letters, digits and hyphens"));
    }
    if !word(region) {
        return Err(Error::Scope("the region is not a word of small letters, digits and hyphens"));
    }
    Ok(())
}
