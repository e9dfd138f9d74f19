//! Session credentials for callers: handed out, asked for by one of those who wait, or refused to
//! all of them.
//!
//! Promises: each hand-out is an audit line before it is a reply; a lease ends with the connection it
//! was given to. Must not know: how credentials are kept, HTTP.

#![forbid(unsafe_code)]

use super::house::{House, entry};
use super::task::reason;
use super::{UNREAD, strict, versioned};
use crate::clock;
use crate::peer::Peer;
use crate::sessions::{Next, Vended, Wanted};
use signet_protocol::api::{
    Forgotten, SessionCredentials, SessionEvent, SessionRequest, SessionResult, UseRequest,
};
use signet_protocol::audit::Phase;
use signet_protocol::record::{Metadata, is_key_name};
use signet_protocol::{Code, Refusal, VERSION};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

/// The only action a lease is given for.
const ACTION: &str = "sts:GetSessionToken";

/// What the asked caller has beside the use itself: the way to AWS and back.
const COURIER: Duration = Duration::from_secs(30);

/// Begins to serve a request for session credentials.
///
/// # Errors
/// When the request is not sound or there is no such key.
pub fn begin(house: &Rc<House>, peer: &Rc<Peer>, body: &[u8]) -> Result<Receiver<SessionEvent>, Refusal> {
    let request: SessionRequest = strict(body)?;
    versioned(request.version)?;
    reason(request.reason.as_deref())?;
    if !is_key_name(&request.key) {
        return Err(Refusal::new(Code::BadRequest, "that is no name of a key", "signet list"));
    }
    let meta = house.vault.borrow().record(&request.key)?.meta;
    let (tell, events) = channel(UNREAD);
    let (house, peer) = (Rc::clone(house), Rc::clone(peer));
    tokio::task::spawn_local(async move {
        let last = serve(&house, &peer, &request, &meta, &tell).await;
        // A caller who went away needs no answer; what was handed out is in the log.
        let _gone = tell.try_send(last.unwrap_or_else(|error| SessionEvent::Refused { error }));
    });
    Ok(events)
}

/// Until there are credentials, or a reason why not.
async fn serve(
    house: &House,
    peer: &Peer,
    request: &SessionRequest,
    meta: &Metadata,
    tell: &Sender<SessionEvent>,
) -> Result<SessionEvent, Refusal> {
    let wanted = Wanted {
        uid: peer.uid(),
        key: request.key.clone(),
        host: request.host.clone(),
        duration: request.duration,
        mfa_serial: request.mfa_serial.clone(),
    };
    let who = peer.who().to_string();
    loop {
        match house.sessions.ask(&wanted, &who, clock::exact()) {
            Next::Serve(vended) => return vend(house, peer, request, meta, &vended),
            Next::Refused(refusal) => return Err(refusal),
            Next::Ask(mut lease) => {
                say(tell, SessionEvent::Ask { lease: lease.id().to_owned() })?;
                let limit = house.config.limits.use_time + COURIER;
                let settled = while_there(house, tell, timeout(limit, lease.settled())).await?;
                settled.map_err(|_| Refusal::bare(Code::Timeout, "the session was not fetched in time"))?;
            }
            Next::Wait(waiter) => {
                say(tell, SessionEvent::Waiting { asked: waiter.asked().to_owned() })?;
                while_there(house, tell, waiter.moved()).await?;
            }
        }
    }
}

fn say(tell: &Sender<SessionEvent>, event: SessionEvent) -> Result<(), Refusal> {
    tell.try_send(event).map_err(|_| gone())
}

fn gone() -> Refusal {
    Refusal::bare(Code::Interrupted, "the caller went away")
}

async fn while_there<T>(
    house: &House,
    tell: &Sender<SessionEvent>,
    course: impl Future<Output = T>,
) -> Result<T, Refusal> {
    tokio::select! {
        biased;
        () = tell.closed() => Err(gone()),
        () = house.stopping() => {
            Err(Refusal::new(Code::Interrupted, "the agent is stopping", "signet status"))
        }
        ended = course => Ok(ended),
    }
}

/// One hand-out: the line first, the credentials then.
fn vend(
    house: &House,
    peer: &Peer,
    request: &SessionRequest,
    meta: &Metadata,
    vended: &Vended,
) -> Result<SessionEvent, Refusal> {
    let mut draft = entry(Phase::Vend, &house.new_id()?, clock::now(), peer.who());
    draft.facts.key = Some(request.key.clone());
    draft.facts.access_key_id = Some(meta.access_key_id.clone());
    draft.facts.account = meta.account.clone().or_else(|| vended.account_id.clone());
    draft.facts.action = Some(ACTION.to_owned());
    draft.facts.host = Some(request.host.clone());
    draft.facts.reason.clone_from(&request.reason);
    draft.facts.result = Some("vended".to_owned());
    draft.facts.session_key_id = Some(vended.access_key_id.clone());
    house.note(draft)?;
    Ok(SessionEvent::Session(SessionCredentials::clone(vended)))
}

/// Takes what became of a lease.
///
/// # Errors
/// When the message is not sound, or the lease is not this caller's or over.
pub fn result(house: &House, peer: &Peer, lease: &str, body: &[u8]) -> Result<(), Refusal> {
    match strict(body)? {
        SessionResult::Failed(refusal) => house.sessions.fail(lease, peer.uid(), refusal, clock::exact()),
        SessionResult::Credentials { credentials, aws_request_id } => {
            let wanted = house.sessions.leased(lease, peer.uid()).ok_or_else(no_lease)?;
            let mut draft = entry(Phase::Admin, &house.new_id()?, clock::now(), peer.who());
            draft.facts.key = Some(wanted.key);
            draft.facts.action = Some(ACTION.to_owned());
            draft.facts.host = Some(wanted.host);
            draft.facts.result = Some("kept".to_owned());
            draft.facts.session_key_id = Some(credentials.access_key_id.clone());
            draft.facts.aws_request_id = aws_request_id.filter(|id| is_plain(id));
            house.note(draft)?;
            house.sessions.deliver(lease, peer.uid(), credentials, clock::exact())
        }
    }
}

/// AWS's request ids are a few visible characters; anything else stays out of the log.
fn is_plain(id: &str) -> bool {
    id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic())
}

fn no_lease() -> Refusal {
    Refusal::bare(Code::BadRequest, "there is no such lease: it ended with its connection")
}

/// Drops what is kept for this caller.
#[must_use]
pub fn forget(house: &House, peer: &Peer, key: Option<&str>) -> Forgotten {
    let sessions = house.sessions.forget(Some(peer.uid()), key, clock::exact());
    Forgotten { version: VERSION, sessions }
}

/// A use that names a lease must be what the lease was given for.
pub(super) fn fits_lease(house: &House, uid: u32, request: &UseRequest, action: &str) -> Result<(), Refusal> {
    let Some(lease) = &request.lease else { return Ok(()) };
    let wanted = house.sessions.leased(lease, uid).ok_or_else(no_lease)?;
    if wanted.key == request.key && action == ACTION {
        return Ok(());
    }
    Err(Refusal::bare(Code::BadRequest, "the lease was given for another request"))
}

/// A use under a lease was refused: so is everybody who waits for it. Not so where nobody could be
/// asked: the next one who waits may have a way.
pub(super) fn refused(house: &House, uid: u32, lease: Option<&str>, why: &Refusal) {
    if let Some(lease) = lease.filter(|_| why.code != Code::NoPrompt) {
        // A lease that is over, or another's, has nobody waiting for it.
        let _over = house.sessions.fail(lease, uid, why.clone(), clock::exact());
    }
}
