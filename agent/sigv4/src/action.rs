//! What a request asks AWS to do.

use crate::{Error, Request, Url};

/// The action of a request.
pub(crate) fn name(
    request: &Request<'_>,
    url: &Url<'_>,
    _headers: &[(String, String)],
) -> Result<String, Error> {
    Ok(format!("{}:{} {}", request.service, request.method, url.path))
}
