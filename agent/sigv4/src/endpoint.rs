//! Whether a host is AWS's, for this service and region.

use crate::{Error, Request};

/// Refuses a request whose URL does not go to AWS's endpoint for its service and region.
///
/// `partition` is `aws` or `aws-us-gov`. `extra_hosts` are loopback endpoints (`127.0.0.1:4566`)
/// to which plain http may go; nothing else may.
pub fn check(request: &Request<'_>, partition: &str, extra_hosts: &[String]) -> Result<(), Error> {
    let _ = (request, partition, extra_hosts);
    Err(Error::Scope("endpoint check under construction"))
}
