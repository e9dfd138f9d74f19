//! Where a service is, and what a host says of its service and region. Pure but for [`overridden`].
//!
//! The agent decides whether a host is AWS's (`signet_sigv4::endpoint`); here is only what to try.

use std::env;

/// The endpoint that the environment names for a service, as the SDKs read it.
pub(crate) fn overridden(service: &str) -> Option<String> {
    let specific = format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase());
    [specific.as_str(), "AWS_ENDPOINT_URL"]
        .iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
}

/// The URL of STS in a region, with the `/` that its requests go to.
pub(crate) fn sts(region: &str, overridden: Option<String>) -> String {
    match overridden {
        Some(url) => format!("{}/", url.trim_end_matches('/')),
        None => format!("https://sts.{region}.amazonaws.com/"),
    }
}

/// The region that the environment names, as the SDKs read it.
pub(crate) fn region_from_env() -> Option<String> {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
}

/// Service and region, as far as a host tells them.
pub(crate) fn inferred(host: &str) -> (Option<String>, Option<String>) {
    let host = host.to_ascii_lowercase();
    let name = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".api.aws"));
    let Some(name) = name else { return (None, None) };
    let labels: Vec<&str> = name.split('.').collect();
    let (service, region) = match labels.as_slice() {
        ["iam" | "iam-fips"] | ["iam" | "iam-fips", "global"] => ("iam", Some("us-east-1")),
        ["iam", "us-gov"] => ("iam", Some("us-gov-west-1")),
        ["sts"] => ("sts", Some("us-east-1")),
        ["queue"] => ("sqs", Some("us-east-1")),
        [region, "queue"] => ("sqs", Some(*region)),
        [.., "s3" | "s3-fips", "dualstack", region] | [.., "s3" | "s3-fips", region] => ("s3", Some(*region)),
        [.., "s3"] => ("s3", Some("us-east-1")),
        [service, region] => (service.strip_suffix("-fips").unwrap_or(service), Some(*region)),
        [service] => (*service, None),
        _ => return (None, None),
    };
    (Some(service.to_owned()), region.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_tell_service_and_region() {
        for (host, service, region) in [
            ("sts.us-east-1.amazonaws.com", "sts", "us-east-1"),
            ("STS.amazonaws.com", "sts", "us-east-1"),
            ("sts.us-gov-west-1.amazonaws.com", "sts", "us-gov-west-1"),
            ("iam.amazonaws.com", "iam", "us-east-1"),
            ("iam.us-gov.amazonaws.com", "iam", "us-gov-west-1"),
            ("s3.amazonaws.com", "s3", "us-east-1"),
            ("s3.eu-west-1.amazonaws.com", "s3", "eu-west-1"),
            ("my.bucket.s3.eu-west-1.amazonaws.com", "s3", "eu-west-1"),
            ("bucket.s3.dualstack.eu-west-1.amazonaws.com", "s3", "eu-west-1"),
            ("bucket.s3.amazonaws.com", "s3", "us-east-1"),
            ("sqs.eu-central-1.amazonaws.com", "sqs", "eu-central-1"),
            ("eu-central-1.queue.amazonaws.com", "sqs", "eu-central-1"),
            ("ec2-fips.us-east-2.amazonaws.com", "ec2", "us-east-2"),
            ("lambda.us-east-2.api.aws", "lambda", "us-east-2"),
        ] {
            assert_eq!(inferred(host), (Some(service.to_owned()), Some(region.to_owned())), "{host}");
        }
    }

    #[test]
    fn a_foreign_host_tells_nothing() {
        for host in [
            "127.0.0.1",
            "localhost",
            "sts.us-east-1.amazonaws.com.example.com",
            "amazonaws.com",
            "a.b.c.d.amazonaws.com",
        ] {
            assert_eq!(inferred(host), (None, None), "{host}");
        }
    }

    #[test]
    fn sts_is_regional_unless_the_environment_says_otherwise() {
        assert_eq!(sts("eu-west-1", None), "https://sts.eu-west-1.amazonaws.com/");
        assert_eq!(sts("eu-west-1", Some("http://127.0.0.1:4566".to_owned())), "http://127.0.0.1:4566/");
        assert_eq!(sts("eu-west-1", Some("http://127.0.0.1:4566/".to_owned())), "http://127.0.0.1:4566/");
    }
}
