//! Which hosts a request may go to.

use signet_sigv4::Request;
use signet_sigv4::endpoint::{Partition, check, is_loopback};

fn allowed(url: &str, service: &str, region: &str, partition: Partition) -> bool {
    let request = Request { service, region, method: "GET", url, headers: &[], body: Some(b"") };
    let extra =
        ["127.0.0.1:4566", "[::1]:4566", "localhost:4566", "localhost", "10.0.0.1:4566"].map(str::to_owned);
    check(&request, partition, &extra).is_ok()
}

#[test]
fn hosts_of_aws() {
    use Partition::{Aws, AwsUsGov};
    for (host, service, region, partition) in [
        ("sts.us-east-1.amazonaws.com", "sts", "us-east-1", Aws),
        ("sts.eu-central-2.amazonaws.com", "sts", "eu-central-2", Aws),
        ("STS.us-east-1.AmazonAWS.com", "sts", "us-east-1", Aws),
        ("sts.us-east-1.amazonaws.com:443", "sts", "us-east-1", Aws),
        ("sts-fips.us-east-1.amazonaws.com", "sts", "us-east-1", Aws),
        ("sts.us-east-1.api.aws", "sts", "us-east-1", Aws),
        ("sts.amazonaws.com", "sts", "us-east-1", Aws),
        ("sts.us-gov-west-1.amazonaws.com", "sts", "us-gov-west-1", AwsUsGov),
        ("iam.amazonaws.com", "iam", "us-east-1", Aws),
        ("iam-fips.amazonaws.com", "iam", "us-east-1", Aws),
        ("iam.global.api.aws", "iam", "us-east-1", Aws),
        ("iam.us-gov.amazonaws.com", "iam", "us-gov-west-1", AwsUsGov),
        ("s3.amazonaws.com", "s3", "us-east-1", Aws),
        ("bucket.s3.amazonaws.com", "s3", "us-east-1", Aws),
        ("s3.us-west-2.amazonaws.com", "s3", "us-west-2", Aws),
        ("bucket.s3.us-west-2.amazonaws.com", "s3", "us-west-2", Aws),
        ("my.bucket.s3.us-west-2.amazonaws.com", "s3", "us-west-2", Aws),
        ("s3.dualstack.us-west-2.amazonaws.com", "s3", "us-west-2", Aws),
        ("bucket.s3.dualstack.us-west-2.amazonaws.com", "s3", "us-west-2", Aws),
        ("bucket.s3-fips.dualstack.us-west-2.amazonaws.com", "s3", "us-west-2", Aws),
        ("bucket.s3-fips.us-gov-east-1.amazonaws.com", "s3", "us-gov-east-1", AwsUsGov),
        ("sqs.us-west-2.amazonaws.com", "sqs", "us-west-2", Aws),
        ("us-west-2.queue.amazonaws.com", "sqs", "us-west-2", Aws),
        ("queue.amazonaws.com", "sqs", "us-east-1", Aws),
        ("organizations.us-east-1.amazonaws.com", "organizations", "us-east-1", Aws),
    ] {
        assert!(
            allowed(&format!("https://{host}/"), service, region, partition),
            "{host} {service} {region}"
        );
        assert!(!allowed(&format!("http://{host}/"), service, region, partition), "http://{host}");
        assert!(!allowed(&format!("https://x-{host}/"), "kms", region, partition), "kms at x-{host}");
        assert!(
            !allowed(&format!("https://{host}.evil.example/"), service, region, partition),
            "{host}.evil.example"
        );
        let other = if partition == Aws { AwsUsGov } else { Aws };
        assert!(
            !allowed(&format!("https://{host}/"), service, region, other),
            "{host} in the other partition"
        );
    }
}

#[test]
fn other_hosts() {
    for (host, service, region) in [
        ("evil.example", "sts", "us-east-1"),
        ("evil-sts.us-east-1.amazonaws.com", "sts", "us-east-1"),
        ("evil.sts.us-east-1.amazonaws.com", "sts", "us-east-1"),
        ("sts.us-east-1.amazonaws.com:8443", "sts", "us-east-1"),
        ("sts.us-east-1.amazonaws.com.cn", "sts", "us-east-1"),
        ("sts.cn-north-1.amazonaws.com.cn", "sts", "cn-north-1"),
        ("sts.cn-north-1.amazonaws.com", "sts", "cn-north-1"),
        ("sts.us-iso-east-1.amazonaws.com", "sts", "us-iso-east-1"),
        ("sts.us-gov-west-1.amazonaws.com", "sts", "us-gov-west-1"),
        ("sts.compute-1.amazonaws.com", "sts", "compute-1"),
        ("sts.amazonaws.com", "sts", "eu-west-1"),
        ("sts.us-west-2.amazonaws.com", "sts", "us-east-1"),
        ("iam.amazonaws.com", "sts", "us-east-1"),
        ("sts.us-east-1.amazonaws.com", "iam", "us-east-1"),
        ("iam.amazonaws.com", "iam", "eu-west-1"),
        ("iam.us-east-1.amazonaws.com", "iam", "us-east-1"),
        ("s3.amazonaws.com", "s3", "eu-west-1"),
        ("bucket.s3.amazonaws.com", "s3", "eu-west-1"),
        ("s3.us-west-2.amazonaws.com", "s3", "us-east-1"),
        ("bucket.s3-accelerate.amazonaws.com", "s3", "us-east-1"),
        ("point-123456789012.s3-accesspoint.us-east-1.amazonaws.com", "s3", "us-east-1"),
        ("s3-website.us-east-1.amazonaws.com", "s3", "us-east-1"),
        ("a.s3.us-east-1.amazonaws.com", "s3", "us-east-1"),
        ("bucket.s3.us-east-1.amazonaws.com.evil.example", "s3", "us-east-1"),
        ("buckets3.us-east-1.amazonaws.com", "s3", "us-east-1"),
        ("us-east-1.queue.amazonaws.com", "sqs", "us-west-2"),
        ("evil.us-west-2.queue.amazonaws.com", "sqs", "us-west-2"),
        ("127.0.0.1", "sts", "us-east-1"),
        ("localhost:4566", "sts", "us-east-1"),
    ] {
        assert!(
            !allowed(&format!("https://{host}/"), service, region, Partition::Aws),
            "{host} {service} {region}"
        );
    }
}

#[test]
fn plain_http_goes_to_the_exact_loopback_entry() {
    let http = |host: &str| allowed(&format!("http://{host}/path?query"), "sts", "us-east-1", Partition::Aws);
    for host in
        ["127.0.0.1:4566", "[::1]:4566", "localhost:4566", "LOCALHOST:4566", "localhost", "localhost:80"]
    {
        assert!(http(host), "{host}");
    }
    for host in [
        "127.0.0.1",
        "127.0.0.1:4567",
        "127.0.0.2:4566",
        "localhost:8080",
        "x.localhost:4566",
        "10.0.0.1:4566",
    ] {
        assert!(!http(host), "{host}");
    }
    for (host, loopback) in [
        ("127.9.9.9", true),
        ("[::1]", true),
        ("localhost", true),
        ("::1", false),
        ("127.1", false),
        ("[::2]", false),
    ] {
        assert_eq!(is_loopback(host), loopback, "{host}");
    }
}
