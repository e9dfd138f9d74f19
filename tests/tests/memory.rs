//! The agent's memory while 50 uses run: nothing of the secret, of the keys derived from it, of the PIN or
//! of the factor's seed is ever in it, and no signer outlives its use. And the memory of the signers too
//! while a key signs that is inside a token: nothing of the secret is in any process of the host.
//!
//! An exact search proves nothing (a copy that is broken in the middle is a leak too), so every window of
//! eight bytes is looked for, in the forms in which a program could hold it. What the same scanner finds
//! where something was planted is the control.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::process::Signal;
use signet_tests::aws::totp_code;
use signet_tests::card::{Card, Profile, Touch};
use signet_tests::harness::{Ran, Setup, Signet};
use signet_tests::pcsc::Pcscd;
use signet_tests::process::{children_of, comes_true, signal};

const USES: usize = 50;
/// Of them with the factor: a code is good once, and no later step than the next one is taken.
const WITH_CODE: usize = 2;
const WINDOW: usize = 8;
const PAGE: usize = 4096;
const EMPTY: [u8; PAGE] = [0; PAGE];
/// Six characters that are not found by accident; the card takes any byte.
const PIN: &str = "wQ7&zK";
const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nHost: sts.amazonaws.com\r\n\
    Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: 43\r\n\r\n\
    Action=GetCallerIdentity&Version=2011-06-15";

/// What is looked for, by the names of their forms.
#[derive(Default)]
struct Wanted {
    /// Windows of eight bytes.
    windows: HashMap<[u8; WINDOW], String>,
    /// What is shorter, whole.
    short: Vec<(Vec<u8>, String)>,
    /// Beginnings, so that nearly every place is passed over at once.
    begins: Vec<bool>,
}

impl Wanted {
    fn add(&mut self, name: &str, bytes: &[u8]) {
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
    fn add_forms(&mut self, name: &str, bytes: &[u8]) {
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
    fn add_text(&mut self, name: &str, text: &str) {
        self.add_forms(name, text.as_bytes());
        let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        self.add(&format!("{name}, UTF-16"), &wide(u16::to_le_bytes));
        self.add(&format!("{name}, UTF-16BE"), &wide(u16::to_be_bytes));
        let words: Vec<u8> = text.as_bytes().chunks(4).flat_map(|word| word.iter().rev()).copied().collect();
        self.add(&format!("{name}, words"), &words);
    }

    /// A key of HMAC-SHA256 as the two pads hold it (RFC 2104), and its words as a hash reads them.
    fn add_pads(&mut self, name: &str, key: &[u8]) {
        for pad in [0x36, 0x5c] {
            let padded: Vec<u8> = key.iter().map(|byte| byte ^ pad).collect();
            self.add(&format!("{name} xor {pad:02x}"), &padded);
            let words: Vec<u8> = padded.chunks(4).flat_map(|word| word.iter().rev()).copied().collect();
            self.add(&format!("{name} xor {pad:02x}, words"), &words);
        }
    }

    /// A secret, in every form in which SigV4 or a program may hold it.
    fn add_bare_secret(&mut self, name: &str, secret: &str) {
        self.add_text(name, secret);
        let long = format!("AWS4{secret}");
        self.add_forms(&format!("AWS4 and {name}"), long.as_bytes());
        self.add_pads(&format!("AWS4 and {name}"), long.as_bytes());
    }

    /// A secret, and everything SigV4 makes of it on these days.
    fn add_secret(&mut self, name: &str, secret: &str, days: &BTreeSet<String>) {
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

    /// The names of what these bytes hold.
    fn find(&self, bytes: &[u8], found: &mut BTreeSet<String>) {
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
    fn scan(&self, pid: u32) -> BTreeSet<String> {
        let (found, read) = self.look(pid).unwrap_or_else(|error| {
            panic!("this test reads the memory of others and has to run as root: {error}")
        });
        assert!(read > 1 << 18, "only {read} bytes of process {pid} could be read");
        found
    }

    /// The same, and how many bytes were read, of a process that may end meanwhile.
    fn look(&self, pid: u32) -> std::io::Result<(BTreeSet<String>, usize)> {
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
fn letters(count: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    random(count).iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}

fn random(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}

/// A seed of 20 bytes as base32 (RFC 4648, section 6) and as bytes.
fn seed() -> (String, Vec<u8>) {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bytes = random(20);
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let text = bits
        .chunks(5)
        .map(|five| char::from(ALPHABET[five.iter().fold(0, |number, bit| number * 2 + usize::from(*bit))]))
        .collect();
    (text, bytes)
}

fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

/// Today and tomorrow, as SigV4 writes them: the uses may run over midnight.
fn days() -> BTreeSet<String> {
    let name =
        |at: time::OffsetDateTime| format!("{:04}{:02}{:02}", at.year(), u8::from(at.month()), at.day());
    let now = time::OffsetDateTime::now_utc();
    BTreeSet::from([name(now), name(now + time::Duration::DAY)])
}

fn signers_of(agent: u32) -> Vec<u32> {
    children_of(agent, "signet-signer")
}

fn sign(signet: &Signet, key: &str, more: &[&str]) -> Ran {
    let sign = ["sign", key, "--service", "sts", "--region", "us-east-1"];
    signet.run_with(&[&sign[..], more].concat(), REQUEST)
}

fn signed(ran: Ran) {
    assert!(ran.ok().contains("AWS4-HMAC-SHA256"));
}

/// The control: whatever is planted in a process of ours is found in it, in each of its forms.
fn planted_in_a_child(wanted: &Wanted) {
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
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let found = wanted.scan(cat.id());
        if found == names {
            break;
        }
        assert!(Instant::now() < deadline, "planted and not found: {:?}", names.difference(&found));
    }
    cat.kill().unwrap();
    cat.wait().unwrap();
}

#[test]
fn fifty_uses_leave_nothing_in_the_agent_and_no_signer() {
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    let signet = Signet::start(&Setup { kinds: &["yubikey-piv"], pcscd: Some(&pcscd), ..Setup::default() });
    let agent = signet.agent_pid().unwrap();
    let (plain, gated, marker) = (letters(40), letters(40), letters(40));
    let (seed_text, seed_bytes) = seed();

    let days = days();
    let mut wanted = Wanted::default();
    wanted.add_secret("the secret", &plain, &days);
    wanted.add_secret("the second secret", &gated, &days);
    wanted.add_forms("the seed", &seed_bytes);
    wanted.add_pads("the seed", &seed_bytes);
    wanted.add_text("the seed in base32", &seed_text);
    wanted.add("the pin", PIN.as_bytes());
    wanted.add("the pin, padded", &[PIN.as_bytes(), &[0xff; 2]].concat());
    let hex: String = PIN.bytes().map(|byte| format!("{byte:02x}")).collect();
    wanted.add("the pin, hex", hex.as_bytes());
    wanted.add("the pin, base64", STANDARD.encode(PIN).as_bytes());
    wanted.add("the pin, UTF-16", &PIN.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
    planted_in_a_child(&wanted);

    for (kind, answer) in [("new-pin", PIN), ("new-puk", "87654321"), ("pin", PIN), ("confirm", "yes")] {
        signet.answer(kind, &[answer]);
    }
    let _ = signet.run(&["init", "--yes"]).ok();
    let key = |id: &str, secret: &str| format!("{id}\n{secret}\n").into_bytes();
    let add = |name, factor: &[&str], input: &[u8]| {
        let add = ["add", name, "--kind", "root", "--stdin", "--no-verify"];
        let _ = signet.run_with(&[&add[..], factor].concat(), input).ok();
    };
    add("plain", &["--no-factor"], &key("AKIAIOSFODNN7EXAMPLE", &plain));
    signet.answer("totp-seed", &[&seed_text]);
    signet.answer("totp", &[&totp_code(&seed_text, now()).unwrap()]);
    add("gated", &["--totp", "ask"], &key("AKIAI44QH8DHBEXAMPLE", &gated));

    // The memory is read all the time that the uses run.
    let (done, mut scans) = (AtomicBool::new(false), 0);
    std::thread::scope(|scope| {
        let (wanted, done) = (&wanted, &done);
        let reader = scope.spawn(move || {
            let (mut found, mut scans) = (BTreeSet::new(), 0);
            while !done.load(Ordering::SeqCst) {
                found.extend(wanted.scan(agent));
                scans += 1;
            }
            (found, scans)
        });
        let uses = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let begun = now();
            for at in [begun, begun + 30] {
                signet.answer("totp", &[&totp_code(&seed_text, at).unwrap()]);
                signed(sign(&signet, "gated", &[]));
            }
            for _ in WITH_CODE..USES {
                signed(sign(&signet, "plain", &[]));
            }
        }));
        done.store(true, Ordering::SeqCst);
        let (found, count) = reader.join().unwrap();
        if let Err(panic) = uses {
            std::panic::resume_unwind(panic);
        }
        assert!(found.is_empty(), "the agent held: {found:#?}");
        scans = count;
    });
    assert!(scans >= 10, "the memory was read only {scans} times");
    assert_eq!(card.events().key_uses(), USES + 2, "each use and each add opened a record");
    assert!(signers_of(agent).is_empty(), "a signer outlives its use");
    assert_eq!(wanted.scan(agent), BTreeSet::new(), "after the uses");
    nothing_on_disk(&wanted, &signet.state_dir());
    planted_in_the_agent(&signet, &card, agent, &marker);
}

/// The one signer there is.
fn signer_of(agent: u32) -> u32 {
    let signers = signers_of(agent);
    assert_eq!(signers.len(), 1, "one signer waits for the touch");
    signers[0]
}

/// Waits until the card blinks.
fn blinks(card: &Card, asked: usize) {
    assert!(comes_true(|| card.touches_asked() == asked), "the card was not asked for touch {asked}");
    card.wait_until_asked();
}

/// A key inside a token: while it signs, no process of the host holds anything of the secret. The one
/// signer that put it there is the control: there the same search finds it.
#[test]
fn a_key_inside_a_token_is_in_no_process_while_it_signs() {
    const SIGNS: usize = 12;
    let pcscd = Pcscd::start();
    let card = Card::insert(&pcscd, Profile::v5_7_1());
    let signet = Signet::start(&Setup { kinds: &["yubikey-piv"], pcscd: Some(&pcscd), ..Setup::default() });
    let agent = signet.agent_pid().unwrap();
    let secret = letters(40);
    // Of the signer: the secret. Of the agent: what is made of it too.
    let (mut bare, mut all) = (Wanted::default(), Wanted::default());
    bare.add_bare_secret("the secret", &secret);
    all.add_secret("the secret", &secret, &days());
    for (kind, answer) in [("new-pin", PIN), ("new-puk", "87654321"), ("pin", PIN), ("confirm", "yes")] {
        signet.answer(kind, &[answer]);
    }
    let _ = signet.run(&["init", "--yes"]).ok();
    let add = ["add", "root", "--kind", "root", "--stdin", "--no-verify", "--no-factor"];
    let _ = signet.run_with(&add, format!("AKIAIOSFODNN7EXAMPLE\n{secret}\n").as_bytes()).ok();

    card.touch(Touch::Never);
    let mut asked = card.touches_asked();
    let mut next = || {
        asked += 1;
        asked
    };
    // The first touch opens the record; at the second the token proves that it has the key.
    let embedding = signet.spawn(&["embed", "root"], b"");
    blinks(&card, next());
    assert!(bare.scan(signer_of(agent)).is_empty(), "before the record is open");
    assert!(card.press());
    blinks(&card, next());
    let held = bare.scan(signer_of(agent));
    assert!(!held.is_empty(), "the search does not find the secret where it must be");
    assert!(all.scan(agent).is_empty());
    assert!(card.press());
    let _ = embedding.finish().ok();
    println!("the signer that writes the token held: {held:?}");

    let (done, mut looks) = (AtomicBool::new(false), 0);
    std::thread::scope(|scope| {
        let (bare, all, done) = (&bare, &all, &done);
        let reader = scope.spawn(move || {
            let mut found = BTreeSet::new();
            while !done.load(Ordering::SeqCst) {
                found.extend(all.scan(agent));
            }
            found
        });
        let uses = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..SIGNS {
                let sign = ["sign", "root", "--service", "sts", "--region", "us-east-1"];
                let using = signet.spawn(&sign, REQUEST);
                for touch in 1..=2 {
                    blinks(&card, next());
                    assert!(bare.scan(signer_of(agent)).is_empty(), "at touch {touch}");
                    assert!(card.press());
                }
                // And from the touch to its end.
                while let Some(signer) = signers_of(agent).first() {
                    // An error means that it has ended.
                    let Ok((found, read)) = bare.look(*signer) else { continue };
                    assert!(found.is_empty(), "after the touches: {found:?}");
                    looks += usize::from(read > 1 << 18);
                }
                signed(using.finish());
            }
        }));
        done.store(true, Ordering::SeqCst);
        let found = reader.join().unwrap();
        if let Err(panic) = uses {
            std::panic::resume_unwind(panic);
        }
        assert!(found.is_empty(), "the agent held: {found:#?}");
    });
    println!("{looks} looks into signers between their last touch and their end");

    // The date key is where it is made, and nowhere else: a signer is stopped at the first word that it
    // sends after the token has answered.
    let sign = ["sign", "root", "--service", "sts", "--region", "us-east-1"];
    let using = signet.spawn(&sign, REQUEST);
    blinks(&card, next());
    assert!(card.press());
    blinks(&card, next());
    let signer = signer_of(agent);
    let mut strace = Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=sendto",
            "-e",
            "inject=sendto:signal=STOP:when=1",
        ])
        .args(["-p", &signer.to_string()])
        .spawn()
        .expect("strace is installed: apt-get install strace");
    let traced = || fs::read_to_string(format!("/proc/{signer}/status")).unwrap_or_default();
    assert!(comes_true(|| traced()
        .lines()
        .any(|line| line.strip_prefix("TracerPid:\t").is_some_and(|pid| pid != "0"))));
    assert!(card.press());
    let has_date_key = |found: &BTreeSet<String>| found.iter().any(|name| name.starts_with("kDate"));
    assert!(comes_true(|| all.look(signer).is_ok_and(|(found, _)| has_date_key(&found))), "the control");
    assert!(bare.scan(signer).is_empty(), "the signer has the date key, and of the secret nothing");
    for (process, pid) in [("agent", agent), ("cli", using.pid())] {
        assert_eq!(all.scan(pid), BTreeSet::new(), "{process}");
    }
    signal(signer, Signal::CONT);
    signed(using.finish());
    assert!(strace.wait().unwrap().success());
    assert!(signers_of(agent).is_empty(), "a signer outlives its use");
    assert!(all.scan(agent).is_empty(), "after the uses");
    nothing_on_disk(&all, &signet.state_dir());
    assert!(!card.pin_is_verified() && !card.oath_is_unlocked());
}

/// What is at rest: the vault, its log and its trash.
fn nothing_on_disk(wanted: &Wanted, dir: &Path) {
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

/// The other control: a text that the agent does hold while a use waits for its touch, its reason, is
/// found in this very process in each form in which it was given.
fn planted_in_the_agent(signet: &Signet, card: &Card, agent: u32, marker: &str) {
    let mut wanted = Wanted::default();
    wanted.add_forms("the marker", marker.as_bytes());
    assert_eq!(wanted.scan(agent), BTreeSet::new());
    let hex: String = marker.bytes().map(|byte| format!("{byte:02x}")).collect();
    let reason = format!("{marker} {hex} {}", STANDARD.encode(marker));
    card.touch(Touch::Never);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| sign(signet, "plain", &["--reason", &reason]));
        card.wait_until_asked();
        assert_eq!(signers_of(agent).len(), 1, "one signer waits for the touch");
        let found = wanted.scan(agent);
        assert!(card.press());
        signed(running.join().unwrap());
        for form in ["raw", "hex", "base64"] {
            assert!(found.contains(&format!("the marker, {form}")), "{form}: {found:?}");
        }
    });
    card.touch(Touch::Now);
    assert!(signers_of(agent).is_empty());
}

/// Without privileges, also for root.
const UNPRIVILEGED: [&str; 3] = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"];

#[test]
fn a_program_of_the_same_user_cannot_read_the_memory() {
    let signet = Signet::start(&Setup { kinds: &["software"], ..Setup::default() });
    let unprivileged = if rustix::process::geteuid().is_root() { &UNPRIVILEGED[..] } else { &["env"] };
    let place = |name: &str| signet.path(name).display().to_string();
    let agent = Path::new(env!("CARGO_BIN_EXE_test-askpass")).with_file_name("signet-agent");
    let (agent, socket, state) = (agent.display().to_string(), place("run/s"), place("second"));
    // An agent that root has started has privileges that alone would keep an unprivileged reader out.
    let flags = [agent.as_str(), "--socket", &socket, "--state-dir", &state];
    let command: Vec<&str> = unprivileged.iter().copied().chain(flags).collect();
    let mut running = signet.begin(Path::new("/usr/bin/env"), &command, b"");
    let deadline = Instant::now() + Duration::from_secs(20);
    while UnixStream::connect(&socket).is_err() {
        assert!(Instant::now() < deadline, "the second agent does not listen");
        std::thread::yield_now();
    }
    let read = |script: &str| {
        let (program, given) = unprivileged.split_first().unwrap();
        Command::new(program).args(given).args(["sh", "-c", script]).output().unwrap()
    };
    // The same attempt on a process of the reader's own is the control.
    let control = read("sleep 60 & own=$!; (: < /proc/$own/mem); said=$?; kill $own; exit $said");
    assert!(control.status.success(), "{control:?}");
    let pid = running.pid();
    for file in ["mem", "environ", "maps"] {
        let refused = read(&format!(": < /proc/{pid}/{file}"));
        let why = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && why.contains("ermission denied"), "{file}: {refused:?}");
    }
    running.kill();
}
