//! The files and variables of the AWS tools: keys in plain text, and what would be used instead of a
//! profile of ours.

use super::Finding;
use crate::command::configure::{conflicts, is_ours};
use crate::ini::Ini;
use crate::ini::files::{self, Files};
use signet_protocol::Refusal;
use std::env;
use std::path::Path;

/// Variables that win over every profile.
const WINNING: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
/// Names that the console gives a downloaded key.
const DOWNLOADS: [&str; 3] = ["rootkey", "accessKeys", "credentials"];

/// Looks at the environment, both files, and the usual place of a download.
pub(super) fn look() -> Vec<Finding> {
    let mut findings: Vec<Finding> = WINNING
        .iter()
        .filter(|name| env::var_os(name).is_some())
        .map(|name| {
            let what = format!("{name} is set here, and wins over every profile");
            Finding::wrong("profiles", what, format!("unset {name}"))
        })
        .collect();
    match read() {
        Ok((files, config, credentials)) => {
            findings.extend(ours(&files, &config, &credentials));
            findings.extend(plain(&files.credentials, &credentials));
            findings.extend(plain(&files.config, &config));
        }
        Err(refusal) => findings.push(Finding::wrong("profiles", refusal.message, "ls -l ~/.aws")),
    }
    findings.extend(downloads());
    if findings.is_empty() {
        findings.push(Finding::ok(
            "profiles",
            "no access key in plain text, and nothing wins over a profile of ours",
        ));
    }
    findings
}

fn read() -> Result<(Files, Ini, Ini), Refusal> {
    let files = Files::find()?;
    let (config, credentials) = (files::read(&files.config)?, files::read(&files.credentials)?);
    Ok((files, config, credentials))
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
        let named = in_config
            .iter()
            .map(|it| (&files.config, it))
            .chain(in_credentials.iter().map(|it| (&files.credentials, it)));
        findings.extend(named.map(|(file, it)| {
            let what = format!(
                "{} in {} line {} wins over our line of profile {profile}",
                it.key,
                file.display(),
                it.line
            );
            Finding::wrong("profiles", what, format!("signet configure {profile} --replace"))
        }));
    }
    findings
}

/// Long-term keys that stand in a file.
fn plain(file: &Path, ini: &Ini) -> Vec<Finding> {
    ini.sections()
        .iter()
        .flat_map(|section| section.settings.iter().map(move |setting| (section, setting)))
        .filter(|(_, setting)| {
            setting.key == "aws_access_key_id" && ini.get(&setting.value).starts_with(b"AKIA")
        })
        .map(|(section, setting)| {
            let profile = section.profile().unwrap_or(&section.title);
            let what =
                format!("an access key stands in plain text in {} line {}", file.display(), setting.line);
            Finding::wrong(
                "plaintext",
                what,
                format!("signet add {profile} --kind iam-user --aws-profile {profile}"),
            )
        })
        .collect()
}

/// Files of the console that were left lying.
fn downloads() -> Vec<Finding> {
    let Some(home) = env::var_os("HOME").map(std::path::PathBuf::from) else { return Vec::new() };
    let mut findings = Vec::new();
    for dir in [home.clone(), home.join("Downloads")] {
        // a directory that is not there or may not be read holds nothing of ours to find
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let named =
                DOWNLOADS.iter().any(|stem| name.starts_with(stem)) || name.ends_with("_accessKeys.csv");
            if named && name.ends_with(".csv") {
                let what = format!("{} looks like a downloaded access key", path.display());
                let hint = format!("signet add NAME --kind root --csv {}", path.display());
                findings.push(Finding::warning("plaintext", what, hint));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
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
        assert!(found.iter().all(|it| it.message.contains("/k line 2")), "{found:?}");
    }

    #[test]
    fn long_term_keys_are_found_and_session_keys_are_not() {
        let credentials = ini("[a]\naws_access_key_id = AKIAX\n[b]\naws_access_key_id = ASIAX\n");
        let found = plain(Path::new("/k"), &credentials);
        assert_eq!(found.len(), 1);
        assert!(found.iter().all(|it| it.message.contains("/k line 2")));
    }
}
