//! `signet policy explain`: what policy says of a request, without any use.

use super::super::sign;
use crate::args::Format;
use crate::context::Context;
use crate::courier::{Outgoing, endpoint};
use crate::message::Message;
use crate::output;
use signet_protocol::api::{Explained, UseAct, UseRequest};
use signet_protocol::{Code, Refusal, VERSION};
use signet_sigv4::Url;

/// Reads the message on standard input and asks the agent.
pub(super) fn run(
    cx: &Context,
    key: &str,
    service: Option<&str>,
    region: Option<&str>,
) -> Result<(), Refusal> {
    let message = Message::parse(&sign::read()?)?;
    let url = message.url()?;
    let url = Url::parse(&url).map_err(|error| Refusal::bare(Code::BadRequest, error.to_string()))?;
    let (inferred_service, inferred_region) = endpoint::inferred(&url.host);
    let chosen = |flag: Option<&str>, inferred: Option<String>, what: &str| {
        flag.map(str::to_owned).or(inferred).ok_or_else(|| {
            Refusal::new(
                Code::Usage,
                format!("{} does not tell the {what}", url.host),
                format!("signet policy explain {key} --service sts --region us-east-1"),
            )
        })
    };
    let service = chosen(service, inferred_service, "service")?;
    let region = chosen(region, inferred_region.or_else(endpoint::region_from_env), "region")?;
    let explained = ask(cx, key, &message.outgoing(&service, &region)?)?;
    match cx.format() {
        Format::Json => output::json(&explained),
        Format::Text | Format::Csv => {
            let verdict = if explained.allowed { "allowed" } else { "denied" };
            output::line(&format!("{}: {verdict} by {}", explained.action, explained.rule))?;
            if explained.allowed {
                output::line(&format!("needs: {}", explained.obligations.join(", ")))?;
            }
            Ok(())
        }
    }
}

/// What policy says of a request.
pub(in crate::command) fn ask(cx: &Context, key: &str, outgoing: &Outgoing) -> Result<Explained, Refusal> {
    let request = UseRequest {
        version: VERSION,
        key: key.to_owned(),
        act: UseAct::Sign(outgoing.sign_request()),
        reason: None,
        may_ask: false,
        lease: None,
    };
    cx.post("/v1/policy/explain", &request)
}
