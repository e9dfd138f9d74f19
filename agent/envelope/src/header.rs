//! The text of an age v1 header (C2SP `age`, "Header"): caps, grammar, writing.
//!
//! Strict where age is: LF only, canonical base64 without padding, a body in lines of 64 columns
//! that a shorter line ends. Stricter besides: at most 64 KiB and 16 stanzas.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::Error;

/// The most a record may be long, in bytes.
pub const MAX_RECORD: usize = 64 * 1024;
/// The most recipients a record may have: 16 stanzas, one of them the metadata.
pub const MAX_RECIPIENTS: usize = MAX_STANZAS - 1;
const MAX_STANZAS: usize = 16;
const INTRO: &[u8] = b"age-encryption.org/v1";
const COLUMNS: usize = 64;
const MAC: usize = 32;

/// One stanza: `-> name args…`, and its decoded body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stanza {
    pub(crate) name: String,
    pub(crate) args: Vec<String>,
    pub(crate) body: Vec<u8>,
}

/// A parsed header, and where it ends.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) stanzas: Vec<Stanza>,
    /// How many bytes of the file the MAC covers: up to and including `---`.
    pub(crate) covered: usize,
    pub(crate) mac: [u8; MAC],
    /// How long the header is, up to and including the LF after its MAC.
    pub(crate) length: usize,
}

/// Base64 as age writes it.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

/// Base64 as age reads it: the standard alphabet, no padding, no stray bits at the end.
pub(crate) fn from_base64(text: &[u8]) -> Result<Vec<u8>, Error> {
    STANDARD_NO_PAD.decode(text).map_err(|_| Error::Malformed("base64 is not canonical"))
}

/// What is left to read of a file.
struct Lines<'a> {
    rest: &'a [u8],
    read: usize,
}

impl<'a> Lines<'a> {
    /// The next line without its LF.
    fn next(&mut self) -> Result<&'a [u8], Error> {
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let (line, rest) = end
            .and_then(|end| Some((self.rest.get(..end)?, self.rest.get(end + 1..)?)))
            .ok_or(Error::Malformed("the header has no end"))?;
        self.rest = rest;
        self.read += line.len() + 1;
        Ok(line)
    }

    /// The decoded body of a stanza.
    fn body(&mut self) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        loop {
            let line = self.next()?;
            if line.len() > COLUMNS {
                return Err(Error::Malformed("a line of a body is longer than 64 columns"));
            }
            body.extend(from_base64(line)?);
            if line.len() < COLUMNS {
                return Ok(body);
            }
        }
    }
}

/// The words of a stanza's first line, after `-> `.
fn words(line: &[u8]) -> Result<Vec<String>, Error> {
    line.split(|byte| *byte == b' ')
        .map(|word| {
            let fits = !word.is_empty() && word.iter().all(u8::is_ascii_graphic);
            let text = fits.then(|| std::str::from_utf8(word).ok()).flatten();
            text.map(str::to_owned)
                .ok_or(Error::Malformed("a stanza has an argument that is empty or no text"))
        })
        .collect()
}

/// Reads the header in front of `file`.
pub(crate) fn read(file: &[u8]) -> Result<Header, Error> {
    if file.len() > MAX_RECORD {
        return Err(Error::TooLarge);
    }
    let mut lines = Lines { rest: file, read: 0 };
    if lines.next()? != INTRO {
        return Err(Error::Malformed("the first line is not age-encryption.org/v1"));
    }
    let mut stanzas = Vec::new();
    loop {
        let start = lines.read;
        let line = lines.next()?;
        if let Some(mac) = line.strip_prefix(b"--- ") {
            let mac = from_base64(mac)?;
            let mac = mac.try_into().map_err(|_| Error::Malformed("the header's MAC has not 32 bytes"))?;
            return Ok(Header { stanzas, covered: start + 3, mac, length: lines.read });
        }
        let line =
            line.strip_prefix(b"-> ").ok_or(Error::Malformed("a stanza does not begin with an arrow"))?;
        if stanzas.len() == MAX_STANZAS {
            return Err(Error::TooLarge);
        }
        let mut args = words(line)?;
        let name = args.remove(0); // splitting gives at least one word
        stanzas.push(Stanza { name, args, body: lines.body()? });
    }
}

/// Writes a header up to and including `---`: what the MAC covers.
pub(crate) fn covered(stanzas: &[Stanza]) -> Vec<u8> {
    let mut out = INTRO.to_vec();
    out.push(b'\n');
    for stanza in stanzas {
        out.extend_from_slice(b"-> ");
        out.extend_from_slice(stanza.name.as_bytes());
        for arg in &stanza.args {
            out.push(b' ');
            out.extend_from_slice(arg.as_bytes());
        }
        out.push(b'\n');
        let body = to_base64(&stanza.body);
        let lines = body.as_bytes().chunks(COLUMNS);
        let full = body.len().is_multiple_of(COLUMNS);
        for line in lines {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        if full {
            // a body ends with a short line, an empty one if need be
            out.push(b'\n');
        }
    }
    out.extend_from_slice(b"---");
    out
}

/// Ends a covered header with its MAC.
pub(crate) fn finish(mut covered: Vec<u8>, mac: &[u8]) -> Vec<u8> {
    covered.push(b' ');
    covered.extend_from_slice(to_base64(mac).as_bytes());
    covered.push(b'\n');
    covered
}
