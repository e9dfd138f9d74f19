//! Bodies: one document, JSON lines as they come, or the pieces of the log.
//!
//! Promises: every event is one line, said as soon as it is known; a client that is gone is noticed
//! by the room that tells the events, because its channel closes with this body. Must not know:
//! what the events mean.

#![forbid(unsafe_code)]

use crate::audit::{AuditError, Stored};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use serde::Serialize;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc::Receiver;

/// Media type of a stream of JSON lines.
pub(super) const JSON_LINES: &str = "application/x-ndjson";

/// A body of an answer; an error breaks it off, so that no part passes for the whole.
pub(super) type Answer = UnsyncBoxBody<Bytes, AuditError>;

/// One document.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Answer {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// The log, piece by piece, as fast as it is taken.
pub(super) fn pieces(stored: Stored) -> Answer {
    Pieces(stored).boxed_unsync()
}

/// One line an event, until the teller is done.
pub(super) fn lines<E: Serialize + Send + 'static>(events: Receiver<E>) -> Answer {
    Lines { events }.map_err(|never| match never {}).boxed_unsync()
}

struct Lines<E> {
    events: Receiver<E>,
}

impl<E: Serialize> Body for Lines<E> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.events.poll_recv(cx).map(|event| {
            // An event that has no JSON form ends the stream: the client sees a use without an end.
            let mut line = serde_json::to_vec(&event?).ok()?;
            line.push(b'\n');
            Some(Ok(Frame::data(line.into())))
        })
    }
}

struct Pieces(Stored);

impl Body for Pieces {
    type Data = Bytes;
    type Error = AuditError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AuditError>>> {
        let piece = self.0.next();
        Poll::Ready(piece.map(|piece| match piece {
            Ok(piece) => Ok(Frame::data(piece.into())),
            Err(error) => {
                eprintln!("signet-agent: error: the log was not told to its end: {error}");
                Err(error)
            }
        }))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.left())
    }
}
