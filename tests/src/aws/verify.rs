//! Signature Version 4 from the other side, with an implementation of its own: everything is recomputed
//! from the bytes that came, and what a lenient server would let pass is refused.

use super::account::{Account, Caller};
use super::http::Message;
use super::operation::Operation;
use super::refusal::Refusal;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

/// How far a request's date may lie from the clock: "a request must reach AWS within five minutes".
const WINDOW_SECONDS: i64 = 300;

/// The parts of an `authorization` header.
pub(super) struct Authorization<'a> {
    pub(super) access_key_id: &'a str,
    date: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    signed: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads the one `authorization` header, which has one form.
    pub(super) fn read(message: &'a Message) -> Result<Self, Refusal> {
        let wrong = |why: &str| Refusal::new(400, "IncompleteSignature", why);
        for (name, _) in &message.headers {
            if message.all(name).nth(1).is_some() {
                return Err(wrong(&format!("header {name} stands twice")));
            }
        }
        let value = message.one("authorization").ok_or_else(|| {
            Refusal::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        })?;
        let read = || {
            let rest = value.strip_prefix("AWS4-HMAC-SHA256 Credential=")?;
            let (credential, rest) = rest.split_once(", SignedHeaders=")?;
            let (signed, signature) = rest.split_once(", Signature=")?;
            let mut scope = credential.split('/');
            let (access_key_id, date) = (scope.next()?, scope.next()?);
            let (region, service) = (scope.next()?, scope.next()?);
            let end = (scope.next(), scope.next());
            let hex =
                signature.len() == 64 && signature.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            let signed = signed.split(';').collect();
            (end == (Some("aws4_request"), None) && hex).then_some(Self {
                access_key_id,
                date,
                region,
                service,
                signed,
                signature,
            })
        };
        read().ok_or_else(|| wrong("Authorization header is not of AWS4-HMAC-SHA256's form"))
    }

    /// Checks everything that is signed; the caller's identity is the reward.
    pub(super) fn verify(
        &self,
        message: &Message,
        operation: &Operation,
        account: &Account,
    ) -> Result<Caller, Refusal> {
        self.check_scope(operation, account)?;
        let amz_date = self.check_date(message)?;
        self.check_signed_headers(message)?;
        let payload = check_payload(message, operation)?;
        let (secret, caller) = account.find(self.access_key_id, message.one("x-amz-security-token"))?;
        let canonical = self.canonical(message, operation, &payload);
        let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
        let to_sign = format!("AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
        let key = [self.date, self.region, self.service, "aws4_request"]
            .iter()
            .fold(format!("AWS4{secret}").into_bytes(), |key, word| mac(&key, word.as_bytes()));
        if hex(&mac(&key, to_sign.as_bytes())) != self.signature {
            let text = format!(
                "The request signature we calculated does not match the signature you provided. \
                 The Canonical String for this request should have been\n'{canonical}'\n\n\
                 The String-to-Sign should have been\n'{to_sign}'\n"
            );
            return Err(Refusal::new(403, "SignatureDoesNotMatch", &text));
        }
        Ok(caller)
    }

    fn check_scope(&self, operation: &Operation, account: &Account) -> Result<(), Refusal> {
        let wrong = |what: &str, wanted: &str| {
            let text = format!("Credential should be scoped to {what} '{wanted}'");
            Err(Refusal::new(403, "SignatureDoesNotMatch", &text))
        };
        let service = operation.service.name();
        let region = account.region_of(operation.service);
        if self.service != service {
            wrong("correct service:", service)
        } else if self.region != region {
            wrong("a valid region, not", self.region)
        } else {
            Ok(())
        }
    }

    fn check_date<'m>(&self, message: &'m Message) -> Result<&'m str, Refusal> {
        let wrong = |why: &str| Err(Refusal::new(403, "SignatureDoesNotMatch", why));
        let format = format_description!("[year][month][day]T[hour][minute][second]Z");
        let Some(amz_date) = message.one("x-amz-date") else { return wrong("there is no x-amz-date") };
        let Ok(date) = time::PrimitiveDateTime::parse(amz_date, format) else {
            return wrong("x-amz-date is not of the form YYYYMMDDTHHMMSSZ");
        };
        if amz_date.get(..8) != Some(self.date) {
            return wrong("Date in Credential scope does not match YYYYMMDD from x-amz-date");
        }
        let off = (date.assume_utc() - OffsetDateTime::now_utc()).whole_seconds();
        if off.abs() > WINDOW_SECONDS {
            return Err(Refusal::new(
                403,
                "RequestExpired",
                &format!("the date is {off} seconds away from now"),
            ));
        }
        Ok(amz_date)
    }

    fn check_signed_headers(&self, message: &Message) -> Result<(), Refusal> {
        let wrong = |why: String| Err(Refusal::new(403, "SignatureDoesNotMatch", &why));
        if !self.signed.is_sorted_by(|a, b| a < b) {
            return wrong("SignedHeaders is not sorted, or names a header twice".into());
        }
        for name in &self.signed {
            if name.bytes().any(|b| b.is_ascii_uppercase()) || message.one(name).is_none() {
                return wrong(format!("'{name}' is signed but is not a header of the request"));
            }
        }
        let must = |name: &str| name == "host" || name == "content-type" || name.starts_with("x-amz-");
        for name in message.headers.iter().map(|(name, _)| name.to_ascii_lowercase()) {
            if must(&name) && !self.signed.contains(&name.as_str()) {
                return wrong(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization"));
            }
        }
        if !self.signed.contains(&"host") {
            return wrong("'host' must be a 'SignedHeader' in the AWS Authorization".into());
        }
        Ok(())
    }

    fn canonical(&self, message: &Message, operation: &Operation, payload: &str) -> String {
        // S3 encodes the decoded path once; the others normalise the raw path and encode it once more.
        let path = if operation.service.is_s3() {
            escape(&unescape(&message.path, false), true)
        } else {
            escape(normalise(&message.path).as_bytes(), true)
        };
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (escape(&unescape(name, true), false), escape(&unescape(value, true), false))
        };
        let mut query: Vec<_> = message.query.split('&').filter(|text| !text.is_empty()).map(pair).collect();
        query.sort();
        let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let fold =
            |value: &str| value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        let headers: String = self
            .signed
            .iter()
            .map(|name| format!("{name}:{}\n", fold(message.one(name).unwrap_or_default())))
            .collect();
        let signed = self.signed.join(";");
        format!("{}\n{path}\n{}\n{headers}\n{signed}\n{payload}", message.method, query.join("&"))
    }
}

/// The hash of the body that came. S3's clients must say it, the others may; nobody may say less.
fn check_payload(message: &Message, operation: &Operation) -> Result<String, Refusal> {
    let hash = sha256_hex(&message.body);
    match message.one("x-amz-content-sha256") {
        Some(said) if said == hash => Ok(hash),
        None if !operation.service.is_s3() => Ok(hash),
        Some(said) if said.len() == 64 => {
            let text = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            Err(Refusal::new(400, "XAmzContentSHA256Mismatch", text))
        }
        Some(_) => Err(Refusal::new(400, "InvalidRequest", "unsigned and streaming payloads are not taken")),
        None => Err(Refusal::new(
            400,
            "InvalidRequest",
            "Missing required header for this request: x-amz-content-sha256",
        )),
    }
}

/// RFC 3986, 5.2.4, and empty segments dropped.
fn normalise(path: &str) -> String {
    let mut kept = Vec::new();
    for segment in path.split('/').filter(|segment| !matches!(*segment, "" | ".")) {
        if segment == ".." {
            kept.pop();
        } else {
            kept.push(segment);
        }
    }
    let open = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end)) && !kept.is_empty();
    format!("/{}{}", kept.join("/"), if open { "/" } else { "" })
}

/// Percent escapes undone; in a query a plus is a space.
pub(super) fn unescape(text: &str, plus: bool) -> Vec<u8> {
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = match after {
            [high, low, ..] if *first == b'%' => digit(high).zip(digit(low)),
            _ => None,
        };
        rest = match escaped {
            Some((high, low)) => {
                out.push(high * 16 + low);
                after.get(2..).unwrap_or_default()
            }
            None => {
                out.push(if plus && *first == b'+' { b' ' } else { *first });
                after
            }
        };
    }
    out
}

fn escape(bytes: &[u8], path: bool) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b) || (path && b == b'/');
    bytes.iter().map(|&b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    // An HMAC takes a key of any length: the error does not occur.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn sha256_hex(data: &[u8]) -> String {
    hex(&Sha256::digest(data))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
