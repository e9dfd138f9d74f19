//! The strict door: a request comes in as it would go on the wire, and goes out checked, canonical
//! and named, or not at all.

use crate::canonical::{Canonical, Parts, PathRule, canonical};
use crate::{Error, Url, action, date, headers, payload, scope, sha256, url};

/// A request to be signed, as it goes on the wire.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Service of the credential scope.
    pub service: &'a str,
    /// Region of the credential scope.
    pub region: &'a str,
    /// HTTP method.
    pub method: &'a str,
    /// Absolute URL.
    pub url: &'a str,
    /// Headers, without `host` and `authorization`.
    pub headers: &'a [(String, String)],
    /// Body; `None` only for S3, where `x-amz-content-sha256` stands for it.
    pub body: Option<&'a [u8]>,
}

/// A request that can be signed. Made by [`prepare`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    headers: Vec<(String, String)>,
    canonical: Canonical,
    canonical_sha256: [u8; 32],
    service: String,
    region: String,
    scope: String,
    amz_date: String,
    host: String,
    action: String,
}

/// Checks a request and gives its one canonical form for this `x-amz-date`.
pub fn prepare(request: &Request<'_>, amz_date: &str) -> Result<Prepared, Error> {
    scope::check(request.service, request.region)?;
    if request.method.is_empty() || !request.method.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(Error::Method);
    }
    let url = Url::parse(request.url)?;
    refuse_presigned(url.query)?;
    let mut headers = headers::checked(request.headers)?;
    date::to_unix(amz_date)?;
    match headers::value(&headers, "x-amz-date") {
        Some(given) if given != amz_date => return Err(Error::DateMismatch),
        Some(_) => {}
        None => headers.push(("x-amz-date".into(), amz_date.into())),
    }
    let payload_sha256 = payload::sha256_of(request, &headers)?;
    let action = action::name(request, &url, &headers)?;

    let s3 = request.service == "s3";
    if s3 && headers::value(&headers, "x-amz-content-sha256").is_none() {
        headers.push(("x-amz-content-sha256".into(), payload_sha256.clone()));
    }
    let host = url.host_header();
    headers.push(("host".into(), host.clone()));
    let signed: Vec<(&str, &str)> = headers
        .iter()
        .filter(|(name, _)| headers::is_signed(name))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let canonical = canonical(&Parts {
        method: request.method,
        path: url.path,
        path_rule: if s3 { PathRule::S3 } else { PathRule::OTHERS },
        query: url.query,
        headers: &signed,
        payload_sha256: &payload_sha256,
    });
    let day = amz_date.get(..8).ok_or(Error::Date)?;
    Ok(Prepared {
        canonical_sha256: sha256(canonical.text.as_bytes()),
        canonical,
        scope: format!("{day}/{}/{}/aws4_request", request.region, request.service),
        service: request.service.to_owned(),
        region: request.region.to_owned(),
        amz_date: amz_date.to_owned(),
        host,
        action,
        headers,
    })
}

/// Parameters named `X-Amz-…` speak to AWS's signature check, not to the operation.
fn refuse_presigned(query: &str) -> Result<(), Error> {
    for pair in query.split('&') {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        let name = url::percent_decode(name).to_ascii_lowercase();
        // The second is SigV2's.
        if name.starts_with(b"x-amz-") || name == b"awsaccesskeyid" {
            return Err(Error::PresignedQuery(String::from_utf8_lossy(&name).into_owned()));
        }
    }
    Ok(())
}

impl Prepared {
    /// Every header to send but `authorization`, names in lower case.
    #[must_use]
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The canonical request.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical.text
    }

    /// SHA-256 of the canonical request: two programs that agree on it agree on everything signed.
    #[must_use]
    pub const fn canonical_sha256(&self) -> &[u8; 32] {
        &self.canonical_sha256
    }

    /// The same as lower-case hex, as the audit log has it.
    #[must_use]
    pub fn canonical_sha256_hex(&self) -> String {
        crate::sign::hex(&self.canonical_sha256)
    }

    /// `host;x-amz-date;…`.
    #[must_use]
    pub fn signed_headers(&self) -> &str {
        &self.canonical.signed_headers
    }

    /// `YYYYMMDD/region/service/aws4_request`.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Service of the scope.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Region of the scope.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// `x-amz-date`.
    #[must_use]
    pub fn amz_date(&self) -> &str {
        &self.amz_date
    }

    /// The `host` header: where the request goes, with its port where it has one.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What the request asks AWS to do: `service:Operation`, or `service:METHOD /path`.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.action
    }
}
