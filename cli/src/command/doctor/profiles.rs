//! The variables and profiles of the AWS tools that would be used instead of a profile of ours.

use super::Finding;
use super::machine::word;
use crate::command::configure::{conflicts, is_ours};
use crate::ini::Ini;
use crate::ini::files::Files;

/// Variables that win over every profile.
const WINNING: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

/// Looks at the environment and both files.
pub(super) fn look(files: &Files, config: &Ini, credentials: &Ini) -> Vec<Finding> {
    let mut findings = variables(|name| std::env::var_os(name).is_some());
    findings.extend(ours(files, config, credentials));
    if findings.is_empty() {
        findings.push(Finding::ok("profiles", "nothing wins over a profile of ours"));
    }
    findings
}

fn variables(is_set: impl Fn(&str) -> bool) -> Vec<Finding> {
    // a shell of `signet exec` has its session credentials there on purpose
    if is_set("SIGNET_KEY") && is_set("AWS_SESSION_TOKEN") {
        return vec![Finding::ok("profiles", "session credentials of signet exec are set here")];
    }
    let set = WINNING.into_iter().filter(|name| is_set(name));
    set.map(|name| {
        let what = format!("{name} is set here, and wins over every profile");
        let why =
            "the tools sign with what stands in it, without a touch, and every program here can read it";
        Finding::wrong("profiles", what, why, format!("unset {name}"))
    })
    .collect()
}

/// Profiles that have our line, and something that wins over it.
fn ours(files: &Files, config: &Ini, credentials: &Ini) -> Vec<Finding> {
    let mut profiles: Vec<String> = config
        .sections()
        .iter()
        .filter(|section| {
            let mut settings = section.settings.iter();
            settings.any(|it| it.key == "credential_process" && is_ours(config.get(&it.value)))
        })
        .filter_map(|section| section.profile().map(str::to_owned))
        .collect();
    profiles.dedup();
    let mut findings = Vec::new();
    for profile in profiles {
        let (in_config, in_credentials) = conflicts(config, credentials, &profile);
        let key = key_of(config, &profile).filter(|key| *key != profile);
        let key = key.map(|key| format!(" --key {}", word(&key))).unwrap_or_default();
        let named = in_config
            .iter()
            .map(|it| (&files.config, it))
            .chain(in_credentials.iter().map(|it| (&files.credentials, it)));
        findings.extend(named.map(|(file, it)| {
            let (key_name, file, line) = (&it.key, file.display(), it.line);
            let what = format!("{key_name} in {file} line {line} wins over our line of profile {profile}");
            let why =
                "the tools take the first source they find: signet is not asked, and nothing is touched";
            let hint = format!("signet configure {}{key} --replace", word(&profile));
            Finding::wrong("profiles", what, why, hint)
        }));
    }
    findings
}

/// The key that our line of a profile names.
fn key_of(config: &Ini, profile: &str) -> Option<String> {
    let sections = config.sections();
    let mut settings = sections.iter().filter(|it| it.profile() == Some(profile)).flat_map(|it| &it.settings);
    let line = settings.find(|it| it.key == "credential_process" && is_ours(config.get(&it.value)))?;
    let line = String::from_utf8_lossy(config.get(&line.value)).into_owned();
    line.split_whitespace().skip_while(|word| *word != "credential-process").nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::command::doctor::Level;
    use zeroize::Zeroizing;

    fn ini(text: &str) -> Ini {
        Ini::new(Zeroizing::new(text.as_bytes().to_vec()))
    }

    fn files() -> Files {
        Files { config: "/c".into(), credentials: "/k".into() }
    }

    #[test]
    fn what_wins_over_our_line_is_named_and_other_profiles_are_left_alone() {
        let config = ini(
            "[profile a]\ncredential_process = /usr/bin/signet credential-process a\n[profile b]\nrole_arn = x\n",
        );
        let credentials = ini("[a]\naws_access_key_id = AKIAX\n[b]\naws_access_key_id = AKIAX\n");
        let found = ours(&files(), &config, &credentials);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("/k line 2"), "{found:?}");
        assert_eq!(found[0].hint.as_deref(), Some("signet configure a --replace"));
    }

    #[test]
    fn the_command_names_the_key_where_it_is_called_otherwise() {
        let config = ini("[profile a]\ncredential_process = signet credential-process prod --duration 1h\n");
        let credentials = ini("[a]\naws_session_token = x\n");
        let found = ours(&files(), &config, &credentials);
        assert_eq!(found[0].hint.as_deref(), Some("signet configure a --key prod --replace"));
    }

    #[test]
    fn variables_that_win_are_unset() {
        let found = variables(|name| name == "AWS_SECRET_ACCESS_KEY");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].hint.as_deref(), Some("unset AWS_SECRET_ACCESS_KEY"));
        let inside = variables(|_| true);
        assert!(inside.iter().all(|it| it.level == Level::Ok), "{inside:?}");
    }
}
