//! Answers that are one JSON document, and which HTTP status a refusal has.
//!
//! Must not know: what was asked.

#![forbid(unsafe_code)]

use super::stream::{Answer, JSON_LINES, lines, pieces, whole};
use crate::audit::Stored;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use signet_protocol::refusal::Failure;
use signet_protocol::{Code, Refusal, VERSION};
use tokio::sync::mpsc::Receiver;

/// `{"version":1}`: done, and nothing to tell.
#[derive(Serialize)]
struct Plain {
    version: u32,
}

/// A document.
pub(super) fn document<T: Serialize>(document: &T) -> Response<Answer> {
    match serde_json::to_vec(document) {
        Ok(bytes) => with_type(StatusCode::OK, "application/json", whole(bytes)),
        Err(_) => refusal(Refusal::bare(Code::Internal, "the answer could not be written")),
    }
}

/// `{"version":1}`.
pub(super) fn done() -> Response<Answer> {
    document(&Plain { version: VERSION })
}

/// Events, one line each.
pub(super) fn events<E: Serialize + Send + 'static>(events: Receiver<E>) -> Response<Answer> {
    with_type(StatusCode::OK, JSON_LINES, lines(events))
}

/// Lines that are stored as they are.
pub(super) fn stored_lines(stored: Stored) -> Response<Answer> {
    with_type(StatusCode::OK, JSON_LINES, pieces(stored))
}

/// A refusal as a failure document.
pub(super) fn refusal(refusal: Refusal) -> Response<Answer> {
    refusal_as(status_of(refusal.code), refusal)
}

/// A refusal whose status says more than its code: no such path, wrong method, too large.
pub(super) fn refusal_as(status: StatusCode, refusal: Refusal) -> Response<Answer> {
    with_type(status, "application/json", whole(failure(refusal)))
}

/// The bytes of a whole HTTP answer, for a connection that is not served at all.
pub(super) fn unserved(refusal: Refusal) -> Vec<u8> {
    let status = status_of(refusal.code);
    let document = failure(refusal);
    let mut answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        document.len()
    )
    .into_bytes();
    answer.extend_from_slice(&document);
    answer
}

fn failure(refusal: Refusal) -> Vec<u8> {
    // Strings and numbers always have a JSON form; were it not so, the status still says no.
    serde_json::to_vec(&Failure::from(refusal)).unwrap_or_default()
}

fn with_type(status: StatusCode, media_type: &'static str, body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

fn status_of(code: Code) -> StatusCode {
    match code {
        Code::BadRequest | Code::Usage => StatusCode::BAD_REQUEST,
        Code::Denied => StatusCode::FORBIDDEN,
        Code::Busy | Code::NoReader | Code::NoAgent => StatusCode::SERVICE_UNAVAILABLE,
        Code::FactorLocked => StatusCode::TOO_MANY_REQUESTS,
        Code::Internal | Code::FailedCheck => StatusCode::INTERNAL_SERVER_ERROR,
        Code::AwsError => StatusCode::BAD_GATEWAY,
        // The rest, and codes to come: the request was sound, the state of things is not.
        _conflict => StatusCode::CONFLICT,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_unserved_connection_gets_a_whole_answer() {
        let answer = String::from_utf8(unserved(Refusal::bare(Code::Busy, "too many"))).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
        let failure: Failure = serde_json::from_str(body).unwrap();
        assert_eq!(failure.error.code, Code::Busy);
    }
}
