//! YubiKeys and readers on USB, as sysfs tells of them: for tokens that are plugged in and that the
//! PC/SC service does not show. Nothing is opened but text files of the kernel.

use super::Finding;
use super::machine::Machine;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where the kernel tells of USB devices.
const DEVICES: &str = "/sys/bus/usb/devices";
/// Yubico's vendor number.
const YUBICO: &str = "1050";
/// Interface class of smart-card readers (USB CCID specification, 4.1).
const CCID: &str = "0b";
/// Where distributions put the driver of USB readers.
const DRIVERS: [&str; 3] = [
    "/usr/lib/pcsc/drivers/ifd-ccid.bundle",
    "/usr/lib64/pcsc/drivers/ifd-ccid.bundle",
    "/usr/lib/readers/usb/ifd-ccid.bundle",
];
/// Where udev's rules of this machine lie (udev(7)).
const RULES: &str = "/etc/udev/rules.d/70-signet.rules";

/// A device on USB that is a YubiKey or a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Device {
    /// What it calls itself.
    pub(super) name: String,
    /// It is Yubico's.
    pub(super) yubico: bool,
    /// It has an interface for smart cards.
    pub(super) ccid: bool,
    /// The service's user may open it; none where that is not known.
    pub(super) open: Option<bool>,
    /// The driver of USB readers is installed.
    pub(super) driver: bool,
}

/// Looks at sysfs.
pub(super) fn look() -> Vec<Device> {
    let service = service_user();
    let driver = DRIVERS.iter().any(|path| Path::new(path).exists());
    // a machine without USB has nothing to show
    let Ok(entries) = fs::read_dir(DEVICES) else { return Vec::new() };
    let dirs = entries.filter_map(Result::ok).map(|entry| entry.path());
    dirs.filter_map(|dir| device(&dir, service, driver)).collect()
}

fn device(dir: &Path, service: Option<u32>, driver: bool) -> Option<Device> {
    let text = |path: PathBuf| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let yubico = text(dir.join("idVendor"))? == YUBICO;
    let mut inside = fs::read_dir(dir).ok()?.filter_map(Result::ok);
    let ccid = inside.any(|entry| text(entry.path().join("bInterfaceClass")).as_deref() == Some(CCID));
    if !(yubico || ccid) {
        return None;
    }
    let number = |name: &str| text(dir.join(name))?.parse::<u32>().ok();
    let (bus, place) = (number("busnum")?, number("devnum")?);
    let meta = fs::metadata(format!("/dev/bus/usb/{bus:03}/{place:03}")).ok();
    let open = meta.zip(service).map(|(meta, uid)| {
        uid == 0
            || meta.mode() & 0o006 == 0o006
            || (meta.uid() == uid)
            || (meta.gid() != 0 && meta.mode() & 0o060 == 0o060)
    });
    let name = text(dir.join("product")).unwrap_or_else(|| "a device without a name".to_owned());
    Some(Device { name, yubico, ccid, open, driver })
}

/// The user that the PC/SC service runs as; none while it does not run.
fn service_user() -> Option<u32> {
    let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    let mut service = processes.filter(|entry| {
        fs::read_to_string(entry.path().join("comm")).is_ok_and(|name| name.trim() == "pcscd")
    });
    service.next()?.metadata().ok().map(|meta| meta.uid())
}

/// Why tokens that are plugged in are not shown by the service, as far as that can be seen.
pub(super) fn unseen(devices: &[Device], machine: &Machine) -> Vec<Finding> {
    devices.iter().filter(|device| device.yubico).map(|device| finding(device, machine)).collect()
}

fn finding(device: &Device, machine: &Machine) -> Finding {
    let name = &device.name;
    let what =
        |reason: &str| format!("{name} is plugged in, and the pc/sc service does not show it: {reason}");
    if !device.ccid {
        let why = "keys are kept in the PIV application, which is reached as a smart card";
        let hint = "ykman config usb --enable PIV --enable OATH --force";
        return Finding::wrong("readers", what("its smart-card interface is switched off"), why, hint);
    }
    if !device.driver {
        let hint = format!("{} && {}", machine.install(machine.packages.ccid), machine.restart_pcscd());
        let why = "the service needs a driver for readers on USB";
        return Finding::wrong("readers", what("there is no driver for readers on USB"), why, hint);
    }
    if device.open == Some(false) {
        let rule = "SUBSYSTEM==\"usb\", ATTR{idVendor}==\"1050\", MODE=\"0660\", GROUP=\"pcscd\"";
        let hint = format!(
            "echo '{rule}' | {} && {} && {}",
            machine.as_root(&format!("tee {RULES}")),
            machine.as_root("udevadm control --reload"),
            machine.as_root("udevadm trigger --attr-match=idVendor=1050")
        );
        let why = "the service runs as a user of its own, for whom a udev rule must open the device";
        return Finding::wrong("access", what("it may not open the device"), why, hint);
    }
    let why = "a service that was started before the token, or lost it while asleep, finds it when it starts";
    Finding::wrong("readers", what("it has not found it"), why, machine.restart_pcscd())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::machine::tests::PLAIN;
    use super::*;

    #[test]
    fn each_reason_has_its_own_command() {
        let good =
            Device { name: "YubiKey".into(), yubico: true, ccid: true, open: Some(true), driver: true };
        let hint = |device: &Device| finding(device, &PLAIN).hint.unwrap();
        assert_eq!(hint(&good), "sudo systemctl restart pcscd.socket pcscd.service");
        assert!(hint(&Device { ccid: false, ..good.clone() }).starts_with("ykman config usb"));
        assert!(hint(&Device { driver: false, ..good.clone() }).starts_with("sudo apt install libccid &&"));
        assert!(hint(&Device { open: Some(false), ..good.clone() }).contains("70-signet.rules"));
        let reader = Device { yubico: false, ..good };
        assert_eq!(unseen(&[reader], &PLAIN), [], "a reader without a card is no fault");
    }

    #[test]
    fn the_rule_is_the_one_that_packages_install() {
        let packaged = include_str!("../../../../packaging/udev/70-signet.rules");
        let closed =
            Device { name: String::new(), yubico: true, ccid: true, open: Some(false), driver: true };
        let hint = finding(&closed, &PLAIN).hint.unwrap();
        let rule = packaged.lines().find(|line| !line.starts_with('#') && !line.is_empty()).unwrap();
        assert!(hint.contains(rule), "{hint}");
    }
}
