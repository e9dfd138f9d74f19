//! `signet request`: one signed request to AWS, in the manner of curl. The answer's body goes to
//! standard output as it is; an answer of 300 and above is an error.

use super::Done;
use crate::args::Request;
use crate::context::Context;
use crate::courier::{self, Outgoing, endpoint, sts};
use crate::message;
use crate::output;
use crate::prompt::Question;
use signet_protocol::{Code, PromptKind, Refusal};
use signet_sigv4::Url;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::process::ExitCode;

/// Does the command.
pub(crate) fn run(cx: &Context, args: &Request) -> Done {
    let mut outgoing = outgoing(args)?;
    let answer = cx.block_on(async {
        if let Some(serial) = &args.mfa_serial {
            with_mfa(cx, &mut outgoing, serial).await?;
        }
        courier::call(cx, &args.name, &outgoing, args.reason.clone(), None).await
    })?;
    output::bytes_out(&answer.body)?;
    // a prompt belongs on a line of its own; a pipe gets the body and nothing else
    if std::io::stdout().is_terminal() && answer.body.last().is_some_and(|last| *last != b'\n') {
        output::bytes_out(b"\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn outgoing(args: &Request) -> Result<Outgoing, Refusal> {
    let url = Url::parse(&args.url).map_err(|error| usage(error.to_string()))?;
    let (service, region) = endpoint::inferred(&url.host);
    let unknown = |what: &str| {
        Refusal::new(
            Code::Usage,
            format!("{} does not tell the {what}", url.host),
            format!("signet request {} {} --service sts --region us-east-1", args.name, args.url),
        )
    };
    let region = args.region.clone().or(region).or_else(endpoint::region_from_env);
    let mut headers = args.header.iter().map(|text| header(text)).collect::<Result<Vec<_>, _>>()?;
    let body = body(&args.data)?;
    let has_kind = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if body.is_some() && !has_kind {
        headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    }
    let method =
        args.method.clone().unwrap_or_else(|| if body.is_some() { "POST" } else { "GET" }.to_owned());
    Ok(Outgoing {
        service: args.service.clone().or(service).ok_or_else(|| unknown("service"))?,
        region: region.ok_or_else(|| unknown("region"))?,
        method,
        url: args.url.clone(),
        headers,
        body: body.unwrap_or_default(),
    })
}

/// Asks for the code of the AWS MFA device and puts it where the service looks for it.
async fn with_mfa(cx: &Context, outgoing: &mut Outgoing, serial: &str) -> Result<(), Refusal> {
    if !matches!(outgoing.service.as_str(), "s3" | "sts") {
        return Err(usage(format!("{} takes no code of an mfa device", outgoing.service)));
    }
    let question = Question::new(PromptKind::AwsMfa, &format!("code of aws mfa device {serial}"));
    let code = cx.prompts().ask(&question).await?;
    let code = mfa_code(&code)?;
    if outgoing.service == "s3" {
        // S3, "Configuring MFA delete": the serial, a space, the code
        outgoing.headers.push(("x-amz-mfa".to_owned(), format!("{serial} {code}")));
    } else {
        let more = format!("SerialNumber={}&TokenCode={code}", sts::form_encoded(serial));
        if !outgoing.body.is_empty() {
            outgoing.body.push(b'&');
        }
        outgoing.body.extend_from_slice(more.as_bytes());
    }
    Ok(())
}

/// Six digits.
pub(crate) fn mfa_code(answer: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(answer)
        .ok()
        .filter(|code| code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()))
        .ok_or_else(|| {
            Refusal::new(
                Code::BadRequest,
                "the code of an aws mfa device has six digits",
                "signet exec --help",
            )
        })
}

fn header(text: &str) -> Result<(String, String), Refusal> {
    let (name, value) = text.split_once(':').ok_or_else(|| usage(format!("header {text:?} has no colon")))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// The pieces of `-d`, joined as curl joins them.
fn body(data: &[String]) -> Result<Option<Vec<u8>>, Refusal> {
    if data.is_empty() {
        return Ok(None);
    }
    let pieces = data.iter().map(|piece| match piece.strip_prefix('@') {
        None => Ok(piece.clone().into_bytes()),
        Some("-") => super::sign::read(),
        Some(path) => read_file(path),
    });
    Ok(Some(pieces.collect::<Result<Vec<_>, _>>()?.join(&b'&')))
}

fn read_file(path: &str) -> Result<Vec<u8>, Refusal> {
    let failed = |error: std::io::Error| usage(format!("{path}: {error}"));
    let mut bytes = Vec::new();
    let limit = u64::try_from(message::LIMIT).unwrap_or(u64::MAX);
    File::open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > message::LIMIT {
        return Err(usage(format!("{path} is too large")));
    }
    Ok(bytes)
}

fn usage(message: String) -> Refusal {
    Refusal::new(Code::Usage, message, "signet request --help")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_code_that_is_not_six_digits_is_refused() {
        for code in ["", "12345", "1234567", "12345a", "١٢٣"] {
            assert_eq!(mfa_code(code.as_bytes()).unwrap_err().code, Code::BadRequest, "{code}");
        }
        assert_eq!(mfa_code(b"012345").unwrap(), "012345");
    }

    #[test]
    fn data_is_joined_as_curl_joins_it() {
        assert_eq!(body(&[]).unwrap(), None);
        assert_eq!(body(&["a=1".into(), "b=2".into()]).unwrap().unwrap(), b"a=1&b=2");
        assert_eq!(body(&["@/nonexistent/file".into()]).unwrap_err().code, Code::Usage);
    }
}
