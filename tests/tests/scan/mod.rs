//! The memory of a process, and the disk, searched for what must not be there.
//!
//! An exact search proves nothing (a copy that is broken in the middle is a leak too), so every window of
//! eight bytes is looked for, in the forms in which a program could hold it. What the same scanner finds
//! where something was planted is the control.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of this")]

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use signet_tests::card::Card;
use signet_tests::harness::{Ran, Signet};
use signet_tests::process::{children_of, comes_true};

const WINDOW: usize = 8;
const PAGE: usize = 4096;
const EMPTY: [u8; PAGE] = [0; PAGE];
/// What is signed.
pub(crate) const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nHost: sts.amazonaws.com\r\n\
    Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: 43\r\n\r\n\
    Action=GetCallerIdentity&Version=2011-06-15";

/// What is looked for, by the names of their forms.
#[derive(Default)]
pub(crate) struct Wanted {
    /// Windows of eight bytes.
    windows: HashMap<[u8; WINDOW], String>,
    /// What is shorter, whole.
    short: Vec<(Vec<u8>, String)>,
    /// Beginnings, so that nearly every place is passed over at once.
    begins: Vec<bool>,
}

impl Wanted {
    pub(crate) fn add(&mut self, name: &str, bytes: &[u8]) {
        self.begins.resize(1 << 16, false);
        let begin = |bytes: &[u8]| usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        if bytes.len() < WINDOW {
            self.begins[begin(bytes)] = true;
            self.short.push((bytes.to_vec(), name.to_owned()));
        }
        for window in bytes.windows(WINDOW) {
            self.begins[begin(window)] = true;
            self.windows.insert(window.try_into().unwrap(), name.to_owned());
        }
    }

    /// The bytes as they are, and as text.
    pub(crate) fn add_forms(&mut self, name: &str, bytes: &[u8]) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.add(&format!("{name}, raw"), bytes);
        self.add(&format!("{name}, hex"), hex.as_bytes());
        self.add(&format!("{name}, HEX"), hex.to_uppercase().as_bytes());
        // Three ways in which base64 can lie over it; the ends mix with what stands beside.
        for skip in 0..3 {
            let text = STANDARD_NO_PAD.encode(&bytes[skip..bytes.len() - (bytes.len() - skip) % 3]);
            self.add(&format!("{name}, base64"), text.as_bytes());
        }
        self.add(&format!("{name}, base64"), STANDARD.encode(bytes).as_bytes());
        self.add(&format!("{name}, base64"), URL_SAFE.encode(bytes).as_bytes());
    }

    /// Text, also as wide characters.
    pub(crate) fn add_text(&mut self, name: &str, text: &str) {
        self.add_forms(name, text.as_bytes());
        let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        self.add(&format!("{name}, UTF-16"), &wide(u16::to_le_bytes));
        self.add(&format!("{name}, UTF-16BE"), &wide(u16::to_be_bytes));
        let words: Vec<u8> = text.as_bytes().chunks(4).flat_map(|word| word.iter().rev()).copied().collect();
        self.add(&format!("{name}, words"), &words);
    }

    /// A PIN, and what it is filled up with.
    pub(crate) fn add_pin(&mut self, name: &str, pin: &str, filling: &[u8]) {
        self.add(&format!("{name}, padded"), &[pin.as_bytes(), filling].concat());
        self.add(name, pin.as_bytes());
        let hex: String = pin.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.add(&format!("{name}, hex"), hex.as_bytes());
        self.add(&format!("{name}, base64"), STANDARD.encode(pin).as_bytes());
        let wide: Vec<u8> = pin.encode_utf16().flat_map(u16::to_le_bytes).collect();
        self.add(&format!("{name}, UTF-16"), &wide);
    }

    /// A key of HMAC-SHA256 as the two pads hold it (RFC 2104), and its words as a hash reads them.
    pub(crate) fn add_pads(&mut self, name: &str, key: &[u8]) {
        for pad in [0x36, 0x5c] {
            let padded: Vec<u8> = key.iter().map(|byte| byte ^ pad).collect();
            self.add(&format!("{name} xor {pad:02x}"), &padded);
            let words: Vec<u8> = padded.chunks(4).flat_map(|word| word.iter().rev()).copied().collect();
            self.add(&format!("{name} xor {pad:02x}, words"), &words);
        }
    }

    /// A secret, in every form in which SigV4 or a program may hold it.
    pub(crate) fn add_bare_secret(&mut self, name: &str, secret: &str) {
        self.add_text(name, secret);
        let long = format!("AWS4{secret}");
        self.add_forms(&format!("AWS4 and {name}"), long.as_bytes());
        self.add_pads(&format!("AWS4 and {name}"), long.as_bytes());
    }

    /// A secret, and everything SigV4 makes of it on these days.
    pub(crate) fn add_secret(&mut self, name: &str, secret: &str, days: &BTreeSet<String>) {
        self.add_bare_secret(name, secret);
        let long = format!("AWS4{secret}");
        for day in days {
            let mut key = long.as_bytes().to_vec();
            for (step, part) in [
                ("kDate", day.as_str()),
                ("kRegion", "us-east-1"),
                ("kService", "sts"),
                ("kSigning", "aws4_request"),
            ] {
                key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
                self.add_forms(&format!("{step} of {name}"), &key);
                self.add_pads(&format!("{step} of {name}"), &key);
            }
        }
    }

    /// What another looks for, too.
    pub(crate) fn append(&mut self, other: Self) {
        self.windows.extend(other.windows);
        self.short.extend(other.short);
        self.begins.resize(1 << 16, false);
        for (begin, theirs) in self.begins.iter_mut().zip(other.begins) {
            *begin |= theirs;
        }
    }

    /// The names of what these bytes hold.
    pub(crate) fn find(&self, bytes: &[u8], found: &mut BTreeSet<String>) {
        for (number, page) in bytes.chunks(PAGE).enumerate() {
            // Most of a process is empty; nothing that is looked for consists of zeros.
            if page == &EMPTY[..page.len()] {
                continue;
            }
            let from = number * PAGE;
            for at in from..from + page.len() {
                let [first, second] = [bytes[at], bytes.get(at + 1).copied().unwrap_or_default()];
                if !self.begins[usize::from(first) << 8 | usize::from(second)] {
                    continue;
                }
                let here = &bytes[at..];
                if let Some(name) = here.first_chunk().and_then(|window| self.windows.get(window)) {
                    found.insert(name.clone());
                }
                let short = self.short.iter().filter(|(short, _)| here.starts_with(short));
                found.extend(short.map(|(_, name)| name.clone()));
            }
        }
    }

    /// The names of what a process holds, in all of its memory that was ever written.
    pub(crate) fn scan(&self, pid: u32) -> BTreeSet<String> {
        let (found, read) = self.look(pid).unwrap_or_else(|error| {
            panic!("this test reads the memory of others and has to run as root: {error}")
        });
        assert!(read > 1 << 18, "only {read} bytes of process {pid} could be read");
        found
    }

    /// The same, and how many bytes were read, of a process that may end meanwhile.
    pub(crate) fn look(&self, pid: u32) -> std::io::Result<(BTreeSet<String>, usize)> {
        let mut found = BTreeSet::new();
        let mut read = 0;
        let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
        let mut memory = File::open(format!("/proc/{pid}/mem"))?;
        for line in maps.lines() {
            let mut fields = line.split_whitespace();
            let (range, modes) = (fields.next().unwrap(), fields.next().unwrap());
            // What comes from a file and cannot be written is the file's.
            let of_file = !modes.contains('w') && fields.nth(3).is_some_and(|name| name.starts_with('/'));
            if !modes.starts_with('r') || of_file || line.contains("[vvar") || line.contains("[vsyscall") {
                continue;
            }
            let (from, to) = range.split_once('-').unwrap();
            let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).unwrap());
            let mut bytes = Vec::new();
            // What was unmapped since the list was made is not there any more; what was read until then is.
            if memory.seek(SeekFrom::Start(from)).is_ok() {
                let _ = (&mut memory).take(to - from).read_to_end(&mut bytes);
            }
            read += bytes.len();
            self.find(&bytes, &mut found);
        }
        Ok((found, read))
    }
}

/// A text of so many random letters and digits.
pub(crate) fn letters(count: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    random(count).iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}

pub(crate) fn random(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}
/// Today and tomorrow, as SigV4 writes them: the uses may run over midnight.
pub(crate) fn days() -> BTreeSet<String> {
    let name =
        |at: time::OffsetDateTime| format!("{:04}{:02}{:02}", at.year(), u8::from(at.month()), at.day());
    let now = time::OffsetDateTime::now_utc();
    BTreeSet::from([name(now), name(now + time::Duration::DAY)])
}
pub(crate) fn signers_of(agent: u32) -> Vec<u32> {
    children_of(agent, "signet-signer")
}

pub(crate) fn sign(signet: &Signet, key: &str, more: &[&str]) -> Ran {
    let sign = ["sign", key, "--service", "sts", "--region", "us-east-1"];
    signet.run_with(&[&sign[..], more].concat(), REQUEST)
}

pub(crate) fn signed(ran: Ran) {
    assert!(ran.ok().contains("AWS4-HMAC-SHA256"));
}
/// The control: whatever is planted in a process of ours is found in it, in each of its forms.
pub(crate) fn planted_in_a_child(wanted: &Wanted) {
    // `cat` holds what it has passed on until it reads again.
    let mut cat =
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat can be started");
    let windows: Vec<u8> = wanted.windows.keys().flatten().copied().collect();
    let short = wanted.short.iter().flat_map(|(bytes, _)| [bytes.as_slice(), b" "].concat());
    let planted: Vec<u8> = windows.into_iter().chain(short).collect();
    assert!(planted.len() < 64 * 1024, "{} bytes do not fit into what cat reads at once", planted.len());
    cat.stdin.as_mut().unwrap().write_all(&planted).unwrap();
    let names: BTreeSet<String> =
        wanted.windows.values().chain(wanted.short.iter().map(|(_, name)| name)).cloned().collect();
    let mut found = BTreeSet::new();
    let all = comes_true(|| {
        // It may not have come so far that it has memory to be read.
        found = wanted.look(cat.id()).map(|(found, _)| found).unwrap_or_default();
        found == names
    });
    assert!(all, "planted and not found: {:?}", names.difference(&found));
    cat.kill().unwrap();
    cat.wait().unwrap();
}

/// Reads the memory of a process all the time that something runs, which must not leave a trace in it; says
/// how many times it was read.
pub(crate) fn watched(wanted: &Wanted, process: u32, run: impl FnOnce()) -> usize {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let done = &done;
        let reader = scope.spawn(move || {
            let (mut found, mut scans) = (BTreeSet::new(), 0);
            while !done.load(Ordering::SeqCst) {
                found.extend(wanted.scan(process));
                scans += 1;
            }
            (found, scans)
        });
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        done.store(true, Ordering::SeqCst);
        let (found, scans) = reader.join().unwrap();
        if let Err(panic) = ran {
            std::panic::resume_unwind(panic);
        }
        assert!(found.is_empty(), "the agent held: {found:#?}");
        scans
    })
}

/// The one signer there is.
pub(crate) fn signer_of(agent: u32) -> u32 {
    let signers = signers_of(agent);
    assert_eq!(signers.len(), 1, "one signer waits for the touch");
    signers[0]
}
/// Waits until the card blinks.
pub(crate) fn blinks(card: &Card, asked: usize) {
    assert!(comes_true(|| card.touches_asked() == asked), "the card was not asked for touch {asked}");
    card.wait_until_asked();
}
/// What is at rest: the vault, its log and its trash.
pub(crate) fn nothing_on_disk(wanted: &Wanted, dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            nothing_on_disk(wanted, &path);
        } else {
            let mut found = BTreeSet::new();
            wanted.find(&fs::read(&path).unwrap(), &mut found);
            assert_eq!(found, BTreeSet::new(), "{}", path.display());
        }
    }
}
