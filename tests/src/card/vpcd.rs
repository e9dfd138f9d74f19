//! The wire between the card and the `vpcd` reader: frames of a 16-bit length and a payload over TCP;
//! a payload of one byte is a signal of the reader, anything else an APDU. Follows
//! `vpcd.h` of vsmartcard 3.3.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// What the reader wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    PowerOff,
    PowerOn,
    Reset,
    GetAtr,
    Apdu(Vec<u8>),
}

/// Makes a fresh connection fast.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)
}

/// Reads one frame; `None` at the end of the connection.
pub(super) fn read(stream: &mut TcpStream) -> Option<Frame> {
    let mut header = [0; 2];
    read_exact(stream, &mut header).ok()?;
    let mut payload = vec![0; usize::from(u16::from_be_bytes(header))];
    read_exact(stream, &mut payload).ok()?;
    match payload.as_slice() {
        [0] => Some(Frame::PowerOff),
        [1] => Some(Frame::PowerOn),
        [2] => Some(Frame::Reset),
        [4] => Some(Frame::GetAtr),
        _ => Some(Frame::Apdu(payload)),
    }
}

/// Writes one frame.
pub(super) fn write(stream: &mut TcpStream, payload: &[u8]) -> io::Result<()> {
    let length = u16::try_from(payload.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], payload].concat())
}

/// vpcd sends header and payload apart, and the kernel delays the acknowledgement of the first by
/// 40 ms unless told otherwise after each read: the setting does not last.
fn read_exact(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    let _ = rustix::net::sockopt::set_tcp_quickack(&*stream, true); // slower without, no worse
    stream.read_exact(buffer)?;
    let _ = rustix::net::sockopt::set_tcp_quickack(&*stream, true); // as above
    Ok(())
}
