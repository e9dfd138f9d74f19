//! The one canonical form of the request that is to be signed.
//!
//! Promises: what is refused here would not be what the person sees, or not AWS's to take: other
//! hosts, other dates, anything that has two readings. Must not know: policy, keys, tokens.

#![forbid(unsafe_code)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signet_protocol::api::SignRequest;
use signet_protocol::record::Partition;
use signet_protocol::{Code, DATE_WINDOW_SECONDS, Refusal};
use signet_sigv4::{Prepared, Request, date, endpoint, given_date, prepare};
use time::OffsetDateTime;

/// The one canonical form of a request, for AWS's own host, dated now.
pub(super) fn canonical(
    sign: &SignRequest,
    partition: Partition,
    extra_hosts: &[String],
    now: OffsetDateTime,
) -> Result<Prepared, Refusal> {
    let body = sign.body.as_deref().map(|body| STANDARD.decode(body)).transpose();
    let body = body.map_err(|_| Refusal::bare(Code::BadRequest, "the body is not base64"))?;
    let request = Request {
        service: &sign.service,
        region: &sign.region,
        method: &sign.method,
        url: &sign.url,
        headers: &sign.headers,
        body: body.as_deref(),
    };
    let given = given_date(&sign.headers).map_err(|error| unfit(&error))?;
    endpoint::check(&request, world(partition), extra_hosts).map_err(|error| unfit(&error))?;
    let now = now.unix_timestamp();
    let amz_date = match given {
        None => date::from_unix(now).map_err(|error| unfit(&error))?,
        Some(given) => {
            let seconds = date::to_unix(given).map_err(|error| unfit(&error))?;
            if seconds.abs_diff(now) > DATE_WINDOW_SECONDS.unsigned_abs() {
                let message = "x-amz-date is more than 60 seconds from now: leave it out, or check the clock";
                return Err(Refusal::new(Code::BadRequest, message, "timedatectl"));
            }
            given.to_owned()
        }
    };
    prepare(&request, &amz_date).map_err(|error| unfit(&error))
}

const fn world(partition: Partition) -> endpoint::Partition {
    match partition {
        Partition::Aws => endpoint::Partition::Aws,
        Partition::AwsUsGov => endpoint::Partition::AwsUsGov,
    }
}

fn unfit(error: &signet_sigv4::Error) -> Refusal {
    use signet_sigv4::Error;
    let hint = match error {
        Error::Host { .. } | Error::Url(_) | Error::Scope(_) => {
            "signet sign NAME --service SERVICE --region REGION"
        }
        Error::UnsignedPayload | Error::StreamingPayload | Error::PayloadHash | Error::BodyMissing => {
            "signet request NAME URL -d @FILE"
        }
        Error::Date | Error::DateMismatch => "timedatectl",
        Error::Method
        | Error::Header { .. }
        | Error::DuplicateHeader(_)
        | Error::ReservedHeader(_)
        | Error::PresignedQuery(_)
        | Error::Length
        | Error::Action(_) => "signet sign --help",
    };
    Refusal::new(Code::BadRequest, error.to_string(), hint)
}
