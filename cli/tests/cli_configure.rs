//! `signet configure` on whole files: what is refused, what is written, what stays.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod desk;
mod stub;

use desk::{Vault, key};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Output;
use stub::StubAgent;

const BEFORE: &str =
    "# mine\n[default]\nregion = eu-west-1\n\n[profile root]\noutput = json\nrole_arn = arn:x\n";

struct Home {
    agent: StubAgent,
}

impl Home {
    fn new(allows: bool, config: Option<&str>, credentials: Option<&str>) -> Self {
        let agent = Vault::new(vec![key("prod-root", "root", &json!("123456789012"))], allows).agent();
        let home = Self { agent };
        std::fs::create_dir(home.file("")).unwrap();
        for (name, text) in [("config", config), ("credentials", credentials)] {
            if let Some(text) = text {
                std::fs::write(home.file(name), text).unwrap();
            }
        }
        home
    }

    fn file(&self, name: &str) -> PathBuf {
        self.agent.dir.path().join(".aws").join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    fn configure(&self, args: &[&str]) -> Output {
        self.agent.signet(&[&["configure"], args].concat()).output().unwrap()
    }

    fn line(&self) -> String {
        let signet = std::fs::canonicalize(env!("CARGO_BIN_EXE_signet")).unwrap();
        let socket = self.agent.dir.path().join("agent.sock");
        format!(
            "credential_process = {} --socket {} credential-process prod-root --duration 1h",
            signet.display(),
            socket.display()
        )
    }
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_would_win_is_named_and_nothing_is_written() {
    let credentials = "[root]\naws_access_key_id = AKIAX\n";
    let home = Home::new(true, Some(BEFORE), Some(credentials));
    let output = home.configure(&["root", "--key", "prod-root"]);
    assert_eq!(output.status.code(), Some(1));
    let said = error(&output);
    assert!(said.contains(&format!("{} line 7: role_arn", home.file("config").display())), "{said}");
    let place = format!("{} line 2: aws_access_key_id", home.file("credentials").display());
    assert!(said.contains(&place), "{said}");
    assert!(said.contains("signet: hint: signet configure root --replace"));
    assert_eq!((home.read("config"), home.read("credentials")), (BEFORE.to_owned(), credentials.to_owned()));
}

#[test]
fn replace_makes_comments_of_it() {
    let home = Home::new(true, Some(BEFORE), Some("[root]\naws_access_key_id = AKIAX\n[b]\nx=y\n"));
    let output = home.configure(&["root", "--key", "prod-root", "--replace"]);
    assert!(output.status.success(), "{}", error(&output));
    let after = format!("{}{}\n", BEFORE.replace("role_arn", "# role_arn"), home.line());
    // our line stands behind the last setting that is left
    let after = after.replace(
        &format!("output = json\n# role_arn = arn:x\n{}\n", home.line()),
        &format!("output = json\n{}\n# role_arn = arn:x\n", home.line()),
    );
    assert_eq!(home.read("config"), after);
    assert_eq!(home.read("credentials"), "[root]\n# aws_access_key_id = AKIAX\n[b]\nx=y\n");
}

#[test]
fn a_policy_that_denies_sessions_is_refused_with_the_command_that_helps() {
    let home = Home::new(false, None, None);
    let output = home.configure(&["root", "--key", "prod-root"]);
    assert_eq!(output.status.code(), Some(77));
    assert!(error(&output).contains("signet: hint: signet policy set prod-root root-only-tasks session"));
    assert!(!home.file("config").exists());
}

#[test]
fn a_key_that_is_not_there_and_a_name_that_is_none_are_refused() {
    let home = Home::new(true, None, None);
    assert_eq!(home.configure(&["root"]).status.code(), Some(77));
    assert_eq!(home.configure(&["ro ot", "--key", "prod-root"]).status.code(), Some(2));
    assert_eq!(home.configure(&["a]b", "--remove"]).status.code(), Some(2));
    assert_eq!(home.configure(&["root", "--remove"]).status.code(), Some(1));
    assert!(!home.file("config").exists());
}

#[test]
fn written_again_it_is_the_same_and_removed_it_is_gone() {
    use std::os::unix::fs::PermissionsExt;
    let before = "[default]\nregion = eu-west-1\n";
    let home = Home::new(true, Some(before), None);
    std::fs::set_permissions(home.file("config"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let args = ["root", "--key", "prod-root", "--region", "us-east-1", "-o", "json"];
    let output = home.configure(&args);
    assert!(output.status.success(), "{}", error(&output));
    let line = format!("{} --region us-east-1", home.line());
    let after = format!("{before}\n[profile root]\n{line}\nregion = us-east-1\n");
    assert_eq!(home.read("config"), after);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["credential_process"], line.trim_start_matches("credential_process = "));
    assert!(home.configure(&args).status.success());
    assert_eq!(home.read("config"), after);
    assert!(home.configure(&["root", "--remove"]).status.success());
    assert_eq!(home.read("config"), before);
    assert_eq!(std::fs::metadata(home.file("config")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(std::fs::read_dir(home.file("")).unwrap().count(), 1, "something was left behind");
}

#[test]
fn a_file_that_is_a_link_stays_one() {
    let home = Home::new(true, None, None);
    let real = home.agent.dir.path().join("real");
    std::fs::write(&real, "").unwrap();
    std::os::unix::fs::symlink(&real, home.file("config")).unwrap();
    assert!(home.configure(&["default", "--key", "prod-root"]).status.success());
    assert!(std::fs::symlink_metadata(home.file("config")).unwrap().is_symlink());
    assert_eq!(std::fs::read_to_string(&real).unwrap(), format!("[default]\n{}\n", home.line()));
}
