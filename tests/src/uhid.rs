//! A FIDO device on USB, as far as Linux can tell: `/dev/uhid` (the kernel's `Documentation/hid/uhid.rst`
//! and `include/uapi/linux/uhid.h`). Carries reports; what they say is none of its business.

use std::fs::File;
use std::io::{self, Read, Write};

use crate::card::Packet;

/// Where the kernel offers it.
const UHID: &str = "/dev/uhid";
/// Kinds of event.
const DESTROY: u32 = 1;
const OPEN: u32 = 4;
const CLOSE: u32 = 5;
const OUTPUT: u32 = 6;
const CREATE: u32 = 11;
const INPUT: u32 = 12;
/// Room for the longest event.
const LONGEST: usize = 4380;
/// USB, as a bus of the kernel's.
const BUS: u16 = 3;
/// A YubiKey 5 with everything switched on.
const VENDOR: u32 = 0x1050;
const PRODUCT: u32 = 0x0407;
/// Reports of 64 bytes in and out, of the usage page and usage of FIDO (CTAP 2.1, section 11.2.8.2; the
/// items are those of the HID specification 1.11, section 6.2.2).
const DESCRIPTOR: [u8; 34] = [
    0x06, 0xd0, 0xf1, 0x09, 0x01, 0xa1, 0x01, // FIDO: a collection
    0x09, 0x20, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x40, 0x81, 0x02, // in
    0x09, 0x21, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x40, 0x91, 0x02, // out
    0xc0,
];

/// What the kernel tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A program has opened the device, and none had before.
    Opened,
    /// The last program has closed it.
    Closed,
    /// A report was sent to it.
    Report(Packet),
    /// Anything else.
    Other,
}

/// The kernel's end of the cable.
#[derive(Debug)]
pub struct Uhid(File);

impl Uhid {
    /// Gets hold of it; nothing is plugged in yet.
    ///
    /// # Errors
    /// There is no such device, or only root may open it.
    pub fn open() -> io::Result<Self> {
        File::options().read(true).write(true).open(UHID).map(Self)
    }

    /// The same, for another thread.
    ///
    /// # Errors
    /// The process has too many files open.
    pub fn share(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Plugs a device in.
    ///
    /// # Errors
    /// There is one already.
    pub fn plug(&mut self, name: &str) -> io::Result<()> {
        self.0.write_all(&creation(name))
    }

    /// Pulls it out.
    ///
    /// # Errors
    /// There is none.
    pub fn unplug(&mut self) -> io::Result<()> {
        self.0.write_all(&DESTROY.to_ne_bytes())
    }

    /// The device sends a report.
    ///
    /// # Errors
    /// It is not plugged in.
    pub fn send(&mut self, packet: &Packet) -> io::Result<()> {
        let size = u16::try_from(packet.len()).unwrap_or(u16::MAX);
        self.0.write_all(&[&INPUT.to_ne_bytes()[..], &size.to_ne_bytes(), packet].concat())
    }

    /// Waits for what the kernel tells next.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn hear(&mut self) -> io::Result<Told> {
        let mut event = [0; LONGEST];
        let length = self.0.read(&mut event)?;
        Ok(event.get(..length).map_or(Told::Other, told))
    }
}

/// `struct uhid_create2_req` behind its kind.
fn creation(name: &str) -> Vec<u8> {
    let text = |text: &str, room: usize| {
        let mut bytes: Vec<u8> = text.bytes().take(room - 1).collect();
        bytes.resize(room, 0);
        bytes
    };
    let size = u16::try_from(DESCRIPTOR.len()).unwrap_or(u16::MAX);
    [
        &CREATE.to_ne_bytes()[..],
        &text(name, 128),
        &text("virtual", 64),
        &text("", 64),
        &size.to_ne_bytes(),
        &BUS.to_ne_bytes(),
        &VENDOR.to_ne_bytes(),
        &PRODUCT.to_ne_bytes(),
        // version and country
        &[0; 8],
        &DESCRIPTOR,
    ]
    .concat()
}

fn told(event: &[u8]) -> Told {
    let Some((kind, body)) = event.split_first_chunk() else { return Told::Other };
    match u32::from_ne_bytes(*kind) {
        OPEN => Told::Opened,
        CLOSE => Told::Closed,
        OUTPUT => report(body).map_or(Told::Other, Told::Report),
        _ => Told::Other,
    }
}

/// `struct uhid_output_req`: 4096 bytes, of which so many count. The number of the report goes first; FIDO
/// numbers none.
fn report(body: &[u8]) -> Option<Packet> {
    let size = usize::from(u16::from_ne_bytes(*body.get(4096..)?.first_chunk()?));
    let packet = body.get(1..size)?.try_into().ok()?;
    (body.first() == Some(&0)).then_some(packet)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_device_is_described_as_the_kernel_lays_it_out() {
        let event = creation("key");
        assert_eq!(event[..8], [&CREATE.to_ne_bytes()[..], b"key\0"].concat());
        // name 128, phys 64, uniq 64; rd_size, bus; vendor, product, version, country; rd_data
        assert_eq!(event[260..264], [&34_u16.to_ne_bytes()[..], &3_u16.to_ne_bytes()].concat());
        assert_eq!(event[264..268], 0x1050_u32.to_ne_bytes());
        assert_eq!((event.len(), &event[280..283]), (314, &[0x06, 0xd0, 0xf1][..]));
        assert_eq!(creation(&"x".repeat(500)).len(), 314, "a name ends where its room does");
    }

    #[test]
    fn events_are_told_apart() {
        let output = |first: u8, size: u16| {
            let mut event = [&OUTPUT.to_ne_bytes()[..], &[first], &[7; 64], &[0; 4031]].concat();
            event.extend(size.to_ne_bytes());
            event.push(1);
            event
        };
        assert_eq!(told(&output(0, 65)), Told::Report([7; 64]));
        for other in [output(0, 64), output(0, 0), output(1, 65), output(0, 9999), vec![], vec![6; 3]] {
            assert_eq!(told(&other), Told::Other);
        }
        assert_eq!(told(&OPEN.to_ne_bytes()), Told::Opened);
        assert_eq!(told(&CLOSE.to_ne_bytes()), Told::Closed);
        assert_eq!(told(&[9; 200]), Told::Other);
    }
}
