//! Which path and method is which act, and nothing else.
//!
//! Promises: an unknown path, method or query is refused with a failure document; a body is read
//! whole, in time and up to the limit, before anything is done with it. Must not know: what the
//! acts do.

#![forbid(unsafe_code)]

use super::reply::{document, done, events, refusal, refusal_as, stored_lines};
use super::stream::Answer;
use crate::peer::Peer;
use crate::pipeline::house::House;
use crate::pipeline::{self, admin, manage, sessions, strict, terms, tokens};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use signet_protocol::{Code, Refusal};
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::timeout;

/// A body is small and local: one that takes longer is not coming.
const BODY_TIME: Duration = Duration::from_secs(5);

/// Answers one request.
///
/// # Errors
/// Never; every failure is a document.
pub(super) async fn answer(
    house: Rc<House>,
    peer: Rc<Peer>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    let (head, body) = request.into_parts();
    let limit = house.config.limits.message;
    let body = match whole(body, limit).await {
        Ok(body) => body,
        Err(response) => return Ok(*response),
    };
    let path = head.uri.path().to_owned();
    let query = head.uri.query();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    Ok(match segments.as_slice() {
        ["v1", route @ ..] => {
            let call = Call { house: &house, peer: &peer, body: &body, query };
            call.route(&head.method, route).await
        }
        _other_version => no_path(),
    })
}

/// The whole body, or the answer that refuses it.
async fn whole(body: Incoming, limit: usize) -> Result<Bytes, Box<Response<Answer>>> {
    let too_large = || {
        let message = format!("the message is larger than {limit} bytes");
        Box::new(refusal_as(StatusCode::PAYLOAD_TOO_LARGE, Refusal::bare(Code::BadRequest, message)))
    };
    if usize::try_from(body.size_hint().lower()).map_or(true, |announced| announced > limit) {
        return Err(too_large());
    }
    let bad = |status, message: &str| Box::new(refusal_as(status, Refusal::bare(Code::BadRequest, message)));
    match timeout(BODY_TIME, Limited::new(body, limit).collect()).await {
        Err(_late) => Err(bad(StatusCode::REQUEST_TIMEOUT, "the message did not come in time")),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_broken)) => Err(bad(StatusCode::BAD_REQUEST, "the message broke off")),
    }
}

struct Call<'a> {
    house: &'a Rc<House>,
    peer: &'a Rc<Peer>,
    body: &'a Bytes,
    query: Option<&'a str>,
}

impl Call<'_> {
    async fn route(&self, method: &Method, route: &[&str]) -> Response<Answer> {
        let (house, peer, body) = (self.house, self.peer, self.body);
        let allowed: &[Method] = match route {
            ["status" | "keys"] | ["policy", "presets"] | ["audit"] | ["audit", "head"] => &[Method::GET],
            ["uses"] | ["uses", _, "answers"] | ["tokens", _, "lost"] => &[Method::POST],
            ["keys", _, "account" | "rotated" | "drilled"] => &[Method::POST],
            ["policy", "check" | "explain"] => &[Method::POST],
            ["keys", _] | ["tokens", _] => &[Method::DELETE],
            ["tokens"] => &[Method::GET, Method::POST],
            ["sessions"] | ["sessions", _] => &[Method::POST, Method::DELETE],
            _unknown => return no_path(),
        };
        if !allowed.contains(method) {
            let message = "this path does not know this method";
            return refusal_as(StatusCode::METHOD_NOT_ALLOWED, Refusal::bare(Code::BadRequest, message));
        }
        let lost = matches!(route, ["keys", _]);
        if self.query != lost.then_some("lost") {
            return refusal(Refusal::bare(Code::BadRequest, "this path does not know this query"));
        }
        let posts = method == Method::POST;
        let answered = match route {
            ["status"] => manage::status(house).map(|status| document(&status)),
            ["keys"] => manage::keys(house).map(|keys| document(&keys)),
            ["keys", name] => admin::lose_key(house, peer, name).map(|()| done()),
            ["keys", name, "account"] => admin::pin_account(house, peer, name, body).map(|()| done()),
            ["keys", name, "rotated"] => admin::rotated(house, peer, name).map(|()| done()),
            ["keys", name, "drilled"] => admin::drilled(house, peer, name, body).map(|()| done()),
            ["uses"] => pipeline::begin(house, peer, body).map(events),
            ["uses", id, "answers"] => {
                strict(body).and_then(|given| house.uses.answer(id, peer.uid(), given)).map(|()| done())
            }
            ["tokens"] if posts => tokens::begin(house, peer, body).map(events),
            ["tokens"] => manage::token_list(house).await.map(|tokens| document(&tokens)),
            ["tokens", serial] => admin::remove_token(house, peer, serial).map(|()| done()),
            ["tokens", serial, "lost"] => admin::lose_token(house, peer, serial).map(|lost| document(&lost)),
            ["sessions"] if posts => sessions::begin(house, peer, body).map(events),
            ["sessions"] => Ok(document(&sessions::forget(house, peer, None))),
            ["sessions", lease] if posts => sessions::result(house, peer, lease, body).map(|()| done()),
            ["sessions", key] => Ok(document(&sessions::forget(house, peer, Some(key)))),
            ["policy", "presets"] => Ok(document(&manage::presets())),
            ["policy", "check"] => manage::check_policy(body).map(|rules| document(&rules)),
            ["policy", "explain"] => terms::explain(house, peer, body).map(|explained| document(&explained)),
            ["audit"] => manage::audit_lines(house).map(stored_lines),
            ["audit", "head"] => Ok(document(&house.log.borrow().head())),
            _unknown => return no_path(),
        };
        answered.unwrap_or_else(refusal)
    }
}

fn no_path() -> Response<Answer> {
    let refused = Refusal::new(Code::BadRequest, "there is no such path", "signet status");
    refusal_as(StatusCode::NOT_FOUND, refused)
}
