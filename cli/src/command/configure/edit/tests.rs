#![allow(clippy::unwrap_used)]
//! Before and after, byte for byte.

use super::*;
use zeroize::Zeroizing;

const OURS: &str = "/usr/bin/signet credential-process prod --duration 1h";

fn ini(text: &str) -> Ini {
    Ini::new(Zeroizing::new(text.as_bytes().to_vec()))
}

fn text(ini: &Ini) -> String {
    String::from_utf8(ini.bytes().to_vec()).unwrap()
}

fn after_set(before: &str, profile: &str, region: Option<&str>) -> String {
    let mut config = ini(before);
    set(&mut config, profile, OURS, region);
    text(&config)
}

/// Name, before, profile, region, after.
type Golden<'a> = (&'a str, &'a str, &'a str, Option<&'a str>, &'a str);

#[test]
fn golden() {
    let cases: [Golden<'_>; 10] = [
        (
            "no file",
            "",
            "root",
            Some("us-east-1"),
            "[profile root]\ncredential_process = /usr/bin/signet credential-process prod --duration 1h\nregion = us-east-1\n",
        ),
        (
            "the default profile",
            "",
            "default",
            None,
            "[default]\ncredential_process = /usr/bin/signet credential-process prod --duration 1h\n",
        ),
        (
            "a new profile behind others",
            "# mine\n[default]\nregion=eu-west-1   ; home\n\n\n[sso-session s]\nsso_region = x\n",
            "root",
            None,
            "# mine\n[default]\nregion=eu-west-1   ; home\n\n\n[sso-session s]\nsso_region = x\n\n[profile root]\ncredential_process = /usr/bin/signet credential-process prod --duration 1h\n",
        ),
        (
            "a file without a last line end",
            "[default]\noutput = json",
            "root",
            None,
            "[default]\noutput = json\n\n[profile root]\ncredential_process = /usr/bin/signet credential-process prod --duration 1h\n",
        ),
        (
            "a profile in the middle keeps its comments and gaps",
            "[profile root]\noutput=text\n# c\n\ns3 =\n    max = 1\n\n; end\n[profile b]\nx=y\n",
            "root",
            None,
            "[profile root]\noutput=text\n# c\n\ns3 =\n    max = 1\ncredential_process = /usr/bin/signet credential-process prod --duration 1h\n\n; end\n[profile b]\nx=y\n",
        ),
        (
            "our line again is the same line",
            "[profile root]\ncredential_process = /usr/bin/signet credential-process prod --duration 1h\noutput = json\n",
            "root",
            None,
            "[profile root]\ncredential_process = /usr/bin/signet credential-process prod --duration 1h\noutput = json\n",
        ),
        (
            "an older line of ours is replaced where it stands",
            "[profile root]\na = b\ncredential_process=/opt/signet --socket /s credential-process old\nc = d\n",
            "root",
            None,
            "[profile root]\na = b\ncredential_process = /usr/bin/signet credential-process prod --duration 1h\nc = d\n",
        ),
        (
            "a region that is there changes its value only",
            "[profile root]\nregion  =  eu-west-1 \n",
            "root",
            Some("us-gov-west-1"),
            "[profile root]\nregion  =  us-gov-west-1 \ncredential_process = /usr/bin/signet credential-process prod --duration 1h\n",
        ),
        (
            "line ends of windows",
            "[default]\r\noutput = json\r\n",
            "root",
            Some("us-east-1"),
            "[default]\r\noutput = json\r\n\r\n[profile root]\r\ncredential_process = /usr/bin/signet credential-process prod --duration 1h\r\nregion = us-east-1\r\n",
        ),
        (
            "a quoted head",
            "[profile \"root\"]\n[profile b]\n",
            "root",
            None,
            "[profile \"root\"]\ncredential_process = /usr/bin/signet credential-process prod --duration 1h\n[profile b]\n",
        ),
    ];
    for (name, before, profile, region, after) in cases {
        assert_eq!(after_set(before, profile, region), after, "{name}");
    }
}

#[test]
fn what_was_set_is_taken_out_again() {
    for before in [
        "",
        "[default]\nregion=eu-west-1\n",
        "# only a comment\n",
        "[profile root]\noutput = json\nregion = x\n",
        "[profile root]\noutput = json\n\n# c\n[profile b]\nx=y\n",
        "[default]\r\noutput = json\r\n",
        "\u{feff}[default]\nx = y\n\n\n",
    ] {
        for region in [None, Some("us-east-1")] {
            if region.is_some() && before.contains("region = x") {
                continue; // a value that was there is not remembered
            }
            let mut config = ini(&after_set(before, "root", region));
            assert!(unset(&mut config, "root"));
            assert_eq!(text(&config), before, "{before:?} {region:?}");
            assert!(!unset(&mut config, "root"));
        }
    }
}

#[test]
fn taking_out_leaves_the_lines_of_others() {
    let mut config = ini(
        "[profile root]\nregion = x\ncredential_process = /a/signet credential-process p\noutput = y\nregion = z\n",
    );
    assert!(unset(&mut config, "root"));
    assert_eq!(text(&config), "[profile root]\nregion = x\noutput = y\nregion = z\n");
    let mut config = ini("[profile root]\ncredential_process = /usr/bin/other credential-process\n");
    assert!(!unset(&mut config, "root"));
}

#[test]
fn everything_that_would_win_is_named_with_its_line() {
    let config = ini(
        "[profile root]\nregion = x\nrole_arn = a\nSOURCE_PROFILE=b\nsso_session = c\nsso_start_url = d\nlogin_session = e\nweb_identity_token_file = f\ncredential_process = /usr/bin/aws-vault export\n[profile other]\nrole_arn = a\n[profile root]\ncredential_source = Environment\n",
    );
    let credentials =
        ini("[other]\naws_access_key_id = A\n[root]\naws_access_key_id = A\naws_secret_access_key = B\n");
    let (in_config, in_credentials) = conflicts(&config, &credentials, "root");
    let named = |all: &[Conflict]| all.iter().map(|it| (it.line, it.key.clone())).collect::<Vec<_>>();
    let expected = [
        (3, "role_arn"),
        (4, "source_profile"),
        (5, "sso_session"),
        (6, "sso_start_url"),
        (7, "login_session"),
        (8, "web_identity_token_file"),
        (9, "credential_process"),
        (13, "credential_source"),
    ];
    assert_eq!(named(&in_config), expected.map(|(line, key)| (line, key.to_owned())));
    let expected = [(4, "aws_access_key_id"), (5, "aws_secret_access_key")];
    assert_eq!(named(&in_credentials), expected.map(|(line, key)| (line, key.to_owned())));
}

#[test]
fn our_own_line_is_not_in_the_way() {
    let config =
        ini("[profile root]\ncredential_process = /usr/bin/signet --socket /s credential-process prod\n");
    let (in_config, in_credentials) = conflicts(&config, &ini(""), "root");
    assert!(in_config.is_empty() && in_credentials.is_empty());
    for value in [
        "",
        "signet",
        "/usr/bin/signet exec prod",
        "/usr/bin/notsignet credential-process",
        "/bin/sh -c signet",
    ] {
        assert!(!is_ours(value.as_bytes()), "{value}");
    }
}

#[test]
fn commenting_out_keeps_every_other_byte() {
    let before = "[profile root]\r\nrole_arn = a\r\n  more\r\nregion = x\r\nsource_profile = b";
    let mut config = ini(before);
    let (in_config, _) = conflicts(&config, &ini(""), "root");
    comment_out(&mut config, &in_config);
    let after = "[profile root]\r\n# role_arn = a\r\n#   more\r\nregion = x\r\n# source_profile = b";
    assert_eq!(text(&config), after);
    assert_eq!(conflicts(&config, &ini(""), "root").0, vec![]);
}
