//! `signet configure`: writes a profile for the AWS tools that gets its credentials from Signet.
//!
//! Promises: nothing that would win over our line is left standing unseen, and every byte that is not
//! ours stays. The line means the same to tools that run it through a shell and to those that split it
//! themselves: it holds no character that either would treat specially.

mod edit;

use super::policy::explain;
use super::show::{checked, find};
use super::{Done, done};
use crate::args::{Configure, Format};
use crate::client::Origin;
use crate::context::Context;
use crate::courier::endpoint;
use crate::courier::sts::SessionToken;
use crate::ini::files::{self, Files};
use crate::{output, session};
use edit::Conflict;
use serde::Serialize;
use signet_protocol::api::KeyInfo;
use signet_protocol::{Code, Refusal, VERSION};
use std::path::Path;
use std::process::ExitCode;

pub(super) use edit::{conflicts, is_ours};

/// Does the command.
pub(crate) fn run(cx: &Context, args: &Configure) -> Done {
    let profile = profile(&args.profile)?;
    let files = Files::find()?;
    if args.remove {
        remove(cx, &files, profile)?;
        return Ok(ExitCode::SUCCESS);
    }
    let key = find(cx, args.key.as_deref().unwrap_or(profile))?;
    allowed(cx, &key, args)?;
    let line = line(cx, &key.name, args)?;
    let mut config = files::read(&files.config)?;
    let mut credentials = files::read(&files.credentials)?;
    let (in_config, in_credentials) = conflicts(&config, &credentials, profile);
    let clear = in_config.is_empty() && in_credentials.is_empty();
    if !(clear || args.replace) {
        return Err(standing(&files, profile, &in_config, &in_credentials));
    }
    if !in_credentials.is_empty() {
        edit::comment_out(&mut credentials, &in_credentials);
        files::write(&files.credentials, &credentials)?;
        output::talk(&format!("what is commented out still stands in {}", files.credentials.display()));
    }
    edit::comment_out(&mut config, &in_config);
    edit::set(&mut config, profile, &line, args.region.as_deref());
    files::write(&files.config, &config)?;
    tell(cx, &files.config, profile, &line)?;
    Ok(ExitCode::SUCCESS)
}

fn remove(cx: &Context, files: &Files, profile: &str) -> Result<(), Refusal> {
    let mut config = files::read(&files.config)?;
    if !edit::unset(&mut config, profile) {
        let what = format!("profile {profile} in {} has no line of ours", files.config.display());
        return Err(Refusal::bare(Code::FailedCheck, what));
    }
    files::write(&files.config, &config)?;
    done(cx, &format!("took our lines out of profile {profile} in {}", files.config.display()))
}

/// A name that means itself in a section head and on a command line.
fn profile(name: &str) -> Result<&str, Refusal> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._@+:/-".contains(c);
    if !name.is_empty() && name.chars().all(fits) {
        Ok(name)
    } else {
        let rule = "the name of a profile has letters, digits and . _ @ + : / -";
        Err(Refusal::new(Code::Usage, rule, "signet configure root --key prod-root"))
    }
}

/// Refuses a profile whose every call would be denied.
fn allowed(cx: &Context, key: &KeyInfo, args: &Configure) -> Result<(), Refusal> {
    let region = args.region.clone().or_else(endpoint::region_from_env);
    let region = region.unwrap_or_else(|| session::home_region(key.partition).to_owned());
    let url = endpoint::sts(&region, endpoint::overridden("sts"));
    let token = SessionToken { region: &region, url: &url, duration: args.duration.0, mfa: None };
    let explained = explain::ask(cx, &key.name, &token.outgoing())?;
    if explained.allowed {
        return Ok(());
    }
    let kept: Vec<&str> = key.policy.iter().map(String::as_str).filter(|name| *name != "session").collect();
    Err(Refusal::new(
        Code::Denied,
        format!("policy denies {} of {} ({})", explained.action, key.name, explained.rule),
        format!("signet policy set {} {} session", key.name, kept.join(" ")).replace("  ", " "),
    ))
}

/// The value of `credential_process`.
fn line(cx: &Context, key: &str, args: &Configure) -> Result<String, Refusal> {
    let own = std::fs::read_link("/proc/self/exe")
        .map_err(|error| Refusal::bare(Code::Internal, format!("/proc/self/exe: {error}")))?;
    let mut words = vec![text(&own)?];
    let socket = cx.client().socket();
    if matches!(socket.origin(), Origin::Flag | Origin::Environment) {
        let path = std::path::absolute(socket.path())
            .map_err(|error| Refusal::bare(Code::Internal, format!("the socket: {error}")))?;
        words.extend(["--socket".to_owned(), text(&path)?]);
    }
    words.extend(["credential-process".to_owned(), checked(key)?.to_owned()]);
    words.extend(["--duration".to_owned(), duration(args.duration.0)]);
    if let Some(region) = &args.region {
        words.extend(["--region".to_owned(), plain(region)?.to_owned()]);
    }
    Ok(words.join(" "))
}

fn text(path: &Path) -> Result<String, Refusal> {
    plain(&path.to_string_lossy()).map(str::to_owned)
}

/// Refuses a word that a shell, or botocore's splitting, would not leave as it is.
fn plain(word: &str) -> Result<&str, Refusal> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "/._+:=@,-".contains(c);
    if !word.is_empty() && word.chars().all(fits) {
        Ok(word)
    } else {
        let why = format!(
            "{word} cannot stand in a credential_process: the tools read such a line in different ways"
        );
        Err(Refusal::bare(Code::BadRequest, why))
    }
}

/// Seconds, as a person would write them.
fn duration(seconds: u32) -> String {
    match seconds {
        hours if hours % 3600 == 0 => format!("{}h", hours / 3600),
        minutes if minutes % 60 == 0 => format!("{}m", minutes / 60),
        seconds => format!("{seconds}s"),
    }
}

/// Names everything that would win.
fn standing(files: &Files, profile: &str, in_config: &[Conflict], in_credentials: &[Conflict]) -> Refusal {
    let named = |file: &Path, conflicts: &[Conflict]| -> Vec<String> {
        conflicts.iter().map(|it| format!("{} line {}: {}", file.display(), it.line, it.key)).collect()
    };
    let all = [named(&files.config, in_config), named(&files.credentials, in_credentials)].concat();
    Refusal::new(
        Code::FailedCheck,
        format!("the tools would use something else for profile {profile}: {}", all.join("; ")),
        format!("signet configure {profile} --replace"),
    )
}

fn tell(cx: &Context, file: &Path, profile: &str, line: &str) -> Result<(), Refusal> {
    #[derive(Serialize)]
    struct Document<'a> {
        version: u32,
        profile: &'a str,
        file: String,
        credential_process: &'a str,
    }
    let file = file.display().to_string();
    match cx.format() {
        Format::Json => output::json(&Document { version: VERSION, profile, file, credential_process: line }),
        Format::Text | Format::Csv => {
            output::talk(&format!("profile {profile} in {file}: credential_process = {line}"));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_shells_and_sdks_read_differently_is_refused() {
        for word in [
            "",
            "/opt/my tools/signet",
            "~/signet",
            "$HOME/signet",
            "a\"b",
            "a'b",
            "a\\b",
            "a;b",
            "a*b",
            "a\nb",
            "#a",
            "ä",
        ] {
            assert!(plain(word).is_err(), "{word:?}");
        }
        assert!(plain("/usr/local/bin/signet").is_ok());
    }

    #[test]
    fn a_profile_cannot_end_its_section_head() {
        for name in ["", "a]b", "a b", "a\n[b", "a\"b", "#a"] {
            assert!(profile(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn durations_read_as_written() {
        assert_eq!([3600, 7200, 900, 61].map(duration), ["1h", "2h", "15m", "61s"]);
    }
}
