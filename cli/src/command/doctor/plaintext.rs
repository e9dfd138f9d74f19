//! Access keys that lie about in plain text: in the files of the AWS tools, in comments of theirs, and
//! where the console's downloads end up. What they are is never shown.

use super::Finding;
use super::machine::{path, word};
use crate::ini::{Ini, Section};
use signet_protocol::api::KeyInfo;
use signet_protocol::record::is_key_name;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Names that the console gives a downloaded key.
const DOWNLOADS: [&str; 3] = ["rootkey", "accessKeys", "credentials"];

/// Why each of them is red.
const WHY: &str = "every program of yours can read it, and a copy that was made is good until it is replaced";

/// What the vault has: keys that lie about may be there already.
pub(super) struct Vault<'a> {
    pub(super) keys: &'a [KeyInfo],
    /// A key can be sealed: some token is enrolled.
    pub(super) ready: bool,
}

/// Looks at one file of the AWS tools.
pub(super) fn file(file: &Path, ini: &Ini, vault: &Vault<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for section in ini.sections() {
        for setting in section.settings.iter().filter(|it| it.key == "aws_access_key_id") {
            let id = ini.get(&setting.value);
            if !id.starts_with(b"AKIA") {
                continue;
            }
            let what =
                format!("an access key stands in plain text in {} line {}", file.display(), setting.line);
            let hint = match vault.keys.iter().find(|key| key.access_key_id.as_bytes() == id) {
                Some(_) => cleared(file, &section),
                None => sealed(section.profile().unwrap_or(&section.title), vault),
            };
            findings.push(Finding::wrong("plaintext", what, WHY, hint));
        }
    }
    findings.extend(commented(file, ini));
    findings
}

/// Takes the lines of a key out of a section; the vault has it already.
fn cleared(file: &Path, section: &Section) -> String {
    // what is a regular expression, or ends one, is matched as any character
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == ' ' || c == '_' || c == '-' { c } else { '.' };
    let title: String = section.title.chars().map(plain).collect();
    let script = format!("/^\\[ *{title} *\\]/,/^\\[/{{/^aws_access_key_id/d;/^aws_secret_access_key/d}}");
    format!("sed -i '{script}' {}", path(file))
}

/// Seals the key of a profile and removes it there.
fn sealed(profile: &str, vault: &Vault<'_>) -> String {
    let name = free(profile, vault.keys);
    let first = if vault.ready { "" } else { "signet init && " };
    format!("{first}signet add {name} --kind iam-user --aws-profile {} --delete-source", word(profile))
}

/// A name for a key that is none yet.
fn free(wanted: &str, keys: &[KeyInfo]) -> String {
    let stem = if is_key_name(wanted) && wanted.len() <= 60 { wanted } else { "found" };
    let taken = |name: &str| keys.iter().any(|key| key.name == name);
    let mut names = std::iter::once(stem.to_owned()).chain((2..1000).map(|it| format!("{stem}-{it}")));
    names.find(|name| !taken(name)).unwrap_or_else(|| stem.to_owned())
}

/// Secrets that were made comments of, as `signet configure --replace` does.
fn commented(file: &Path, ini: &Ini) -> Option<Finding> {
    let secret = |line: &[u8]| {
        let text = line.trim_ascii_start();
        let rest = text.strip_prefix(b"#").or_else(|| text.strip_prefix(b";"));
        rest.is_some_and(|rest| rest.trim_ascii_start().starts_with(b"aws_secret_access_key"))
    };
    let at = ini.bytes().split(|byte| *byte == b'\n').position(secret)?;
    let what = format!("a secret stands in a comment in {} line {}", file.display(), at + 1);
    let script =
        "/^[[:space:]]*[#;][#;[:space:]]*aws_\\(access_key_id\\|secret_access_key\\|session_token\\)/d";
    Some(Finding::warning("plaintext", what, WHY, format!("sed -i '{script}' {}", path(file))))
}

/// Looks where the console's files are left lying.
pub(super) fn downloads(vault: &Vault<'_>) -> Vec<Finding> {
    let Some(home) = std::env::var_os("HOME").map(PathBuf::from) else { return Vec::new() };
    let mut findings = Vec::new();
    for dir in [home.clone(), home.join("Downloads"), home.join("Desktop")] {
        // a directory that is not there or may not be read holds nothing of ours to find
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
        let named = paths.filter(|path| is_download(path));
        findings.extend(named.map(|path| download(&path, holds_key(&path), vault)));
    }
    findings
}

fn is_download(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let named = DOWNLOADS.iter().any(|stem| name.starts_with(stem)) || name.ends_with("_accessKeys.csv");
    named && name.ends_with(".csv")
}

/// Whether a file begins as the console's do: only the names in its first line are looked at.
fn holds_key(file: &Path) -> bool {
    let mut head = Zeroizing::new([0; 128]);
    let read = std::fs::File::open(file).and_then(|mut file| file.read(head.as_mut_slice()));
    // what cannot be read is not known to be none
    let Ok(count) = read else { return true };
    let head = head.get(..count).unwrap_or_default();
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line: String = String::from_utf8_lossy(line).to_lowercase().split_whitespace().collect();
    ["accesskeyid", "secretaccesskey", "awssecretkey"].iter().any(|name| line.contains(name))
}

fn download(file: &Path, key: bool, vault: &Vault<'_>) -> Finding {
    let what = format!("{} looks like a downloaded access key", file.display());
    let root = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rootkey"));
    let (name, kind) = if root { ("root", "root --totp new") } else { ("break-glass", "iam-user") };
    let name = free(name, vault.keys);
    let first = if vault.ready { "" } else { "signet init && " };
    let hint = format!("{first}signet add {name} --kind {kind} --csv {} --delete-source", path(file));
    if key {
        Finding::wrong("plaintext", what, WHY, hint)
    } else {
        Finding::warning("plaintext", what, WHY, hint)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::command::doctor::Level;
    use crate::command::doctor::facts::key;

    fn ini(text: &str) -> Ini {
        Ini::new(Zeroizing::new(text.as_bytes().to_vec()))
    }

    fn found(text: &str, keys: &[KeyInfo]) -> Vec<Finding> {
        file(Path::new("/k"), &ini(text), &Vault { keys, ready: true })
    }

    #[test]
    fn long_term_keys_are_found_and_session_keys_are_not() {
        let found = found("[a]\naws_access_key_id = AKIAX\n[b]\naws_access_key_id = ASIAX\n", &[]);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("/k line 2"));
        assert_eq!(
            found[0].hint.as_deref(),
            Some("signet add a --kind iam-user --aws-profile a --delete-source")
        );
    }

    #[test]
    fn a_key_gets_a_name_that_is_one_and_is_free() {
        let hint = |title: &str, keys: &[KeyInfo]| {
            found(&format!("[{title}]\naws_access_key_id = AKIAX\n"), keys)[0].hint.clone().unwrap()
        };
        assert!(hint("a", &[key("a", &[])]).starts_with("signet add a-2 --kind"));
        let odd = hint("my profile", &[]);
        assert_eq!(odd, "signet add found --kind iam-user --aws-profile 'my profile' --delete-source");
        let none = Vault { keys: &[], ready: false };
        assert!(sealed("a", &none).starts_with("signet init && signet add a "));
    }

    #[test]
    fn a_key_that_the_vault_has_is_cut_out_of_its_section_only() {
        let dir = std::env::temp_dir().join(format!("signet-plain-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("credentials");
        let id = key("prod", &[]).access_key_id;
        let text = format!(
            "[x]\naws_access_key_id = ASIAX\n[my.one/a]\naws_access_key_id = {id}\naws_secret_access_key = s\n\
             region = r\n[y]\naws_access_key_id = ASIAY\n"
        );
        std::fs::write(&path, &text).unwrap();
        let found = file(&path, &ini(&text), &Vault { keys: &[key("prod", &[])], ready: true });
        assert_eq!(found.len(), 1);
        let done = std::process::Command::new("sh").args(["-c", found[0].hint.as_ref().unwrap()]).status();
        assert!(done.unwrap().success());
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "[x]\naws_access_key_id = ASIAX\n[my.one/a]\nregion = r\n[y]\naws_access_key_id = ASIAY\n"
        );
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_secret_in_a_comment_is_a_warning() {
        let found = found("[a]\n# aws_access_key_id = AKIAX\n;aws_secret_access_key = s\n# note\n", &[]);
        assert_eq!((found.len(), found[0].level), (1, Level::Warning));
        assert!(found[0].message.ends_with("in /k line 3"));
        assert_eq!(self::found("# see aws_secret_access_key\n", &[]), []);
    }

    #[test]
    fn a_file_of_the_console_is_known_by_its_first_line() {
        let file = std::env::temp_dir().join(format!("signet-console-{}", std::process::id()));
        for (text, key) in [
            ("\u{feff}Access key ID,Secret access key\r\nA,b\r\n", true),
            ("AWSAccessKeyId=A\nAWSSecretKey=b\n", true),
            ("User name,Password,Console sign-in URL\n", false),
            ("", false),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(holds_key(&file), key, "{text}");
        }
        std::fs::remove_file(&file).unwrap();
        assert!(holds_key(&file), "what cannot be read");
    }

    #[test]
    fn the_consoles_files_are_known_by_their_names() {
        for name in
            ["rootkey.csv", "rootkey (1).csv", "alice_accessKeys.csv", "accessKeys.csv", "credentials.csv"]
        {
            assert!(is_download(&Path::new("/d").join(name)), "{name}");
        }
        for name in ["rootkey.txt", "keys.csv", "credentials"] {
            assert!(!is_download(&Path::new("/d").join(name)), "{name}");
        }
        let none = Vault { keys: &[], ready: true };
        let found = download(Path::new("/d/rootkey (1).csv"), true, &none);
        assert_eq!(found.level, Level::Wrong);
        assert_eq!(download(Path::new("/d/rootkey.csv"), false, &none).level, Level::Warning);
        let hint = found.hint.unwrap();
        assert_eq!(hint, "signet add root --kind root --totp new --csv '/d/rootkey (1).csv' --delete-source");
    }
}
