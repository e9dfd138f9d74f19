//! The code under test in a process of its own: libpcsclite learns once per process where its service
//! is, and every test has a service of its own.
//!
//! The process is this test program again, started for the one test that [`serve`]s. It takes lines like
//! `assert ids=0a,0b pin=1234 salt=…` and answers each with one line; before that it may say `touch`.

#![allow(unreachable_pub, reason = "a module of one test program")]

use signet_ctap::{
    Algorithm, AssertRequest, Assertion, Device, Fault, Found, Go, Made, MakeRequest, Patience, Permission,
    Token, Wait, devices,
};
use signet_tests::pcsc::Pcscd;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Marks a line of the conversation: the test runner talks between them.
const MARK: &str = "> ";
/// Tells the program that it is the client.
const CLIENT: &str = "SIGNET_TEST_CTAP_CLIENT";

/// The test's side.
pub struct Client {
    child: Child,
    stdin: ChildStdin,
    lines: BufReader<ChildStdout>,
}

impl Client {
    /// Starts a client of this daemon.
    pub fn start(pcscd: &Pcscd) -> Self {
        let mut command = pcscd.command(std::env::current_exe().unwrap());
        command.args(["--exact", "client_process", "--nocapture"]).env(CLIENT, "1");
        Self::spawn(&mut command)
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, lines }
    }

    /// Sends a line.
    pub fn say(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    /// The next line that it says.
    pub fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the client ended early");
            if let Some((_, said)) = line.split_once(MARK) {
                return said.trim_end().to_owned();
            }
        }
    }

    /// What it answers to a line, and whether it said `touch` before.
    pub fn ask_touched(&mut self, line: &str) -> (String, bool) {
        self.say(line);
        let mut touched = false;
        loop {
            match self.hear().as_str() {
                "touch" => touched = true,
                said => return (said.to_owned(), touched),
            }
        }
    }

    /// What it answers to a line.
    pub fn ask(&mut self, line: &str) -> String {
        self.ask_touched(line).0
    }

    /// Looks for devices, and finds exactly one.
    pub fn look(&mut self) {
        let said = self.ask("look");
        assert!(said.starts_with("found 1 "), "{said}");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // After a clean end both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `name=value` words of a line, after the first.
pub fn words(line: &str) -> BTreeMap<&str, &str> {
    line.split(' ').skip(1).map(|word| word.split_once('=').unwrap_or((word, ""))).collect()
}

/// Bytes in hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Bytes of hex.
pub fn unhex(hex: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2).unwrap(), 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// The client's side; does nothing in the process of the tests.
pub fn serve() {
    if std::env::var_os(CLIENT).is_none() {
        return;
    }
    let mut found: Option<Found> = None;
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words = words(&line);
        let limit = words.get("limit").map_or(20_000, |limit| limit.parse().unwrap());
        let stop = words.contains_key("stop");
        let mut touch = false;
        let mut tell = |wait| {
            if wait == Wait::Touch && !touch {
                touch = true;
                println!("{MARK}touch");
            }
            if stop && wait == Wait::Touch { Go::Stop } else { Go::On }
        };
        let until = Instant::now() + Duration::from_millis(limit);
        let patience = &mut Patience::until(until, &mut tell);
        let what = line.split(' ').next().unwrap();
        let answer = if what == "look" {
            // What it held is let go of first.
            drop(found.take());
            let now = devices(patience);
            let mut said = format!("found {} ", now.devices.len());
            now.devices.iter().for_each(|device| write!(said, "{}; ", device.name()).unwrap());
            now.failures.iter().for_each(|(name, fault)| write!(said, "{name}: {fault:?}; ").unwrap());
            found = Some(now);
            Ok(said)
        } else if what == "info" {
            Ok(format!("{:?}", found.as_mut().unwrap().devices.first().unwrap().info()))
        } else {
            let at = words.get("device").map_or(0, |at| at.parse().unwrap());
            let device = found.as_mut().unwrap().devices.get_mut(at).unwrap();
            carry_out(device, what, &words, patience)
        };
        match answer {
            Ok(said) => println!("{MARK}{said}"),
            Err(fault) => println!("{MARK}fault {fault:?}"),
        }
    }
}

fn carry_out(
    device: &mut Device,
    what: &str,
    words: &BTreeMap<&str, &str>,
    patience: &mut Patience<'_>,
) -> Result<String, Fault> {
    let list = |name: &str| -> Vec<Vec<u8>> {
        words.get(name).map_or(Vec::new(), |list| list.split(',').map(unhex).collect())
    };
    let rp = words.get("rp").copied().unwrap_or("signet");
    let hash = [0x5a; 32];
    match what {
        "retries" => {
            let retries = device.pin_retries(patience)?;
            Ok(format!("retries {} {}", retries.left, retries.power_cycle))
        }
        "holds" => {
            let held = device.holds(rp, &list("ids"), patience)?;
            Ok(held.map_or("none".to_owned(), |id| format!("held {}", hex(&id))))
        }
        "make" => {
            let token = token(device, words, Permission::MakeCredential, rp, patience)?;
            let exclude = list("exclude");
            let algorithms: &[Algorithm] = match words.get("alg") {
                Some(&"eddsa") => &[Algorithm::EdDsa],
                _ => &[Algorithm::Es256],
            };
            let request = MakeRequest {
                rp,
                user_id: b"prod-root",
                user_name: "prod-root",
                client_data_hash: &hash,
                algorithms,
                exclude: &exclude,
                hmac_secret: words.contains_key("hmac"),
            };
            let Made { id, algorithm, public_key, aaguid, counter, flags, format, hmac_secret } =
                device.make_credential(&request, token.as_ref(), patience)?;
            let (id, key, aaguid) = (hex(&id), hex(&public_key), hex(&aaguid));
            Ok(format!(
                "made id={id} alg={algorithm:?} key={key} aaguid={aaguid} counter={counter} flags={flags:02x} \
                 format={format} hmac={hmac_secret}"
            ))
        }
        "assert" => {
            let token = token(device, words, Permission::GetAssertion, rp, patience)?;
            let salt: Option<[u8; 32]> = words.get("salt").map(|salt| unhex(salt).try_into().unwrap());
            let request = AssertRequest {
                rp,
                client_data_hash: &hash,
                ids: &list("ids"),
                up: !words.contains_key("silent"),
                hmac_secret: salt.as_ref(),
            };
            let Assertion { id, auth_data, signature, hmac_secret } =
                device.get_assertion(&request, token.as_ref(), patience)?;
            let output = hmac_secret.map_or(String::new(), |output| {
                use secrecy::ExposeSecret as _;
                hex(output.expose_secret())
            });
            let (id, data, signature) = (hex(&id), hex(&auth_data), hex(&signature));
            Ok(format!("asserted id={id} data={data} signature={signature} hmac={output}"))
        }
        // A token, and nothing after it.
        "token" => {
            let token = token(device, words, Permission::GetAssertion, rp, patience)?;
            Ok(format!("token {}", token.is_some()))
        }
        other => panic!("no such command: {other}"),
    }
}

fn token(
    device: &mut Device,
    words: &BTreeMap<&str, &str>,
    permission: Permission,
    rp: &str,
    patience: &mut Patience<'_>,
) -> Result<Option<Token>, Fault> {
    if words.contains_key("uv") {
        return device.uv_token(permission, rp, patience).map(Some);
    }
    words.get("pin").map(|pin| device.pin_token(pin.as_bytes(), permission, rp, patience)).transpose()
}
