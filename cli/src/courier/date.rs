//! What time it is at an endpoint: a request without a signature, whose answer is looked at for its
//! `Date` only (RFC 9110, 6.6.1).

use super::{exchange, failed, late, may_travel, tls, unreachable};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use signet_protocol::Refusal;
use signet_sigv4::Scheme;
use std::time::Duration;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long it may take in all.
const PATIENCE: Duration = Duration::from_secs(4);

/// IMF-fixdate (RFC 9110, 5.6.7), the only form that is sent today.
const FORM: StaticFormatDescription =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// The time there.
pub(crate) async fn of(url: &str) -> Result<OffsetDateTime, Refusal> {
    let url = may_travel(url)?;
    let host = url.host_header();
    timeout(PATIENCE, ask(&url, &host)).await.map_err(|_| late(&host))?
}

async fn ask(url: &signet_sigv4::Url<'_>, host: &str) -> Result<OffsetDateTime, Refusal> {
    let name = url.host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port.unwrap_or(match url.scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    });
    let stream = TcpStream::connect((name, port)).await.map_err(|error| unreachable(host, &error))?;
    let request = http::Request::get(url.path)
        .header(http::header::HOST, host)
        .body(Full::new(Bytes::new()))
        .map_err(|error| failed(host, &error.to_string()))?;
    let answer = match url.scheme {
        Scheme::Http => exchange(TokioIo::new(stream), request, host).await,
        Scheme::Https => exchange(TokioIo::new(tls::connect(name, stream).await?), request, host).await,
    }?;
    let told = answer.headers.get(http::header::DATE).and_then(|date| date.to_str().ok());
    told.and_then(read).ok_or_else(|| failed(host, "the answer has no date"))
}

fn read(date: &str) -> Option<OffsetDateTime> {
    PrimitiveDateTime::parse(date, FORM).ok().map(PrimitiveDateTime::assume_utc)
}

#[cfg(test)]
mod tests {
    use super::read;
    use time::macros::datetime;

    #[test]
    fn dates_are_read_in_the_form_that_is_sent() {
        assert_eq!(read("Sun, 22 Nov 2026 17:03:41 GMT"), Some(datetime!(2026-11-22 17:03:41 UTC)));
        for bad in
            ["", "2026-11-22T17:03:41Z", "Sunday, 22-Nov-26 17:03:41 GMT", "Sun, 22 Nov 2026 17:03:41 CET"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
