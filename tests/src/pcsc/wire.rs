//! As much of pcsclite's client protocol as tells which readers hold a card.
//!
//! A test process may have several daemons, but libpcsclite reads its socket's name only once per
//! process; so the waiting is done here, by hand. Follows `winscard_msg.h` of pcsclite 1.9 (protocol
//! 4): little-endian structures as they lie in memory, one header of size and command each.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How often the readers are asked for while something is awaited.
const PACE: Duration = Duration::from_millis(5);
/// How long the daemon may take for one answer.
const ANSWER: Duration = Duration::from_secs(10);

/// `CMD_VERSION` of `winscard_msg.h`.
const VERSION: u32 = 0x11;
/// `CMD_GET_READERS_STATE`.
const GET_READERS: u32 = 0x12;
/// `PCSCLITE_MAX_READERS_CONTEXTS`.
const READERS: usize = 16;
/// `sizeof(READER_STATE)`: name 128, counter, state and sharing 4 each, ATR 33 padded to 36, its length
/// and the card's protocol 4 each.
const READER: usize = 128 + 4 + 4 + 4 + 36 + 4 + 4;
/// `SCARD_PRESENT` of the daemon's internal reader state.
const PRESENT: u32 = 0x0004;

/// One reader as the daemon shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderState {
    /// Its full name.
    pub name: String,
    /// Whether a card is in it and has been powered up.
    pub present: bool,
    /// How many insertions and removals the daemon has noticed.
    pub changes: u32,
    /// The card's answer to reset; empty without a card.
    pub atr: Vec<u8>,
}

/// Connects and agrees on the protocol's version.
pub(super) fn connect(socket: &Path) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    let mut hello = [4_u32.to_le_bytes(), 4_u32.to_le_bytes(), 0_u32.to_le_bytes()].concat();
    send(&mut stream, VERSION, &hello)?;
    stream.read_exact(&mut hello)?;
    match hello.get(8..) {
        Some([0, 0, 0, 0]) => Ok(stream),
        Some(_) | None => Err(io::Error::other("pcscd speaks another version of its protocol")),
    }
}

/// The readers now.
pub(super) fn readers(stream: &mut UnixStream) -> io::Result<Vec<ReaderState>> {
    send(stream, GET_READERS, &[])?;
    states(stream)
}

/// Waits until the readers are as wanted.
pub(super) fn wait_until(
    stream: &mut UnixStream,
    deadline: Instant,
    wanted: impl Fn(&[ReaderState]) -> bool,
) -> io::Result<()> {
    // The protocol has a call that waits for a change, but its answer is ambiguous when the change comes
    // while the call is under way; so we ask again, at a pace that costs nothing.
    while !wanted(&readers(stream)?) {
        if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(PACE);
    }
    Ok(())
}

fn send(stream: &mut UnixStream, command: u32, body: &[u8]) -> io::Result<()> {
    let size = u32::try_from(body.len()).map_err(io::Error::other)?;
    stream.write_all(&[&size.to_le_bytes()[..], &command.to_le_bytes()[..], body].concat())
}

fn states(stream: &mut UnixStream) -> io::Result<Vec<ReaderState>> {
    let mut raw = vec![0; READERS * READER];
    stream.read_exact(&mut raw)?;
    Ok(raw.chunks_exact(READER).filter_map(state).filter(|state| !state.name.is_empty()).collect())
}

fn state(raw: &[u8]) -> Option<ReaderState> {
    let (name, rest) = raw.split_at_checked(128)?;
    let name: Vec<u8> = name.iter().copied().take_while(|byte| *byte != 0).collect();
    let word = |at: usize| rest.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    let length = usize::try_from(word(48)?).ok()?;
    Some(ReaderState {
        name: String::from_utf8_lossy(&name).into_owned(),
        present: word(4)? & PRESENT != 0,
        changes: word(0)?,
        atr: rest.get(12..12 + length).unwrap_or_default().to_vec(),
    })
}
