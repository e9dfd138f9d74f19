//! What is in the way in the files of the AWS tools, and the edit of our lines. Pure.

use crate::ini::{Ini, Section, Setting};
use std::ops::Range;

/// A setting that would win over ours, or be taken for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// Its key.
    pub(crate) key: String,
    /// Its line, from 1.
    pub(crate) line: usize,
    lines: Range<usize>,
}

/// Keys of other sources of credentials; a dash at the end stands for any rest.
const OTHERS: [&str; 10] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "role_arn",
    "source_profile",
    "credential_source",
    "sso_-",
    "login_session",
    "web_identity_-",
    "credential_process",
];

/// Whether the value of a `credential_process` runs `signet credential-process`.
pub(crate) fn is_ours(value: &[u8]) -> bool {
    let mut words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let program = words.next().and_then(|word| word.rsplit(|byte| *byte == b'/').next());
    program == Some(b"signet") && words.any(|word| word == b"credential-process")
}

/// What is in the way of `profile`: in the configuration file, and in the credentials file.
pub(crate) fn conflicts(config: &Ini, credentials: &Ini, profile: &str) -> (Vec<Conflict>, Vec<Conflict>) {
    let find = |ini: &Ini, sections: Vec<Section>| {
        let settings = sections.into_iter().flat_map(|section| section.settings);
        let standing = settings.filter(|it| wins(ini, it));
        standing.map(|it| Conflict { key: it.key, line: it.line, lines: it.lines }).collect()
    };
    let of_credentials =
        credentials.sections().into_iter().filter(|section| section.title == profile).collect();
    (find(config, of_profile(config, profile)), find(credentials, of_credentials))
}

fn wins(ini: &Ini, setting: &Setting) -> bool {
    let other = OTHERS.iter().any(|other| match other.strip_suffix('-') {
        Some(stem) => setting.key.starts_with(stem),
        None => setting.key == *other,
    });
    other && !(setting.key == "credential_process" && is_ours(ini.get(&setting.value)))
}

fn of_profile(config: &Ini, profile: &str) -> Vec<Section> {
    config.sections().into_iter().filter(|section| section.profile() == Some(profile)).collect()
}

/// Makes comments of what is in the way, continuation lines counted.
pub(crate) fn comment_out(ini: &mut Ini, conflicts: &[Conflict]) {
    // from the last to the first, so that the places of the others stay true
    for conflict in conflicts.iter().rev() {
        let lines: Vec<&[u8]> = ini
            .get(&conflict.lines)
            .split_inclusive(|byte| *byte == b'\n')
            .flat_map(|line| [&b"# "[..], line])
            .collect();
        let text = zeroize::Zeroizing::new(lines.concat());
        ini.replace(&conflict.lines, &text);
    }
}

/// Writes our line into the profile, and the region where one is given.
pub(crate) fn set(config: &mut Ini, profile: &str, process: &str, region: Option<&str>) {
    let end = config.line_end();
    let ours = format!("credential_process = {process}{end}");
    let found = our_settings(config, profile);
    // a second one of ours, as after an edit by hand
    for extra in found.iter().skip(1).rev() {
        config.replace(&extra.lines, b"");
    }
    let at = if let Some(first) = found.first() {
        config.replace(&first.lines, ours.as_bytes());
        first.lines.start
    } else {
        let at = place(config, profile);
        config.replace(&(at..at), ours.as_bytes());
        at
    };
    let Some(region) = region else { return };
    let settings = of_profile(config, profile).into_iter().flat_map(|section| section.settings);
    match settings.into_iter().find(|setting| setting.key == "region") {
        Some(setting) => config.replace(&setting.value, region.as_bytes()),
        None => {
            let after = at + ours.len();
            config.replace(&(after..after), format!("region = {region}{end}").as_bytes());
        }
    }
}

/// Where our line goes: after the last setting of the profile, which is made if it is not there.
fn place(config: &mut Ini, profile: &str) -> usize {
    let end = config.line_end();
    let section = of_profile(config, profile).into_iter().next();
    let (at, head) = match section {
        Some(section) => {
            (section.settings.last().map_or(section.head.end, |last| last.lines.end), String::new())
        }
        None => {
            let title =
                if profile == "default" { "[default]".to_owned() } else { format!("[profile {profile}]") };
            let gap = if config.bytes().is_empty() { "" } else { end };
            (config.bytes().len(), format!("{gap}{title}{end}"))
        }
    };
    let joined =
        config.bytes().get(..at).is_some_and(|before| !before.is_empty() && !before.ends_with(b"\n"));
    let head = if joined { format!("{end}{head}") } else { head };
    config.replace(&(at..at), head.as_bytes());
    at + head.len()
}

/// Takes our line out, the region that stands right behind it, and a section that is left with
/// nothing; tells whether there was a line of ours.
pub(crate) fn unset(config: &mut Ini, profile: &str) -> bool {
    let found = our_settings(config, profile);
    let settings: Vec<Setting> =
        of_profile(config, profile).into_iter().flat_map(|section| section.settings).collect();
    for ours in found.iter().rev() {
        let region = settings.iter().find(|it| it.key == "region" && it.lines.start == ours.lines.end);
        let end = region.map_or(ours.lines.end, |region| region.lines.end);
        config.replace(&(ours.lines.start..end), b"");
    }
    if !found.is_empty() {
        drop_empty(config, profile);
    }
    !found.is_empty()
}

fn drop_empty(config: &mut Ini, profile: &str) {
    for section in of_profile(config, profile).iter().rev() {
        if !config.get(&(section.head.end..section.end)).trim_ascii().is_empty() {
            continue;
        }
        let end = config.line_end();
        let last = section.end == config.bytes().len();
        // the empty line that was put before a section at the end
        let before = config.get(&(0..section.head.start));
        let gap = if last && before.ends_with(format!("\n{end}").as_bytes()) { end.len() } else { 0 };
        config.replace(&(section.head.start - gap..section.end), b"");
    }
}

fn our_settings(config: &Ini, profile: &str) -> Vec<Setting> {
    of_profile(config, profile)
        .into_iter()
        .flat_map(|section| section.settings)
        .filter(|it| it.key == "credential_process" && is_ours(config.get(&it.value)))
        .collect()
}

#[cfg(test)]
mod tests;
