//! The two requests that Signet itself makes of STS (API version 2011-06-15).

use super::{Outgoing, Times, call_timed, endpoint};
use crate::context::Context;
use signet_protocol::Refusal;
use signet_protocol::api::SessionCredentials;

/// Who AWS says a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// `arn:aws:iam::123456789012:root`.
    pub(crate) arn: String,
    /// 12 digits.
    pub(crate) account: String,
}

/// Asks AWS who a key is: one use. Tells how long each part of it took.
pub(crate) async fn caller_identity(
    cx: &Context,
    key: &str,
    region: &str,
    reason: Option<String>,
) -> Result<(Identity, Times), Refusal> {
    let (answer, times) = call_timed(cx, key, &identity_request(region), reason, None).await?;
    Ok((Identity { arn: answer.element("Arn")?, account: answer.element("Account")? }, times))
}

/// The request that asks it.
pub(crate) fn identity_request(region: &str) -> Outgoing {
    let form = "Action=GetCallerIdentity&Version=2011-06-15".to_owned();
    Outgoing::form("sts", region, &endpoint::sts(region, endpoint::overridden("sts")), form)
}

/// What GetSessionToken is asked for.
#[derive(Debug)]
pub(crate) struct SessionToken<'a> {
    /// Region of the scope.
    pub(crate) region: &'a str,
    /// URL of STS.
    pub(crate) url: &'a str,
    /// Seconds.
    pub(crate) duration: u32,
    /// AWS MFA device and its code.
    pub(crate) mfa: Option<(&'a str, &'a str)>,
}

impl SessionToken<'_> {
    /// The request.
    pub(crate) fn outgoing(&self) -> Outgoing {
        let mut form = format!("Action=GetSessionToken&Version=2011-06-15&DurationSeconds={}", self.duration);
        if let Some((serial, code)) = self.mfa {
            form += &format!("&SerialNumber={}&TokenCode={}", form_encoded(serial), form_encoded(code));
        }
        Outgoing::form("sts", self.region, self.url, form)
    }
}

/// The credentials in an answer of GetSessionToken.
pub(crate) fn credentials(answer: &super::AwsAnswer) -> Result<SessionCredentials, Refusal> {
    Ok(SessionCredentials {
        access_key_id: answer.element("AccessKeyId")?,
        secret_access_key: answer.element("SecretAccessKey")?,
        session_token: answer.element("SessionToken")?,
        expiration: answer.element("Expiration")?,
        account_id: None,
    })
}

/// A value of a form: everything but unreserved characters is percent-encoded (RFC 3986, 2.3).
pub(crate) fn form_encoded(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_mfa_code_is_part_of_the_request() {
        let token = SessionToken {
            region: "us-east-1",
            url: "https://sts.us-east-1.amazonaws.com/",
            duration: 900,
            mfa: Some(("arn:aws:iam::1:mfa/a b", "123456")),
        };
        let body = String::from_utf8(token.outgoing().body).unwrap();
        assert_eq!(
            body,
            "Action=GetSessionToken&Version=2011-06-15&DurationSeconds=900&SerialNumber=arn%3Aaws%3Aiam%3A%3A1%3Amfa%2Fa%20b&TokenCode=123456"
        );
    }
}
