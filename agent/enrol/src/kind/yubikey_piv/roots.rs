//! stub
use super::x509::Certificate;
pub(super) const YUBICO: &[&str] = &[];
pub(super) fn lead_to(_c: &Certificate<'_>, _r: &[&str]) -> Result<(), &'static str> {
    Err("x")
}
