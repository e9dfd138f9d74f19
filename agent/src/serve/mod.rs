//! HTTP/1.1 on the socket: who is served, how many at once, for how long.
//!
//! Promises: only admitted peers are served, at most so many connections a uid; what is slow is cut
//! (5 s for a header, 5 s for a body); serving ends when the socket is no longer ours, when nothing
//! has happened for the idle time, or when it is told to, and then every use is refused rather than
//! dropped. Must not know: what is asked.

#![forbid(unsafe_code)]

mod connections;
mod reply;
mod routes;
pub mod socket;
mod stream;

use crate::audit::Draft;
use crate::clock;
use crate::peer::{Admits, Peer, admit};
use crate::pipeline::house::{House, ended, entry};
use connections::{Connection, Connections};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use signet_protocol::audit::Phase;
use signet_protocol::{Code, MESSAGE_LIMIT, Refusal};
use socket::Socket;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// From the first byte of a header to its last; also how long a kept connection may say nothing.
const HEADER_TIME: Duration = Duration::from_secs(5);
/// Longest header, and room for what arrives with it.
const HEADER_ROOM: usize = 16 * 1024;
/// Most header lines of a request.
const HEADER_LINES: usize = 32;
/// A connection is asked to end after this long, whatever it does.
const LIFE: Duration = Duration::from_secs(600);
/// How often the path of the socket is looked at.
const SELF_CHECK: Duration = Duration::from_secs(60);
/// Connections of a uid that are told why they are not served, at once.
const TURNED_AWAY: usize = 8;
/// What is thrown away of one of them, in bytes: a header and a message of the usual length.
const LONGEST_REQUEST: u64 = (HEADER_ROOM + MESSAGE_LIMIT) as u64;
/// How long open connections get to take their last answer when the agent stops.
const DRAIN: Duration = Duration::from_secs(5);
/// Pause after a failed accept (no descriptors left), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was told to.
    Told,
    /// Nothing has happened for the idle time.
    Idle,
    /// The path leads elsewhere.
    Lost,
}

/// Serves until there is a reason to end, then lets open uses end as refused.
///
/// # Errors
/// When the socket cannot be listened on.
pub async fn serve(
    house: Rc<House>,
    socket: &Socket,
    admits: Admits,
    idle: Option<Duration>,
) -> std::io::Result<End> {
    let listener = UnixListener::from_std(socket.listener()?)?;
    let connections = Connections::new(house.config.limits.connections);
    let turned_away = Connections::new(TURNED_AWAY);
    let mut self_check = interval(SELF_CHECK);
    self_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = loop {
        tokio::select! {
            () = house.stopping() => break End::Told,
            accepted = listener.accept() => match accepted {
                Ok((stream, _address)) => greet(&house, &connections, &turned_away, admits, stream),
                Err(error) => {
                    eprintln!("signet-agent: error: a connection was not accepted: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            _tick = self_check.tick() => {
                // Credentials that have ended are wiped, though nobody asks for them.
                let _kept = house.sessions.count(clock::now());
                if !socket.still_ours() {
                    break End::Lost;
                }
            }
            () = connections.quiet_for(idle) => {
                if house.sessions.count(clock::now()) == 0 {
                    break End::Idle;
                }
                connections.stirred();
            }
        }
    };
    drop(listener);
    house.stop.send_replace(true);
    // What is not done by then is cut with the process; its outcome is in the log.
    let _late = timeout(DRAIN, async {
        house.uses.none().await;
        connections.none().await;
    })
    .await;
    Ok(end)
}

/// Looks at a connection: served, or told why not.
fn greet(
    house: &Rc<House>,
    connections: &Connections,
    turned_away: &Connections,
    admits: Admits,
    stream: UnixStream,
) {
    let peer = match admit(&stream, admits) {
        Ok(Ok(peer)) => peer,
        Ok(Err(stranger)) => {
            note_stranger(house, entry(Phase::Outcome, "", clock::now(), &stranger.who), &stranger.refusal);
            return turn_away(stream, stranger.refusal, turned_away.open(stranger.who.uid));
        }
        Err(error) => return eprintln!("signet-agent: error: a peer is not known: {error}"),
    };
    let Some(connection) = connections.open(peer.uid()) else {
        let busy = Refusal::new(Code::Busy, "too many connections of this user", "signet status");
        return turn_away(stream, busy, turned_away.open(peer.uid()));
    };
    tokio::task::spawn_local(converse(Rc::clone(house), Rc::new(peer), stream, connection));
}

fn note_stranger(house: &House, mut draft: Draft, refusal: &Refusal) {
    if let Ok(id) = house.new_id() {
        draft.id = id;
    }
    house.note_after(ended(draft, Phase::Outcome, &Err(refusal.clone())));
}

/// Says no without looking at what was sent. That is awaited and thrown away all the same: a client
/// cannot take an answer that comes before its request, and loses one whose connection is cut while it
/// still sends.
fn turn_away(mut stream: UnixStream, refusal: Refusal, place: Option<Connection>) {
    // Who has too many of these too is cut off without a word.
    let Some(place) = place else { return };
    tokio::task::spawn_local(async move {
        let last_word = async {
            // Not before the request has begun: a client takes no answer to nothing. One that says
            // nothing is told all the same, a little later.
            let _begun = timeout(TO_BEGIN, stream.read_exact(&mut [0])).await;
            stream.write_all(&reply::unserved(refusal)).await?;
            stream.shutdown().await?;
            tokio::io::copy(&mut stream.take(LONGEST_REQUEST), &mut tokio::io::sink()).await
        };
        // A caller that does not take even this is gone.
        let _gone = timeout(HEADER_TIME, last_word).await;
        drop(place);
    });
}

/// How long a stranger has to begin his request before he is answered unasked.
const TO_BEGIN: Duration = Duration::from_secs(1);

/// One connection, to its end.
async fn converse(house: Rc<House>, peer: Rc<Peer>, stream: UnixStream, _counted: Connection) {
    let service = service_fn(|request| routes::answer(Rc::clone(&house), Rc::clone(&peer), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADER_ROOM)
        .max_headers(HEADER_LINES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let last_words = tokio::select! {
        // What goes wrong with a connection is the caller's affair: hyper has answered what it could.
        _ended = connection.as_mut() => return,
        () = house.stopping() => DRAIN,
        () = sleep(LIFE) => house.config.limits.use_time,
    };
    connection.as_mut().graceful_shutdown();
    let _ended = timeout(last_words, connection).await;
}
