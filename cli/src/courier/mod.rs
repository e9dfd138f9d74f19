//! The courier: has a request signed by the agent, and carries it to AWS.
//!
//! Promises: goes to exactly the host that was signed, follows no redirect, reads no answer beyond its
//! cap and waits no longer than its limits; plain http only to loopback. Holds no key. What the agent
//! signs has been through the [`referee`] first.

mod answer;
pub(crate) mod date;
pub(crate) mod endpoint;
mod referee;
pub(crate) mod sts;
mod tls;

pub(crate) use answer::AwsAnswer;

use crate::context::Context;
use crate::conversation::{Ended, Laps};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use signet_protocol::api::{SignRequest, Signed, UseAct};
use signet_protocol::{Code, MESSAGE_LIMIT, Refusal};
use signet_sigv4::{Scheme, Url};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest answer that is read.
const ANSWER_LIMIT: usize = 16 << 20;
/// How long connecting and the handshake may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How long AWS may take to answer.
const ANSWER: Duration = Duration::from_secs(60);
/// Up to this many bytes the agent gets the body itself; base64 and the rest must fit a message.
const BODY_LIMIT: usize = MESSAGE_LIMIT / 2;

/// A request before it is signed.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    /// Service of the credential scope.
    pub(crate) service: String,
    /// Region of the credential scope.
    pub(crate) region: String,
    /// HTTP method.
    pub(crate) method: String,
    /// Absolute URL.
    pub(crate) url: String,
    /// Headers without `host` and `authorization`.
    pub(crate) headers: Vec<(String, String)>,
    /// Body.
    pub(crate) body: Vec<u8>,
}

impl Outgoing {
    /// A form of the query protocol, as STS, IAM and SQS take it.
    pub(crate) fn form(service: &str, region: &str, url: &str, form: String) -> Self {
        let kind = ("content-type".to_owned(), "application/x-www-form-urlencoded; charset=utf-8".to_owned());
        Self {
            service: service.to_owned(),
            region: region.to_owned(),
            method: "POST".to_owned(),
            url: url.to_owned(),
            headers: vec![kind],
            body: form.into_bytes(),
        }
    }

    /// What the agent is asked to sign. A large body for S3 is represented by its hash: the action
    /// shows without it.
    pub(crate) fn sign_request(&self) -> SignRequest {
        let mut headers = self.headers.clone();
        let hash_only = self.service == "s3" && self.body.len() > BODY_LIMIT;
        let has_hash = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("x-amz-content-sha256"));
        if hash_only && !has_hash {
            headers.push(("x-amz-content-sha256".to_owned(), signet_sigv4::sha256_hex(&self.body)));
        }
        SignRequest {
            service: self.service.clone(),
            region: self.region.clone(),
            method: self.method.clone(),
            url: self.url.clone(),
            headers,
            body: (!hash_only).then(|| STANDARD.encode(&self.body)),
        }
    }
}

/// How long a call took.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    /// The use, part by part.
    pub(crate) laps: Laps,
    /// From the signature to the end of AWS's answer.
    pub(crate) aws: Duration,
}

/// Has a request signed: referee, use, and a look at what came back.
pub(crate) async fn sign(
    cx: &Context,
    key: &str,
    outgoing: &Outgoing,
    reason: Option<String>,
    lease: Option<String>,
) -> Result<Signed, Refusal> {
    sign_timed(cx, key, outgoing, reason, lease).await.map(|(signed, _)| signed)
}

async fn sign_timed(
    cx: &Context,
    key: &str,
    outgoing: &Outgoing,
    reason: Option<String>,
    lease: Option<String>,
) -> Result<(Signed, Laps), Refusal> {
    referee::check(outgoing)?;
    match cx.use_key_timed(key, UseAct::Sign(outgoing.sign_request()), reason, lease).await? {
        (Ended::Signed(signed), laps) if signed.url == outgoing.url => Ok((signed, laps)),
        (Ended::Signed(_) | Ended::Done(_), _) => {
            Err(Refusal::bare(Code::Internal, "the agent answered another question"))
        }
    }
}

/// Carries a signed request to AWS and brings the answer, whatever it is.
async fn send(outgoing: &Outgoing, signed: &Signed) -> Result<AwsAnswer, Refusal> {
    let url =
        Url::parse(&outgoing.url).map_err(|error| Refusal::bare(Code::BadRequest, error.to_string()))?;
    let port = url.port.unwrap_or(match url.scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    });
    let (name, host) = (url.host.trim_start_matches('[').trim_end_matches(']'), &url.host_header());
    let connect = async {
        let stream = TcpStream::connect((name, port)).await.map_err(|error| unreachable(host, &error))?;
        // one request, one answer: waiting to fill a packet only delays it
        stream.set_nodelay(true).map_err(|error| unreachable(host, &error))?;
        Ok::<_, Refusal>(stream)
    };
    let stream = timeout(CONNECT, connect).await.map_err(|_| late(host))??;
    let request = request(outgoing, signed, &url)?;
    match url.scheme {
        Scheme::Http => exchange(TokioIo::new(stream), request, host).await,
        Scheme::Https => {
            let handshake = tls::connect(name, stream);
            let stream = timeout(CONNECT, handshake).await.map_err(|_| late(host))??;
            exchange(TokioIo::new(stream), request, host).await
        }
    }
}

/// Signs and sends; an answer of 300 and above is `aws_error`.
pub(crate) async fn call(
    cx: &Context,
    key: &str,
    outgoing: &Outgoing,
    reason: Option<String>,
    lease: Option<String>,
) -> Result<AwsAnswer, Refusal> {
    call_timed(cx, key, outgoing, reason, lease).await.map(|(answer, _)| answer)
}

/// [`call`], and how long each part of it took.
async fn call_timed(
    cx: &Context,
    key: &str,
    outgoing: &Outgoing,
    reason: Option<String>,
    lease: Option<String>,
) -> Result<(AwsAnswer, Times), Refusal> {
    // nobody shall touch a token for what cannot be sent
    may_travel(&outgoing.url)?;
    let (signed, laps) = sign_timed(cx, key, outgoing, reason, lease).await?;
    let sent = Instant::now();
    let answer = send(outgoing, &signed).await?.accepted()?;
    Ok((answer, Times { laps, aws: sent.elapsed() }))
}

/// The URL, if it may be sent to: plain http goes to loopback only.
fn may_travel(url: &str) -> Result<Url<'_>, Refusal> {
    let url = Url::parse(url).map_err(|error| Refusal::bare(Code::BadRequest, error.to_string()))?;
    if url.scheme == Scheme::Http && !signet_sigv4::endpoint::is_loopback(&url.host) {
        let why = format!("plain http goes to loopback only, not to {}", url.host);
        return Err(Refusal::new(Code::BadRequest, why, "signet request --help"));
    }
    Ok(url)
}

fn request(
    outgoing: &Outgoing,
    signed: &Signed,
    url: &Url<'_>,
) -> Result<http::Request<Full<Bytes>>, Refusal> {
    let target =
        if url.query.is_empty() { url.path.to_owned() } else { format!("{}?{}", url.path, url.query) };
    let mut builder = http::Request::builder().method(outgoing.method.as_str()).uri(target);
    for (name, value) in &signed.headers {
        // hyper sets the length itself, from the body
        if name != "content-length" {
            builder = builder.header(name, value);
        }
    }
    builder
        .body(Full::new(Bytes::from(outgoing.body.clone())))
        .map_err(|error| Refusal::bare(Code::BadRequest, format!("the request cannot be sent: {error}")))
}

async fn exchange<S>(stream: S, request: http::Request<Full<Bytes>>, host: &str) -> Result<AwsAnswer, Refusal>
where
    S: Read + Write + Unpin + Send + 'static,
{
    let exchange = async {
        let broken = |error: hyper::Error| failed(host, &error.to_string());
        let (mut sender, connection) = http1::handshake(stream).await.map_err(broken)?;
        // it ends with the answer; what goes wrong on it is told by the request or the body
        tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let body = Limited::new(body, ANSWER_LIMIT).collect().await;
        let body = body.map_err(|error| failed(host, &error.to_string()))?.to_bytes();
        Ok(AwsAnswer { status: head.status.as_u16(), headers: head.headers, body })
    };
    timeout(ANSWER, exchange).await.map_err(|_| late(host))?
}

fn unreachable(host: &str, error: &std::io::Error) -> Refusal {
    failed(host, &error.to_string())
}

fn late(host: &str) -> Refusal {
    Refusal::bare(Code::Timeout, format!("{host} does not answer"))
}

fn failed(host: &str, why: &str) -> Refusal {
    Refusal::bare(Code::AwsError, format!("{host}: {why}"))
}
