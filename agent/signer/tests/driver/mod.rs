//! Starts the built `signet-signer` the way the agent does, and plays agent, cli and person for it.
//!
//! Shared by this package's tests and by the contract suite over all kinds.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of this")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signet_envelope::{PublicKey, hex, hpke, seal, sha256};
use signet_protocol::api::{SignRequest, UseAct, UseRequest};
use signet_protocol::child::{
    Act, CHILD_ARGUMENT, ChildAnswer, ChildStored, CodeFate, Event, Order, Outcome, Places, Prompt, Seed,
    Sibling, TotpGate,
};
use signet_protocol::kinds::KINDS;
use signet_protocol::prompt::{answer_info, subject_input};
use signet_protocol::record::{
    Custody, Factor, FactorKind, KeyKind, Metadata, Partition, Payload, Recipient,
};
use signet_protocol::refusal::{Code, Refusal};
use signet_protocol::rule::Part;
use signet_sigv4::{DateKey, Request, authorization, date, prepare};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub const NAME: &str = "prod-root";
/// The seed of RFC 4226's vectors, `12345678901234567890`.
pub const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const USE_ID: &str = "u-0001";

/// The program under test: cargo's, or, for the tests of another package, the one that lies beside them.
fn program() -> PathBuf {
    let beside = || {
        let test = std::env::current_exe().unwrap();
        let program = test.parent().and_then(|deps| deps.parent()).unwrap().join("signet-signer");
        assert!(program.exists(), "signet-signer is not built: cargo build --workspace");
        program
    };
    option_env!("CARGO_BIN_EXE_signet-signer").map_or_else(beside, PathBuf::from)
}

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// Metadata of a key that is sealed to `recipients`.
pub fn metadata(recipients: &[Recipient]) -> Metadata {
    Metadata {
        version: 1,
        vault_id: "00112233445566778899aabbccddeeff".into(),
        name: NAME.into(),
        epoch: 1,
        created: "2026-11-22T17:03:41Z".into(),
        kind: KeyKind::Root,
        account: Some("123456789012".into()),
        partition: Partition::Aws,
        access_key_id: KEY_ID.into(),
        custody: Custody::Sealed,
        policy: vec![Part::Preset("root-only-tasks".into())],
        factors: Vec::new(),
        recipients: recipients.to_vec(),
        holders: Vec::new(),
        previous: None,
    }
}

/// The TOTP factor.
pub fn totp_factor() -> Factor {
    Factor {
        id: "totp-1".into(),
        kind: FactorKind::Totp,
        label: "phone".into(),
        created: "2026-11-22T17:03:41Z".into(),
        credential: None,
    }
}

/// A record as the cli seals it.
pub fn record(metadata: &Metadata, seed: Option<&str>) -> Vec<u8> {
    record_of(metadata, &Payload { secret: Some(SECRET), totp_seed: seed, access_codes: Vec::new() })
}

/// A record with this payload.
pub fn record_of(metadata: &Metadata, payload: &Payload<'_>) -> Vec<u8> {
    let keys: Vec<PublicKey> = metadata
        .recipients
        .iter()
        .map(|one| PublicKey::from_bytes(&STANDARD.decode(&one.public_key).unwrap()).unwrap())
        .collect();
    let payload = serde_json::to_vec(payload).unwrap();
    seal(&serde_json::to_vec(metadata).unwrap(), &keys, &payload).unwrap()
}

/// What a record says of its key.
pub fn metadata_of(record: &[u8]) -> Metadata {
    serde_json::from_slice(signet_envelope::Record::parse(record).unwrap().meta()).unwrap()
}

/// The metadata of the generation after `record`.
pub fn next(record: &[u8]) -> Metadata {
    let old = metadata_of(record);
    Metadata { epoch: old.epoch + 1, previous: Some(header_of(record)), ..old }
}

/// Hex SHA-256 of a record's header.
pub fn header_of(record: &[u8]) -> String {
    let end = record.windows(5).position(|bytes| bytes == b"\n--- ").unwrap() + 5;
    let length = end + record.iter().skip(end).position(|byte| *byte == b'\n').unwrap() + 1;
    hex(&sha256(record.get(..length).unwrap()))
}

/// `sts:GetCallerIdentity`.
pub fn caller_identity() -> SignRequest {
    SignRequest {
        service: "sts".into(),
        region: "us-east-1".into(),
        method: "POST".into(),
        url: "https://sts.us-east-1.amazonaws.com/".into(),
        headers: vec![("content-type".into(), "application/x-www-form-urlencoded; charset=utf-8".into())],
        body: Some(STANDARD.encode("Action=GetCallerIdentity&Version=2011-06-15")),
    }
}

/// What the signer should answer: the same computed here, from the secret.
pub fn expected_authorization(request: &SignRequest, amz_date: &str) -> String {
    let prepared = prepared(request, amz_date);
    let key = DateKey::derive(SECRET.as_bytes(), amz_date).unwrap();
    authorization(KEY_ID, &prepared, &key.sign(&prepared).unwrap())
}

fn prepared(request: &SignRequest, amz_date: &str) -> signet_sigv4::Prepared {
    let body = request.body.as_ref().map(|text| STANDARD.decode(text).unwrap());
    let request = Request {
        service: &request.service,
        region: &request.region,
        method: &request.method,
        url: &request.url,
        headers: &request.headers,
        body: body.as_deref(),
    };
    prepare(&request, amz_date).unwrap()
}

/// An order for `act`, as the agent writes it.
fn order(record: &[u8], places: &Places, asked: UseAct, act: Act) -> Order {
    let request =
        UseRequest { version: 1, key: NAME.into(), act: asked, reason: None, may_ask: true, lease: None };
    Order {
        version: 1,
        use_id: USE_ID.into(),
        key: NAME.into(),
        request: serde_json::to_string(&request).unwrap(),
        record: STANDARD.encode(record),
        header_sha256: header_of(record),
        act,
        approval: None,
        kinds: KINDS.iter().map(|kind| kind.name.to_owned()).collect(),
        tokens: serials(record),
        wait_for_token: false,
        deadline_ms: 60_000,
        places: places.clone(),
    }
}

/// Serials of the tokens that a record is sealed to.
fn serials(record: &[u8]) -> Vec<String> {
    if signet_envelope::Record::parse(record).is_err() {
        return Vec::new();
    }
    metadata_of(record).recipients.into_iter().map(|recipient| recipient.serial).collect()
}

/// An order to sign [`caller_identity`] now.
pub fn sign_order(record: &[u8], places: &Places, totp: Option<TotpGate>) -> Order {
    sign_order_at(record, places, totp, &date::from_unix(now()).unwrap())
}

/// The same at another date.
pub fn sign_order_at(record: &[u8], places: &Places, totp: Option<TotpGate>, amz_date: &str) -> Order {
    let request = caller_identity();
    let canonical_sha256 = prepared(&request, amz_date).canonical_sha256_hex();
    let act = Act::Sign { amz_date: amz_date.into(), canonical_sha256, totp };
    order(record, places, UseAct::Sign(request), act)
}

/// An order to open a record that is being added.
pub fn open_order(record: &[u8], places: &Places) -> Order {
    let asked = UseAct::Add { record: STANDARD.encode(record) };
    order(record, places, asked, Act::Open { totp: None })
}

/// An order for a new generation.
pub fn reseal_order(
    record: &[u8],
    places: &Places,
    asked: UseAct,
    new: &Metadata,
    seed: Seed,
    totp: Option<TotpGate>,
) -> Order {
    let act = Act::Reseal { metadata: serde_json::to_string(new).unwrap(), seed, totp };
    order(record, places, asked, act)
}

/// An order to verify one token.
pub fn verify_order(record: &[u8], places: &Places, serial: &str) -> Order {
    let mut order = order(record, places, UseAct::Verify { token: serial.into() }, Act::Verify {});
    order.tokens = vec![serial.into()];
    order
}

/// An order to write the key into all tokens of its record.
pub fn embed_order(record: &[u8], places: &Places, access_code: bool) -> Order {
    let asked = UseAct::Embed { tokens: Vec::new(), access_code };
    let tokens = serials(record);
    embed_order_as(record, places, asked, &next(record), &tokens, access_code, Vec::new())
}

/// An order to write the key into `tokens`, for anything that was asked for.
pub fn embed_order_as(
    record: &[u8],
    places: &Places,
    asked: UseAct,
    new: &Metadata,
    tokens: &[String],
    access_code: bool,
    siblings: Vec<Sibling>,
) -> Order {
    let new = Metadata { custody: Custody::InToken, ..new.clone() };
    let metadata = serde_json::to_string(&new).unwrap();
    let act = Act::Embed { metadata, tokens: tokens.to_vec(), access_code, siblings, totp: None };
    order(record, places, asked, act)
}

/// An order to take a record in.
pub fn restore_order(record: &[u8], places: &Places, new: &Metadata) -> Order {
    reseal_order(record, places, UseAct::Restore { record: STANDARD.encode(record) }, new, Seed::Keep, None)
}

/// `amz_date` of an order to sign.
pub fn amz_date(order: &Order) -> &str {
    match &order.act {
        Act::Sign { amz_date, .. } => amz_date,
        Act::Open { .. } | Act::Reseal { .. } | Act::Verify {} | Act::Embed { .. } => {
            panic!("not an order to sign")
        }
    }
}

/// A running signer.
pub struct Use {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
    subject: [u8; 32],
}

impl Use {
    /// Starts it with an order.
    pub fn start(order: &Order) -> Self {
        let mut child = Command::new(program())
            .arg(CHILD_ARGUMENT)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = serde_json::to_vec(order).unwrap();
        line.push(b'\n');
        // One that refuses early does not read to the end.
        let _ = stdin.write_all(&line);
        let subject = sha256(&subject_input(&order.key, order.request.as_bytes()));
        Self { child, stdin: Some(stdin), lines, subject }
    }

    /// Makes the person believe that the use is about another request.
    pub fn believes(&mut self, name: &str, request: &str) {
        self.subject = sha256(&subject_input(name, request.as_bytes()));
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next event; `None` at the end.
    pub fn next(&mut self) -> Option<Event> {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap())
    }

    /// Reads on until an event fits.
    pub fn until(&mut self, fits: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.next().expect("the signer ended early");
            if fits(&event) {
                return event;
            }
            assert!(!matches!(event, Event::Outcome(_)), "{event:?}");
        }
    }

    /// Answers a prompt as the cli does.
    pub fn answer(&mut self, prompt: &Prompt, text: &str) {
        let public: [u8; 65] = STANDARD.decode(&prompt.public_key).unwrap().try_into().unwrap();
        let info = answer_info(USE_ID, prompt.number, prompt.kind, &self.subject);
        let sealed = hpke::seal(&public, &info, text.as_bytes()).unwrap();
        self.send(&ChildAnswer { number: prompt.number, sealed: Some(STANDARD.encode(sealed)) });
    }

    /// Cancels at a prompt.
    pub fn cancel(&mut self, prompt: &Prompt) {
        self.send(&ChildAnswer { number: prompt.number, sealed: None });
    }

    /// Sends a line as it is.
    pub fn send(&mut self, answer: &ChildAnswer) {
        let mut line = serde_json::to_vec(answer).unwrap();
        line.push(b'\n');
        self.stdin.as_mut().unwrap().write_all(&line).unwrap();
    }

    /// Says that a generation is on disk.
    pub fn stored(&mut self, epoch: u64) {
        let mut line = serde_json::to_vec(&ChildStored { stored: epoch }).unwrap();
        line.push(b'\n');
        self.stdin.as_mut().unwrap().write_all(&line).unwrap();
    }

    /// Closes the signer's input.
    pub fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Answers each prompt with the next text; `None` cancels. What must be stored is. Gives the outcome, after the process
    /// has ended, and everything said before.
    pub fn talk(mut self, answers: &[Option<&str>]) -> (Outcome, Vec<Event>) {
        let mut answers = answers.iter();
        let mut events = Vec::new();
        while let Some(event) = self.next() {
            match event {
                Event::Outcome(outcome) => {
                    assert!(self.next().is_none(), "something follows the outcome");
                    assert!(self.child.wait().unwrap().success());
                    return (outcome, events);
                }
                Event::Prompt(prompt) => {
                    match answers.next() {
                        Some(Some(text)) => self.answer(&prompt, text),
                        Some(None) => self.cancel(&prompt),
                        None => panic!("one question more than expected: {prompt:?}"),
                    }
                    events.push(Event::Prompt(prompt));
                }
                event => {
                    if let Event::Store { record, .. } = &event {
                        self.stored(metadata_of(&STANDARD.decode(record).unwrap()).epoch);
                    }
                    events.push(event);
                }
            }
        }
        panic!("the signer ended without an outcome: {:?}", self.child.wait());
    }

    /// [`Use::talk`] to a refusal.
    pub fn refused(self, answers: &[Option<&str>]) -> Refused {
        match self.talk(answers) {
            (Outcome::Refused { refusal, code, token }, events) => {
                assert!(refusal.message.chars().next().is_some_and(|first| !first.is_uppercase()));
                assert!(!refusal.message.ends_with('.'), "{}", refusal.message);
                Refused { refusal, code, token: token.map(|token| token.serial), events }
            }
            (outcome, _) => panic!("not refused: {outcome:?}"),
        }
    }

    /// [`Use::talk`] to a new record.
    pub fn resealed(self, answers: &[Option<&str>]) -> (Vec<u8>, Vec<Event>) {
        match self.talk(answers) {
            (Outcome::Resealed { record, .. }, events) => (STANDARD.decode(record).unwrap(), events),
            (outcome, _) => panic!("not resealed: {outcome:?}"),
        }
    }

    /// [`Use::talk`] to a signature that is right.
    pub fn signed(self, order: &Order, answers: &[Option<&str>]) -> (CodeFate, Vec<Event>) {
        match self.talk(answers) {
            (Outcome::Signed { authorization, code, .. }, events) => {
                assert_eq!(authorization, expected_authorization(&caller_identity(), amz_date(order)));
                (code, events)
            }
            (outcome, _) => panic!("not signed: {outcome:?}"),
        }
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        // A test that failed in the middle leaves nothing behind; after a clean end both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a use was refused.
pub struct Refused {
    pub refusal: Refusal,
    pub code: CodeFate,
    pub token: Option<String>,
    pub events: Vec<Event>,
}

impl Refused {
    /// The refusal, if it has this code.
    #[track_caller]
    pub fn with(self, code: Code) -> Self {
        assert_eq!(self.refusal.code, code, "{}", self.refusal.message);
        self
    }
}

/// Kinds of the prompts among events, in order.
pub fn asked(events: &[Event]) -> Vec<&'static str> {
    let kind = |event: &Event| match event {
        Event::Prompt(prompt) => Some(prompt.kind.name()),
        Event::Waiting { .. }
        | Event::Touch { .. }
        | Event::Touched
        | Event::Approved(_)
        | Event::Store { .. }
        | Event::Outcome(_) => None,
    };
    events.iter().filter_map(kind).collect()
}

/// The touches among events: which of how many, and of which token.
pub fn touches(events: &[Event]) -> Vec<(u32, u32, String)> {
    let touch = |event: &Event| match event {
        Event::Touch { n, of, token, .. } => Some((*n, *of, token.serial.clone())),
        Event::Waiting { .. }
        | Event::Prompt(_)
        | Event::Touched
        | Event::Approved(_)
        | Event::Store { .. }
        | Event::Outcome(_) => None,
    };
    events.iter().filter_map(touch).collect()
}

/// The records that had to be stored on the way.
pub fn stored(events: &[Event]) -> Vec<Vec<u8>> {
    let store = |event: &Event| match event {
        Event::Store { record, .. } => Some(STANDARD.decode(record).unwrap()),
        Event::Waiting { .. }
        | Event::Prompt(_)
        | Event::Touch { .. }
        | Event::Touched
        | Event::Approved(_)
        | Event::Outcome(_) => None,
    };
    events.iter().filter_map(store).collect()
}

/// The code of [`SEED`] at a step (RFC 6238), computed apart from the signer.
pub fn code_at(step: u64) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"12345678901234567890");
    let tag = ring::hmac::sign(&key, &step.to_be_bytes());
    let at = usize::from(tag.as_ref().last().unwrap() & 15);
    let bytes: [u8; 4] = tag.as_ref().get(at..at + 4).unwrap().try_into().unwrap();
    format!("{:06}", (u32::from_be_bytes(bytes) & 0x7fff_ffff) % 1_000_000)
}

/// The current step, waiting for the next one if this one is about to end.
pub fn step() -> u64 {
    // Building it may take longer than a step.
    program();
    while now() % 30 > 25 {
        std::thread::sleep(Duration::from_millis(100));
    }
    now() as u64 / 30
}

pub mod software;
