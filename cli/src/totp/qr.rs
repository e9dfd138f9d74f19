//! A seed as a QR code, on the person's terminal or in a PNG file. Never on standard output: that is
//! for data, and may end in a log.

use super::Seed;
use png::{BitDepth, ColorType, Encoder};
use qrcode::{Color, QrCode};
use signet_protocol::{Code, Refusal};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// Modules of white around the code (ISO/IEC 18004, section 6.3.8).
const QUIET: usize = 4;
/// Pixels of a module in the PNG.
const SCALE: usize = 8;
const TERMINAL: &str = "/dev/tty";

/// Shows a new seed: in the file, if one was named, else on the terminal.
pub(crate) fn show(seed: &Seed, label: &str, file: Option<&Path>) -> Result<(), Refusal> {
    let code = QrCode::new(&*seed.uri(label))
        .map_err(|error| Refusal::bare(Code::Internal, format!("the qr code cannot be made: {error}")))?;
    match file {
        Some(file) => write(&code, file),
        None => print(&code, seed),
    }
}

/// A picture, black on white, readable by its owner only; never over an existing file.
fn write(code: &QrCode, file: &Path) -> Result<(), Refusal> {
    let failed = |why: &dyn std::fmt::Display| {
        Refusal::bare(Code::BadRequest, format!("the qr code is not written to {}: {why}", file.display()))
    };
    let side = (code.width() + 2 * QUIET) * SCALE;
    let mut pixels = Zeroizing::new(Vec::with_capacity(side * side));
    for y in 0..side {
        pixels.extend((0..side).map(|x| if dark(code, x / SCALE, y / SCALE) { 0_u8 } else { 255 }));
    }
    let out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(|error| failed(&error))?;
    let length = u32::try_from(side).map_err(|error| failed(&error))?;
    let mut encoder = Encoder::new(&out, length, length);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(|error| failed(&error))?;
    writer.write_image_data(&pixels).map_err(|error| failed(&error))?;
    writer.finish().map_err(|error| failed(&error))?;
    out.sync_all().map_err(|error| failed(&error))
}

/// On the terminal, whatever standard output and error are.
fn print(code: &QrCode, seed: &Seed) -> Result<(), Refusal> {
    let nowhere = |_| {
        Refusal::new(
            Code::NoPrompt,
            "there is no terminal to show the new seed on",
            "signet add … --totp new --qr FILE.png",
        )
    };
    let mut tty =
        OpenOptions::new().write(true).custom_flags(libc::O_NOCTTY).open(TERMINAL).map_err(nowhere)?;
    let text = Zeroizing::new(drawn(code));
    tty.write_all(text.as_bytes())
        .and_then(|()| tty.write_all(b"  or type it: "))
        .and_then(|()| tty.write_all(&seed.base32()))
        .and_then(|()| tty.write_all(b"\n"))
        .map_err(nowhere)
}

/// Two modules a character; colours are set outright, because a dark terminal would invert the code.
fn drawn(code: &QrCode) -> String {
    let side = code.width() + 2 * QUIET;
    let mut out = String::with_capacity(side * side * 2);
    for y in (0..side).step_by(2) {
        out.push_str("\u{1b}[30;107m");
        for x in 0..side {
            out.push(match (dark(code, x, y), dark(code, x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        out.push_str("\u{1b}[0m\n");
    }
    out
}

/// The colour of a module, the quiet zone counted.
fn dark(code: &QrCode, x: usize, y: usize) -> bool {
    let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < code.width());
    match (inside(x), inside(y)) {
        (Some(x), Some(y)) => code[(x, y)] == Color::Dark,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder(name: &str) -> std::path::PathBuf {
        let dir = std::env::temp_dir().join(format!("signet-qr-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn the_picture_is_private_and_replaces_nothing() {
        let file = folder("private").join("seed.png");
        let seed = Seed::random().unwrap();
        show(&seed, "prod", Some(&file)).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(std::fs::read(&file).unwrap().starts_with(b"\x89PNG"));
        assert_eq!(show(&seed, "prod", Some(&file)).unwrap_err().code, Code::BadRequest);
        std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_finder_stands_in_the_corner_with_white_around() {
        let code = QrCode::new(b"otpauth://totp/x").unwrap();
        assert!((0..7).all(|at| dark(&code, QUIET + at, QUIET) && dark(&code, QUIET, QUIET + at)));
        assert!((0..QUIET).all(|at| !dark(&code, at, at)));
        assert_eq!(drawn(&code).lines().count(), (code.width() + 2 * QUIET).div_ceil(2));
    }
}
