//! One AWS account as the endpoint keeps it: keys, sessions, users, buckets, queues, the MFA device.

use super::Config;
use super::operation::Service;
use super::refusal::Refusal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::BTreeMap;
use time::{Duration, OffsetDateTime};

/// Who a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Principal {
    Root,
    User(String),
    /// A role's name, and the session's.
    Role(String, String),
    /// Root of a member account, for one task: account, task policy.
    AssumedRoot(String, String),
}

/// An identity that has proved itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) principal: Principal,
    /// Whether it came with session credentials, and whether those bear MFA.
    pub(super) session: Option<Mfa>,
}

/// Whether a session was begun with a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mfa {
    Yes,
    No,
}

/// A long-term access key.
#[derive(Debug, Clone)]
pub(super) struct AccessKey {
    pub(super) id: String,
    secret: String,
    pub(super) active: bool,
    pub(super) created: OffsetDateTime,
}

/// Session credentials.
pub(super) struct Session {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: String,
    pub(super) expires: OffsetDateTime,
    caller: Caller,
}

/// A user, or root.
#[derive(Default)]
pub(super) struct Owner {
    pub(super) keys: Vec<AccessKey>,
    pub(super) inline: BTreeMap<String, String>,
    pub(super) attached: Vec<String>,
}

#[derive(Default)]
pub(super) struct Bucket {
    pub(super) policy: Option<String>,
    pub(super) versioning: Option<String>,
    pub(super) mfa_delete: bool,
}

pub(super) struct Account {
    pub(super) id: String,
    region: String,
    pub(super) root: Owner,
    pub(super) users: BTreeMap<String, Owner>,
    sessions: Vec<Session>,
    /// Longest that new sessions last, in seconds.
    longest: i64,
    pub(super) buckets: BTreeMap<String, Bucket>,
    /// Attributes that were set, by queue.
    pub(super) queues: BTreeMap<String, BTreeMap<String, String>>,
    mfa_seed: Option<Vec<u8>>,
    /// The last step whose code was taken, by serial.
    mfa_used: BTreeMap<String, i64>,
}

/// A policy that shuts out everybody; root is let in nevertheless.
pub(super) const DENY_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}"#;

impl Account {
    pub(super) fn new(config: &Config) -> Result<Self, &'static str> {
        let key = |(id, secret): &(String, String)| AccessKey {
            id: id.clone(),
            secret: secret.clone(),
            active: true,
            created: OffsetDateTime::now_utc(),
        };
        let mut users: BTreeMap<String, Owner> = BTreeMap::new();
        for (name, id, secret) in &config.iam_user_keys {
            users.entry(name.clone()).or_default().keys.push(key(&(id.clone(), secret.clone())));
        }
        let seed = config
            .mfa_seed
            .as_deref()
            .map(|text| base32(text).ok_or("the mfa seed is not base32"))
            .transpose()?;
        let locked = || Bucket { policy: Some(DENY_ALL.into()), ..Bucket::default() };
        let shut = || BTreeMap::from([("Policy".to_owned(), DENY_ALL.to_owned())]);
        Ok(Self {
            id: config.account.clone(),
            region: config.region.clone(),
            root: Owner { keys: config.root_key.iter().map(key).collect(), ..Owner::default() },
            users,
            sessions: Vec::new(),
            longest: i64::MAX,
            buckets: config.buckets.iter().map(|name| (name.clone(), locked())).collect(),
            queues: config.queues.iter().map(|name| (name.clone(), shut())).collect(),
            mfa_seed: seed,
            mfa_used: BTreeMap::new(),
        })
    }

    /// The region that a service is signed for: IAM is global.
    pub(super) fn region_of(&self, service: Service) -> &str {
        match service {
            Service::Iam => "us-east-1",
            Service::Sts | Service::S3 | Service::Sqs => &self.region,
        }
    }

    /// Secret and identity behind an access key id and the token that came with it.
    pub(super) fn find(&self, id: &str, token: Option<&str>) -> Result<(&str, Caller), Refusal> {
        let unknown = || {
            Refusal::new(
                403,
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
            )
        };
        if let Some(session) = self.sessions.iter().find(|session| session.id == id) {
            if token != Some(session.token.as_str()) {
                return Err(unknown());
            }
            if session.expires <= OffsetDateTime::now_utc() {
                return Err(Refusal::new(
                    403,
                    "ExpiredToken",
                    "The security token included in the request is expired",
                ));
            }
            return Ok((&session.secret, session.caller.clone()));
        }
        let users = self.users.iter().map(|(name, owner)| (Principal::User(name.clone()), owner));
        let (principal, key) = std::iter::once((Principal::Root, &self.root))
            .chain(users)
            .find_map(|(principal, owner)| {
                owner.keys.iter().find(|key| key.id == id).map(|key| (principal, key))
            })
            .filter(|(_, key)| key.active && token.is_none())
            .ok_or_else(unknown)?;
        Ok((&key.secret, Caller { principal, session: None }))
    }

    /// Issues session credentials.
    pub(super) fn begin(
        &mut self,
        principal: Principal,
        mfa: Mfa,
        seconds: i64,
    ) -> Result<&Session, Refusal> {
        let session = Session {
            id: format!("ASIA{}", random_base32(16)?),
            secret: random_base64(30)?,
            token: random_base64(180)?,
            expires: OffsetDateTime::now_utc() + Duration::seconds(seconds.min(self.longest)),
            caller: Caller { principal, session: Some(mfa) },
        };
        self.sessions.push(session);
        self.sessions.last().ok_or_else(no_random)
    }

    /// Cuts the time of all sessions to come.
    pub(super) fn cut_sessions(&mut self, seconds: i64) {
        self.longest = seconds;
    }

    /// Lets all session credentials expire now.
    pub(super) fn expire_sessions(&mut self) {
        for session in &mut self.sessions {
            session.expires = OffsetDateTime::UNIX_EPOCH;
        }
    }

    /// The MFA device of a principal.
    pub(super) fn mfa_serial(&self, principal: &Principal) -> Option<String> {
        match principal {
            Principal::Root => Some(format!("arn:aws:iam::{}:mfa/root-account-mfa-device", self.id)),
            Principal::User(name) => Some(format!("arn:aws:iam::{}:mfa/{name}", self.id)),
            Principal::Role(..) | Principal::AssumedRoot(..) => None,
        }
    }

    /// Checks a code of the caller's own device (RFC 6238, SHA-1, 30 s, 6 digits): one step early or late,
    /// and each step once.
    pub(super) fn check_code(&mut self, principal: &Principal, serial: &str, code: &str) -> bool {
        let (Some(seed), Some(own)) = (&self.mfa_seed, self.mfa_serial(principal)) else { return false };
        let now = OffsetDateTime::now_utc().unix_timestamp() / 30;
        let used = self.mfa_used.get(serial).copied().unwrap_or(i64::MIN);
        let step = (now - 1..=now + 1).find(|step| *step > used && totp(seed, *step) == code);
        match step.filter(|_| serial == own) {
            Some(step) => {
                self.mfa_used.insert(own, step);
                true
            }
            None => false,
        }
    }

    /// The keys of root, or of a user.
    pub(super) fn owner(&mut self, user: Option<&str>) -> Result<&mut Owner, Refusal> {
        match user {
            None => Ok(&mut self.root),
            Some(name) => self.users.get_mut(name).ok_or_else(|| {
                Refusal::new(404, "NoSuchEntity", &format!("The user with name {name} cannot be found."))
            }),
        }
    }
}

impl AccessKey {
    /// A new key, with its secret to be shown once.
    pub(super) fn fresh() -> Result<(Self, String), Refusal> {
        let secret = random_base64(30)?;
        let id = format!("AKIA{}", random_base32(16)?);
        let created = OffsetDateTime::now_utc();
        Ok((Self { id, secret: secret.clone(), active: true, created }, secret))
    }
}

/// One code of a TOTP device.
pub(super) fn totp(seed: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    // RFC 4226, 5.3: the low half of the last byte says where the 31 bits are.
    let at = tag.last().map_or(0, |last| usize::from(last & 15));
    let word =
        tag.get(at..at + 4).unwrap_or_default().iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

/// RFC 4648, 6; padding and case do not matter.
pub(super) fn base32(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut count, mut out) = (0_u32, 0_u32, Vec::new());
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5 | u32::from(value)) & 0xfff;
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    (!out.is_empty()).then_some(out)
}

fn random(length: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = vec![0; length];
    SystemRandom::new().fill(&mut bytes).map_err(|_| no_random())?;
    Ok(bytes)
}

fn no_random() -> Refusal {
    Refusal::new(500, "InternalFailure", "the random generator failed")
}

fn random_base64(length: usize) -> Result<String, Refusal> {
    Ok(STANDARD.encode(random(length)?))
}

fn random_base32(length: usize) -> Result<String, Refusal> {
    let letters: Vec<char> = ('A'..='Z').chain('2'..='7').collect();
    Ok(random(length)?.iter().filter_map(|byte| letters.get(usize::from(byte & 31))).collect())
}
