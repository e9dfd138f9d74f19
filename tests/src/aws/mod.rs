//! A strict AWS endpoint: STS, IAM, S3 and SQS as far as root's tasks go, on a port of loopback, one
//! account for each start.
//!
//! Promises: every signature is recomputed from the bytes that came, by an implementation that shares
//! nothing with the signer under test (`verify`); scope, date, signed headers, body hash and session token
//! are checked as AWS documents them, and where public stand-ins are lenient it refuses. Session tokens are
//! its own; codes of the MFA device are good once.
//!
//! Not promised: IAM's policy language. Users and roles may do what they ask, except behind a policy that
//! denies everybody; what only root may do, and may not do, is kept.

mod account;
mod http;
mod iam;
mod operation;
mod refusal;
mod s3;
mod sqs;
mod sts;
mod verify;

use account::Account;
use http::{Message, Next, Reply};
use operation::{Operation, Service};
use refusal::{Protocol, Refusal};
use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use verify::Authorization;

/// What an endpoint starts with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 for a free one.
    pub listen: SocketAddr,
    /// The account: 12 digits.
    pub account: String,
    /// The region of STS, S3 and SQS. IAM is signed for us-east-1.
    pub region: String,
    /// Root's access key: id and secret.
    pub root_key: Option<(String, String)>,
    /// Access keys of IAM users: user, id, secret.
    pub iam_user_keys: Vec<(String, String, String)>,
    /// Seed of everybody's MFA device, base32.
    pub mfa_seed: Option<String>,
    /// Buckets; each begins with a policy that denies everybody.
    pub buckets: Vec<String>,
    /// Queues; likewise.
    pub queues: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            root_key: None,
            iam_user_keys: Vec::new(),
            mfa_seed: None,
            buckets: vec!["locked-bucket".into()],
            queues: vec!["locked-queue".into()],
        }
    }
}

/// A request that came, and what became of it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `sts:GetCallerIdentity`; empty where it was not understood.
    pub action: String,
    /// Access key id of its scope; empty where there was none.
    pub access_key_id: String,
    /// Method.
    pub method: String,
    /// Path and query, raw.
    pub target: String,
    /// Header lines in the order of the wire.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// Status of the answer.
    pub status: u16,
    /// AWS's code, where it was refused.
    pub code: Option<String>,
    /// Request id of the answer.
    pub request_id: String,
}

/// A running endpoint; it ends when this is dropped.
pub struct StrictAws {
    addr: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

struct Shared {
    account: Mutex<Account>,
    seen: Mutex<Vec<Seen>>,
    /// Open connections, to be closed at the end.
    streams: Mutex<BTreeMap<u64, TcpStream>>,
    connections: AtomicU64,
    requests: AtomicU64,
    ending: AtomicBool,
}

/// A thread that panicked while it held the lock leaves sound data behind: every change is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StrictAws {
    /// Starts an endpoint on threads of its own.
    pub fn start(config: &Config) -> io::Result<Self> {
        let account = Account::new(config).map_err(io::Error::other)?;
        let listener = TcpListener::bind(config.listen)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            account: Mutex::new(account),
            seen: Mutex::default(),
            streams: Mutex::default(),
            connections: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            ending: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        let listener = std::thread::spawn(move || accept(&listener, &accepting));
        Ok(Self { addr, shared, listener: Some(listener) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Everything that came so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// Lets all session credentials expire now.
    pub fn expire_sessions(&self) {
        lock(&self.shared.account).expire_sessions();
    }

    /// Session credentials last no longer than this from now on, whatever is asked for: as though the
    /// rest of their time had gone by.
    pub fn cut_sessions(&self, seconds: i64) {
        lock(&self.shared.account).cut_sessions(seconds);
    }

    /// The attached and inline policies of a user, by name or ARN.
    #[must_use]
    pub fn user_policies(&self, user: &str) -> Vec<String> {
        let account = lock(&self.shared.account);
        let owner = account.users.get(user);
        owner.map(|owner| owner.inline.keys().chain(&owner.attached).cloned().collect()).unwrap_or_default()
    }

    /// Waits until it ends; it never does by itself.
    pub fn wait(mut self) {
        if let Some(listener) = self.listener.take() {
            // A panic of that thread has been printed already.
            let _ = listener.join();
        }
    }
}

impl Drop for StrictAws {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        // Wakes the listener; if that fails it is not listening any more.
        let _ = TcpStream::connect(self.addr);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// The code of a TOTP device at a time; for tests that play the person.
#[must_use]
pub fn totp_code(seed: &str, unix_seconds: i64) -> Option<String> {
    Some(account::totp(&account::base32(seed)?, unix_seconds.div_euclid(30)))
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for stream in listener.incoming() {
        if shared.ending.load(Ordering::SeqCst) {
            break;
        }
        let Ok(stream) = stream else { continue };
        let Ok(other) = stream.try_clone() else { continue };
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        lock(&shared.streams).insert(number, other);
        let shared = Arc::clone(shared);
        threads.retain(|thread| !thread.is_finished());
        threads.push(std::thread::spawn(move || {
            serve(&stream, &shared);
            lock(&shared.streams).remove(&number);
        }));
    }
    for stream in lock(&shared.streams).values() {
        // An error means that the client was faster.
        let _ = stream.shutdown(Shutdown::Both);
    }
    for thread in threads {
        // A panic of that thread has been printed already.
        let _ = thread.join();
    }
}

fn serve(stream: &TcpStream, shared: &Shared) {
    let Ok(mut reader) = stream.try_clone().map(BufReader::new) else { return };
    loop {
        let number = shared.requests.fetch_add(1, Ordering::SeqCst);
        let request_id = format!("00000000-0000-4000-8000-{number:012x}");
        match http::read(stream, &mut reader) {
            Next::End => return,
            Next::Broken(why) => {
                let reply = Refusal::new(400, "BadRequest", why).reply(Protocol::Rest, &request_id);
                // Nothing more is read: where the next request would begin is not known.
                let _ = http::write(stream, &reply, &request_id);
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
            Next::Message(message) => {
                let reply = answer(&message, shared, &request_id);
                if http::write(stream, &reply, &request_id).is_err() {
                    return;
                }
            }
        }
    }
}

fn answer(message: &Message, shared: &Shared, request_id: &str) -> Reply {
    let mut account = lock(&shared.account);
    let mut action = String::new();
    let result = Operation::read(message).and_then(|operation| {
        action = format!("{}:{}", operation.service.name(), operation.name);
        perform(message, &operation, &mut account, request_id)
            .map_err(|refusal| (refusal, operation.protocol))
    });
    let code = result.as_ref().err().map(|(refusal, _)| refusal.code.clone());
    let reply = result.unwrap_or_else(|(refusal, protocol)| refusal.reply(protocol, request_id));
    let query = if message.query.is_empty() { String::new() } else { format!("?{}", message.query) };
    lock(&shared.seen).push(Seen {
        action,
        access_key_id: Authorization::read(message)
            .map(|read| read.access_key_id.to_owned())
            .unwrap_or_default(),
        method: message.method.clone(),
        target: format!("{}{query}", message.path),
        headers: message.headers.clone(),
        body: message.body.clone(),
        status: reply.status,
        code,
        request_id: request_id.to_owned(),
    });
    reply
}

fn perform(
    message: &Message,
    operation: &Operation,
    account: &mut Account,
    request_id: &str,
) -> Result<Reply, Refusal> {
    let caller = Authorization::read(message)?.verify(message, operation, account)?;
    let result = match operation.service {
        Service::S3 => return s3::answer(account, &caller, operation, message),
        Service::Sts => sts::answer(account, &caller, operation)?,
        Service::Iam => iam::answer(account, &caller, operation)?,
        Service::Sqs => sqs::answer(account, &caller, operation, message.one("host").unwrap_or_default())?,
    };
    let name = &operation.name;
    let (content_type, body) = match operation.protocol {
        Protocol::Json => ("application/x-amz-json-1.0", result),
        Protocol::Query(namespace) => {
            let body = format!(
                "<{name}Response xmlns=\"{namespace}\"><{name}Result>{result}</{name}Result>\
                 <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
            );
            ("text/xml", body)
        }
        Protocol::Rest => ("application/xml", result),
    };
    Ok(Reply { status: 200, content_type, headers: Vec::new(), body })
}
