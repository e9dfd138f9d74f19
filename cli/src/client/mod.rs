//! The agent at the other end of the socket: HTTP/1.1 and JSON.
//!
//! Promises: speaks only to a server whose uid [`socket`] accepts; one connection a request, so that a
//! use ends when its connection does; no reply is read beyond its cap. Refusals come back as they
//! were told; anything else that goes wrong here is `no_agent` or `internal`.

mod autostart;
mod lines;
mod socket;

pub(crate) use lines::Lines;
pub(crate) use socket::{Origin, Socket};

use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use signet_protocol::refusal::Failure;
use signet_protocol::{Code, Refusal};
use std::io::ErrorKind;
use std::path::Path;
use tokio::net::UnixStream;

/// Longest reply that is not a stream: thousands of keys fit.
const REPLY_LIMIT: usize = 4 << 20;

/// Where the agent is. Holds no connection.
pub(crate) struct Client {
    socket: Socket,
}

impl Client {
    /// Finds the socket in force; `flag` is `--socket`.
    pub(crate) fn find(flag: Option<&Path>) -> Self {
        Self { socket: Socket::find(flag) }
    }

    /// The socket in force.
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// `GET` with a typed reply.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        reply(self.send(Method::GET, path, Bytes::new()).await?).await
    }

    /// `DELETE` with a typed reply.
    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        reply(self.send(Method::DELETE, path, Bytes::new()).await?).await
    }

    /// `POST` of a JSON body with a typed reply.
    pub(crate) async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, Refusal> {
        reply(self.send(Method::POST, path, encode(body)?).await?).await
    }

    /// `POST` without a body, with a typed reply.
    pub(crate) async fn post_bare<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        reply(self.send(Method::POST, path, Bytes::new()).await?).await
    }

    /// `GET` whose reply is read line by line.
    pub(crate) async fn open_get(&self, path: &str) -> Result<Lines, Refusal> {
        stream(self.send(Method::GET, path, Bytes::new()).await?).await
    }

    /// `POST` of exactly these bytes, whose reply is read line by line.
    pub(crate) async fn open_post(&self, path: &str, body: Bytes) -> Result<Lines, Refusal> {
        stream(self.send(Method::POST, path, body).await?).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, Refusal> {
        let stream = self.connect().await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        // it ends with the reply; what goes wrong on it is told by the request or the body
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "signet")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| Refusal::bare(Code::Internal, format!("request to the agent: {error}")))?;
        sender.send_request(request).await.map_err(|error| broken(&error))
    }

    /// Connects, starting the agent where that is ours to do, and looks who answers.
    async fn connect(&self) -> Result<UnixStream, Refusal> {
        let stream = match UnixStream::connect(self.socket.path()).await {
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
                    && autostart::allowed(&self.socket) =>
            {
                autostart::start(&self.socket).await?
            }
            Err(error) => return Err(self.socket.unreachable(&error)),
            Ok(stream) => stream,
        };
        let uid = stream.peer_cred().map_err(|error| self.socket.unreachable(&error))?.uid();
        self.socket.check_server(uid)?;
        Ok(stream)
    }
}

/// A body as JSON.
pub(crate) fn encode<B: Serialize>(body: &B) -> Result<Bytes, Refusal> {
    serde_json::to_vec(body)
        .map(Bytes::from)
        .map_err(|error| Refusal::bare(Code::Internal, format!("request to the agent: {error}")))
}

/// A whole reply: the document, or the refusal that came instead.
async fn reply<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, Refusal> {
    let response = accepted(response).await?;
    let bytes = whole(response.into_body()).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Refusal::bare(Code::Internal, format!("the agent's reply is not understood: {error}"))
    })
}

/// The lines of a reply.
async fn stream(response: Response<Incoming>) -> Result<Lines, Refusal> {
    Ok(Lines::new(accepted(response).await?.into_body()))
}

/// The reply, unless it is a refusal.
async fn accepted(response: Response<Incoming>) -> Result<Response<Incoming>, Refusal> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let bytes = whole(response.into_body()).await?;
    match serde_json::from_slice::<Failure>(&bytes) {
        Ok(failure) => Err(failure.error),
        Err(_) if status == StatusCode::NOT_FOUND => {
            Err(Refusal::new(Code::Unsupported, "this agent does not know the command", "signet status"))
        }
        Err(_) => Err(Refusal::bare(Code::Internal, format!("the agent answered {}", status.as_u16()))),
    }
}

async fn whole(body: Incoming) -> Result<Bytes, Refusal> {
    Limited::new(body, REPLY_LIMIT)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| Refusal::bare(Code::Internal, format!("the agent's reply broke off: {error}")))
}

fn broken(error: &hyper::Error) -> Refusal {
    Refusal::new(Code::NoAgent, format!("the agent ended the connection: {error}"), "signet status")
}
