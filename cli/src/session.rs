//! Session credentials for the AWS tools: kept by the agent, fetched by whichever caller it asks.
//!
//! The stream of `POST /v1/sessions` says `ask` to one caller, with a lease; that caller makes the
//! GetSessionToken use on a second connection, carries it to STS, posts the answer under the lease,
//! and is served on its stream like everybody who waits. A lease ends with its stream, so whatever
//! ends this process hands the question to the next waiter.

use crate::args::SessionArgs;
use crate::command::request::mfa_code;
use crate::command::show::named;
use crate::context::Context;
use crate::courier::{self, endpoint, sts};
use crate::prompt::{Answer, Notice, NoticeKind, Question};
use serde::de::IgnoredAny;
use signet_protocol::api::{KeyInfo, Keys, SessionCredentials, SessionEvent, SessionRequest, SessionResult};
use signet_protocol::record::{KeyKind, Partition};
use signet_protocol::{Code, PromptKind, Refusal, VERSION};
use signet_sigv4::Url;

/// Shortest and longest that STS grants (API reference of GetSessionToken), in seconds.
const SHORTEST: u32 = 900;
const LONGEST: u32 = 129_600;
/// Longest for a root user; STS cuts what is longer without a word.
const LONGEST_ROOT: u32 = 3600;

/// What a caller gets.
pub(crate) struct Session {
    /// The credentials.
    pub(crate) credentials: SessionCredentials,
    /// Region that was asked for or found.
    pub(crate) region: String,
}

/// Gets session credentials: kept ones, or new ones with the person's consent.
pub(crate) async fn get(cx: &Context, key: &str, args: &SessionArgs) -> Result<Session, Refusal> {
    if !(SHORTEST..=LONGEST).contains(&args.duration.0) {
        return Err(Refusal::new(
            Code::Usage,
            "session credentials last from 15 minutes to 36 hours",
            format!("signet exec {key} --duration 1h"),
        ));
    }
    let region = match args.region.clone().or_else(endpoint::region_from_env) {
        Some(region) => region,
        None => home_region(find_key(cx, key).await?.partition).to_owned(),
    };
    let url = endpoint::sts(&region, endpoint::overridden("sts"));
    let host = Url::parse(&url)
        .map_err(|error| {
            Refusal::new(Code::Usage, format!("the endpoint of sts: {error}"), "env | grep AWS_ENDPOINT")
        })?
        .host_header();
    let request = SessionRequest {
        version: VERSION,
        key: key.to_owned(),
        host,
        duration: args.duration.0,
        mfa_serial: args.mfa_serial.clone(),
        reason: args.reason.clone(),
    };
    let wanted = Wanted { cx, key, args, region: &region, url: &url };
    let credentials = wanted.follow(&request).await?;
    Ok(Session { credentials, region })
}

/// Where a key is at home when nobody names a region.
pub(crate) fn home_region(partition: Partition) -> &'static str {
    match partition {
        Partition::Aws => "us-east-1",
        Partition::AwsUsGov => "us-gov-west-1",
    }
}

async fn find_key(cx: &Context, name: &str) -> Result<KeyInfo, Refusal> {
    let keys: Keys = cx.client().get("/v1/keys").await?;
    named(keys, name)
}

/// One session that is wanted.
struct Wanted<'a> {
    cx: &'a Context,
    key: &'a str,
    args: &'a SessionArgs,
    region: &'a str,
    url: &'a str,
}

impl Wanted<'_> {
    /// Reads the stream to the credentials or the refusal, fetching when asked to.
    async fn follow(&self, request: &SessionRequest) -> Result<SessionCredentials, Refusal> {
        let client = self.cx.client();
        let mut stream = client.open_post("/v1/sessions", crate::client::encode(request)?).await?;
        let mut notice: Option<Notice> = None;
        let mut own_failure = None;
        loop {
            let event = match &notice {
                None => stream.event().await,
                Some(notice) => tokio::select! {
                    event = stream.event() => event,
                    () = notice.count_down() => continue,
                },
            };
            if let Some(notice) = notice.take() {
                notice.take_away().await;
            }
            match event {
                Ok(SessionEvent::Session(credentials)) => return Ok(credentials),
                // what went wrong here is told better than what the agent passes on to everybody
                Ok(SessionEvent::Refused { error }) => return Err(own_failure.unwrap_or(error)),
                Ok(SessionEvent::Waiting { asked }) => {
                    let text = format!("waiting for the session that {asked} asks for");
                    notice = Some(self.cx.prompts().notice(NoticeKind::Waiting, &text, "", None));
                }
                Ok(SessionEvent::Ask { lease }) => own_failure = self.fetch(&lease).await?,
                Err(refusal) => return Err(own_failure.unwrap_or(refusal)),
            }
        }
    }

    /// Makes the use, carries it, and posts what came of it; gives what went wrong here, if anything.
    async fn fetch(&self, lease: &str) -> Result<Option<Refusal>, Refusal> {
        let (result, failure) = match self.new_session(lease).await {
            Ok((credentials, aws_request_id)) => {
                (SessionResult::Credentials { credentials, aws_request_id }, None)
            }
            // nobody has refused anything: the lease ends with our stream, and the next one is asked
            Err(refusal) if refusal.code == Code::NoPrompt => return Err(refusal),
            Err(refusal) => (SessionResult::Failed(refusal.clone()), Some(refusal)),
        };
        let posted = self.post(lease, &result).await;
        match (posted, failure) {
            (_, Some(failure)) => Ok(Some(failure)),
            (Ok(()), None) => Ok(None),
            (Err(refusal), None) => {
                // everybody who waits is told, or each of them in turn would ask the person again; that
                // a lease is over already does no harm
                let _over = self.post(lease, &SessionResult::Failed(refusal.clone())).await;
                Ok(Some(refusal))
            }
        }
    }

    async fn post(&self, lease: &str, result: &SessionResult) -> Result<(), Refusal> {
        let path = format!("/v1/sessions/{lease}");
        let IgnoredAny = self.cx.client().post(&path, result).await?;
        Ok(())
    }

    async fn new_session(&self, lease: &str) -> Result<(SessionCredentials, Option<String>), Refusal> {
        let key = find_key(self.cx, self.key).await?;
        let duration = match key.kind {
            KeyKind::Root => self.args.duration.0.min(LONGEST_ROOT),
            KeyKind::IamUser => self.args.duration.0,
        };
        let code = self.mfa_code().await?;
        let mfa = match (&self.args.mfa_serial, &code) {
            (Some(serial), Some(code)) => Some((serial.as_str(), mfa_code(code)?)),
            (_, None) | (None, _) => None,
        };
        let token = sts::SessionToken { region: self.region, url: self.url, duration, mfa };
        let outgoing = token.outgoing();
        let lease = Some(lease.to_owned());
        let answer = courier::call(self.cx, self.key, &outgoing, self.args.reason.clone(), lease).await?;
        let mut credentials = sts::credentials(&answer)?;
        credentials.account_id = key.account;
        Ok((credentials, answer.request_id()))
    }

    /// The code of the AWS MFA device, where the session is to bear one.
    async fn mfa_code(&self) -> Result<Option<Answer>, Refusal> {
        let Some(serial) = &self.args.mfa_serial else { return Ok(None) };
        let text = format!("code of aws mfa device {serial}, for session credentials of {}", self.key);
        self.cx.prompts().ask(&Question::new(PromptKind::AwsMfa, &text)).await.map(Some)
    }
}
