//! A reply that comes line by line.

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use serde::de::DeserializeOwned;
use signet_protocol::{Code, MESSAGE_LIMIT, Refusal};

/// Lines as they come. Dropping it ends the connection, and with it the use.
pub(crate) struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
    ended: bool,
}

impl Lines {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, buffer: Vec::new(), ended: false }
    }

    /// The next line without its LF; `None` at the end. Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&b| b == b'\n') {
                let rest = self.buffer.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.pop();
                return Ok(Some(line));
            }
            if self.buffer.len() > MESSAGE_LIMIT {
                return Err(Refusal::bare(Code::Internal, "a line of the agent's reply is too long"));
            }
            if self.ended {
                let line = std::mem::take(&mut self.buffer);
                return Ok((!line.is_empty()).then_some(line));
            }
            match self.frame().await? {
                Some(data) => self.buffer.extend_from_slice(&data),
                None => self.ended = true,
            }
        }
    }

    /// The next line, which must be there and be an event of type `T`.
    pub(crate) async fn event<T: DeserializeOwned>(&mut self) -> Result<T, Refusal> {
        let Some(line) = self.next().await? else {
            return Err(Refusal::new(Code::NoAgent, "the agent ended the connection", "signet status"));
        };
        serde_json::from_slice(&line).map_err(|error| {
            Refusal::bare(Code::Internal, format!("the agent's reply is not understood: {error}"))
        })
    }

    async fn frame(&mut self) -> Result<Option<Bytes>, Refusal> {
        match self.body.frame().await {
            None => Ok(None),
            Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
            Some(Err(error)) => Err(Refusal::new(
                Code::NoAgent,
                format!("the agent's reply broke off: {error}"),
                "signet status",
            )),
        }
    }
}
