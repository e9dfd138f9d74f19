//! USB keys of this machine, through the operating system's HID.

use super::packet::{Packet, SIZE};
use super::{Hid, Reports};
use crate::port::{Port, plain};
use crate::{Fault, Patience};
use hidapi::{DeviceInfo, HidApi, HidDevice};
use std::ffi::CString;
use std::io::ErrorKind;
use std::time::Duration;

/// Usage page and usage of FIDO (CTAP 2.1, 11.2.8.2).
const FIDO: (u16, u16) = (0xf1d0, 0x01);

/// A key that is plugged in.
pub(crate) struct Key {
    pub(crate) name: String,
    path: CString,
}

/// Every key that is plugged in. A machine without HID has none.
pub(crate) fn keys() -> Vec<Key> {
    let Ok(api) = HidApi::new() else { return Vec::new() };
    let fido = api.device_list().filter(|device| (device.usage_page(), device.usage()) == FIDO);
    let mut keys: Vec<Key> =
        fido.map(|device| Key { name: name(device), path: device.path().to_owned() }).collect();
    keys.sort_by(|one, other| one.path.cmp(&other.path));
    keys.dedup_by(|one, other| one.path == other.path);
    keys
}

impl Key {
    /// Opens it; nothing if there is no such device after all.
    pub(crate) fn open(&self, patience: &mut Patience<'_>) -> Option<Result<Box<dyn Port>, Fault>> {
        let device = match self.device() {
            Ok(device) => device,
            Err(Fault::Removed) => return None,
            Err(fault) => return Some(Err(fault)),
        };
        Some(Hid::open(device, patience).map(|key| Box::new(key) as Box<dyn Port>))
    }

    fn device(&self) -> Result<HidDevice, Fault> {
        // hidapi tells why only in words. Where a path is no file (macOS), this finds nothing out.
        let tried =
            self.path.to_str().map(|path| std::fs::OpenOptions::new().read(true).write(true).open(path));
        if let Ok(Err(error)) = tried
            && error.kind() == ErrorKind::PermissionDenied
        {
            return Err(Fault::NoAccess);
        }
        HidApi::new().and_then(|api| api.open_path(&self.path)).map_err(|_| Fault::Removed)
    }
}

impl Reports for HidDevice {
    fn write(&mut self, packet: &Packet) -> Result<(), Fault> {
        // The number of the report goes first; FIDO numbers none.
        let mut report = [0; 1 + SIZE];
        for (to, from) in report.iter_mut().skip(1).zip(packet) {
            *to = *from;
        }
        HidDevice::write(self, &report).map(drop).map_err(|_| Fault::Removed)
    }

    fn read(&mut self, limit: Duration) -> Result<Option<Packet>, Fault> {
        let mut packet = [0; SIZE];
        // Up: what is left of a millisecond is waited for.
        let limit = i32::try_from(limit.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        match self.read_timeout(&mut packet, limit) {
            Ok(0) => Ok(None),
            Ok(SIZE) => Ok(Some(packet)),
            Ok(_) => Err(Fault::Garbage("a report of another size")),
            Err(_) => Err(Fault::Removed),
        }
    }
}

fn name(device: &DeviceInfo) -> String {
    let said = plain(device.product_string().unwrap_or_default());
    if said.is_empty() {
        return format!("FIDO key {:04x}:{:04x}", device.vendor_id(), device.product_id());
    }
    said
}
