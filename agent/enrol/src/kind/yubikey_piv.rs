//! placeholder while compiling
use super::{Desk, Enrolled, Kind, Wish};
use signet_protocol::child::Seen;
use signet_protocol::{Code, Refusal};
pub(super) struct YubiKeyPiv;
impl Kind for YubiKeyPiv {
    fn name(&self) -> &'static str {
        "yubikey-piv"
    }
    fn owns(&self, serial: &str) -> bool {
        serial.parse::<u32>().is_ok()
    }
    fn list(&self, _: &Desk<'_>) -> Result<Vec<Seen>, Refusal> {
        Ok(vec![])
    }
    fn info(&self, _: &Desk<'_>, _: &str) -> Result<Seen, Refusal> {
        Err(Refusal::bare(Code::Unsupported, "x"))
    }
    fn enrol(&self, _: &mut Desk<'_>, _: &Wish<'_>) -> Result<Enrolled, Refusal> {
        Err(Refusal::bare(Code::Unsupported, "x"))
    }
    fn change_pin(&self, _: &mut Desk<'_>, _: &str) -> Result<(), Refusal> {
        Err(Refusal::bare(Code::Unsupported, "x"))
    }
    fn unblock(&self, _: &mut Desk<'_>, _: &str) -> Result<(), Refusal> {
        Err(Refusal::bare(Code::Unsupported, "x"))
    }
}
