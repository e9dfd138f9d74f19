//! Whether a host is AWS's own, for exactly this service and region.
//!
//! The list is closed: the forms that AWS's SDKs compute for a service and region, the global names
//! of STS, IAM and S3, the old names of SQS. A form that is missing here (S3 acceleration, access
//! points, directory buckets, other partitions) is refused. Says nothing of who answers there:
//! that is TLS's part.

use crate::{Error, Request, Scheme, Url};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Separate worlds of accounts, hosts and regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partition {
    /// `aws`: commercial regions.
    Aws,
    /// `aws-us-gov`: GovCloud.
    AwsUsGov,
}

impl Partition {
    /// Where the global names of a service are signed for.
    const fn global_region(self) -> &'static str {
        match self {
            Self::Aws => "us-east-1",
            Self::AwsUsGov => "us-gov-west-1",
        }
    }

    /// A region's name is area, words, number (`ap-southeast-2`); the areas and the words in
    /// between tell the partitions apart.
    fn has(self, region: &str) -> bool {
        const AREAS: [&str; 9] = ["af", "ap", "ca", "eu", "il", "me", "mx", "sa", "us"];
        let words: Vec<&str> = region.split('-').collect();
        let letters = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
        let digits = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        match (self, words.as_slice()) {
            (Self::Aws, [area, place, number]) => AREAS.contains(area) && letters(place) && digits(number),
            (Self::AwsUsGov, ["us", "gov", place, number]) => letters(place) && digits(number),
            (Self::Aws | Self::AwsUsGov, _) => false,
        }
    }
}

/// Refuses a request whose URL does not go to AWS's endpoint for its service and region.
///
/// `extra_hosts` are loopback endpoints (`127.0.0.1:4566`), written as the `host` header has them.
/// Plain http goes to them and nowhere else; https goes to AWS and nowhere else.
pub fn check(request: &Request<'_>, partition: Partition, extra_hosts: &[String]) -> Result<(), Error> {
    crate::scope::check(request.service, request.region)?;
    let url = Url::parse(request.url)?;
    let refused = |why| Err(Error::Host { host: url.host_header(), why });
    match url.scheme {
        Scheme::Http if !extra_hosts.contains(&url.host_header()) => {
            refused("may not be reached by plain http: it is not in extra_hosts")
        }
        Scheme::Http if !is_loopback(&url.host) => refused("is in extra_hosts but is not loopback"),
        Scheme::Http => Ok(()),
        Scheme::Https if !partition.has(request.region) => {
            refused("does not match: the region is not one of the key's partition")
        }
        Scheme::Https if url.port.is_some() => refused("is not an endpoint of aws: it names a port"),
        Scheme::Https if is_aws(&url.host, request.service, request.region, partition) => Ok(()),
        Scheme::Https => refused("is not the endpoint of aws for this service and region"),
    }
}

/// Whether a host (without port) is this machine and no other.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    // RFC 6761, 6.3: the name `localhost` is never looked up elsewhere.
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || v6.and_then(|text| text.parse::<Ipv6Addr>().ok()).is_some_and(|address| address.is_loopback())
}

fn is_aws(host: &str, service: &str, region: &str, partition: Partition) -> bool {
    let global = region == partition.global_region();
    match (service, partition) {
        ("iam", Partition::Aws) => {
            const NAMES: [&str; 4] = [
                "iam.amazonaws.com",
                "iam-fips.amazonaws.com",
                "iam.global.api.aws",
                "iam-fips.global.api.aws",
            ];
            global && NAMES.contains(&host)
        }
        ("iam", Partition::AwsUsGov) => {
            global && ["iam.us-gov.amazonaws.com", "iam.us-gov.api.aws"].contains(&host)
        }
        ("s3", Partition::Aws | Partition::AwsUsGov) => {
            let host = s3_split(host, region).map(|(_, host)| host);
            // The global name is not one of GovCloud's.
            host.is_some_and(|host| host != S3_GLOBAL || (global && partition == Partition::Aws))
        }
        ("sts", Partition::Aws) if host == "sts.amazonaws.com" => global,
        ("sqs", Partition::Aws) if host == "queue.amazonaws.com" => global,
        ("sqs", Partition::Aws | Partition::AwsUsGov) if host == format!("{region}.queue.amazonaws.com") => {
            true
        }
        (_, Partition::Aws | Partition::AwsUsGov) => regional(host, service, region),
    }
}

fn regional(host: &str, service: &str, region: &str) -> bool {
    let rest = host.strip_prefix(service).map(|rest| rest.strip_prefix("-fips").unwrap_or(rest));
    let rest = rest.and_then(|rest| rest.strip_prefix('.')).and_then(|rest| rest.strip_prefix(region));
    matches!(rest, Some(".amazonaws.com" | ".api.aws"))
}

const S3_GLOBAL: &str = "s3.amazonaws.com";

/// Bucket, if the host names one, and what is left: one of S3's names for this region.
fn s3_split<'a>(host: &'a str, region: &str) -> Option<(Option<&'a str>, &'a str)> {
    let names = ["s3", "s3-fips", "s3.dualstack", "s3-fips.dualstack"]
        .map(|name| format!("{name}.{region}.amazonaws.com"));
    names.iter().map(String::as_str).chain([S3_GLOBAL]).find_map(|name| {
        let before = host.len().checked_sub(name.len())?;
        let (bucket, rest) = host.split_at_checked(before)?;
        match bucket.strip_suffix('.') {
            _ if rest != name => None,
            None if bucket.is_empty() => Some((None, rest)),
            Some(bucket) if is_dns_bucket(bucket) => Some((Some(bucket), rest)),
            Some(_) | None => None,
        }
    })
}

/// The bucket that the host names, if it names one. A host of AWS's that is not one of S3's names
/// is an error: nobody could say which bucket is meant.
pub(crate) fn s3_bucket<'a>(host: &'a str, region: &str) -> Result<Option<&'a str>, Error> {
    match s3_split(host, region) {
        Some((bucket, _)) => Ok(bucket),
        None if [".amazonaws.com", ".api.aws", ".amazonaws.com.cn"].iter().any(|end| host.ends_with(end)) => {
            Err(Error::Host { host: host.to_owned(), why: "is not the endpoint of s3 for this region" })
        }
        None => Ok(None),
    }
}

/// The names that may stand in a host: today's rules for buckets.
fn is_dns_bucket(name: &str) -> bool {
    // The parser of the URL has looked at the labels already.
    (3..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
}
