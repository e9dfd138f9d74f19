//! Whether the person can be asked: from here, and by programs that have no terminal.

use super::Finding;
use super::machine::{self, Machine};
use crate::context::Context;
use crate::prompt::Prompts;
use std::env;
use std::path::PathBuf;

/// What was found out.
struct Facts {
    /// Where questions go from here; none where nobody can be asked, and why.
    way: Result<String, String>,
    /// `--no-prompt` was given.
    unwanted: bool,
    /// `SIGNET_ASKPASS` is set.
    askpass: bool,
    /// The pinentry in force; the error says what is wrong with the one that was configured.
    pinentry: Result<Option<PathBuf>, &'static str>,
    /// The configuration that names one.
    config: PathBuf,
}

/// Looks at both.
pub(super) fn look(cx: &Context, machine: &Machine) -> Vec<Finding> {
    let prompts = cx.prompts();
    let told = prompts.describe();
    let unwanted = told == Prompts::none().describe();
    judge(
        &Facts {
            way: if prompts.available() { Ok(told) } else { Err(told) },
            unwanted,
            askpass: env::var_os("SIGNET_ASKPASS").is_some_and(|value| !value.is_empty()),
            pinentry: Prompts::pinentry(),
            config: machine::config_dir().join("cli.toml"),
        },
        machine,
    )
}

fn judge(facts: &Facts, machine: &Machine) -> Vec<Finding> {
    let repair = match &facts.pinentry {
        Err(_) => format!("sed -i '/^ *pinentry *=/d' {}", machine::path(&facts.config)),
        Ok(_) => machine.install(machine.packages.pinentry),
    };
    let mut findings = Vec::new();
    match &facts.way {
        Ok(way) => findings.push(Finding::ok("prompt", format!("questions go to {way}"))),
        Err(_) if facts.unwanted => {
            findings.push(Finding::ok("prompt", "nothing is asked: --no-prompt was given"));
        }
        Err(way) => {
            let why = "a use needs a pin, and there is nowhere to ask for it";
            let hint = if facts.askpass { "unset SIGNET_ASKPASS".to_owned() } else { repair.clone() };
            findings.push(Finding::warning("prompt", format!("nobody can be asked: {way}"), why, hint));
        }
    }
    let why = "programs without a terminal, as an editor that runs signet credential-process, cannot ask";
    match &facts.pinentry {
        Ok(Some(path)) => findings.push(Finding::ok("pinentry", path.display().to_string())),
        // what replaces the screen replaces the pinentry too
        Ok(None) | Err(_) if facts.askpass => {}
        Ok(None) => findings.push(Finding::warning("pinentry", "there is no pinentry", why, repair)),
        Err(what) => findings.push(Finding::warning("pinentry", *what, why, repair)),
    }
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::machine::tests::PLAIN;
    use super::*;
    use crate::command::doctor::Level;
    use crate::command::doctor::facts::only;

    fn good() -> Facts {
        Facts {
            way: Ok("terminal".into()),
            unwanted: false,
            askpass: false,
            pinentry: Ok(Some("/usr/bin/pinentry".into())),
            config: "/h/cli.toml".into(),
        }
    }

    #[test]
    fn a_terminal_and_a_pinentry_are_both_told() {
        let found = judge(&good(), &PLAIN);
        assert_eq!(
            found.iter().map(|it| (it.check, it.level)).collect::<Vec<_>>(),
            [("prompt", Level::Ok), ("pinentry", Level::Ok)]
        );
    }

    #[test]
    fn each_way_to_have_nobody_to_ask_has_its_own_command() {
        let none = || Facts { way: Err("none: x".into()), pinentry: Ok(None), ..good() };
        let found = judge(&none(), &PLAIN);
        assert!(found.iter().all(|it| it.hint.as_deref() == Some("sudo apt install pinentry-curses")));
        let askpass = Facts { askpass: true, ..none() };
        assert_eq!(only(&judge(&askpass, &PLAIN)).hint.unwrap(), "unset SIGNET_ASKPASS");
        let broken = Facts { pinentry: Err("cli.toml is not understood"), ..good() };
        assert_eq!(only(&judge(&broken, &PLAIN)).hint.unwrap(), "sed -i '/^ *pinentry *=/d' /h/cli.toml");
        let unwanted = Facts { unwanted: true, pinentry: good().pinentry, ..none() };
        assert!(judge(&unwanted, &PLAIN).iter().all(|it| it.level == Level::Ok));
    }
}
