//! `signet doctor`: looks for what is wrong or dangerous here, and says what to type. Changes nothing,
//! asks nothing of the person, and spends no try of a token.
//!
//! One file a subject; in each, what gathers is thin, and what judges is a pure function from facts to
//! findings. Green is `ok`, yellow `warning`, red `wrong`; one red finding makes the exit code 1.

mod agent;
mod clock;
#[cfg(test)]
mod facts;
mod fido;
mod finding;
mod keys;
mod machine;
mod places;
mod plaintext;
mod profiles;
mod prompt;
mod renewal;
mod root;
mod service;
mod token;
mod usb;

use super::Done;
use super::list::known;
use crate::args::Format;
use crate::context::Context;
use crate::courier::endpoint;
use crate::ini::files::{self, Files};
use crate::output::{self, FailureStyle};
use crate::session::home_region;
use agent::Keeper;
use finding::{Finding, Level};
use machine::Machine;
use plaintext::Vault;
use serde::Serialize;
use signet_protocol::api::{KeyInfo, Keys, Status, TokenInfo, Tokens};
use signet_protocol::child::{EnrolAct, Managed, Seen};
use signet_protocol::record::Partition;
use signet_protocol::{Code, Refusal, VERSION};
use std::process::ExitCode;
use time::OffsetDateTime;

/// `doctor` as JSON.
#[derive(Serialize)]
struct Document {
    version: u32,
    findings: Vec<Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
}

/// Does the command.
pub(crate) fn run(cx: &Context) -> Done {
    let findings = look(cx);
    let wrong = findings.iter().filter(|it| it.level == Level::Wrong).count();
    let error = (wrong > 0).then(|| {
        let plural = if wrong == 1 { "thing is" } else { "things are" };
        Refusal::bare(Code::FailedCheck, format!("{wrong} {plural} wrong here"))
    });
    let code = error.as_ref().map_or(ExitCode::SUCCESS, |refusal| ExitCode::from(refusal.code.exit()));
    let document = Document { version: VERSION, findings, error };
    match cx.format() {
        Format::Json => output::json(&document)?,
        Format::Csv => {
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            let row = |it: &Finding| {
                let (level, check) = (it.level.word().to_owned(), it.check.to_owned());
                vec![level, check, it.message.clone(), text(&it.hint), text(&it.why)]
            };
            let rows: Vec<Vec<String>> = document.findings.iter().map(row).collect();
            output::table(Format::Csv, &document, &["level", "check", "message", "hint", "why"], &rows)?;
        }
        Format::Text => {
            for it in &document.findings {
                output::line(&format!("{:<8} {}: {}", it.level.word(), it.check, it.message))?;
                for (name, text) in [("why", &it.why), ("try", &it.hint)] {
                    if let Some(text) = text {
                        output::line(&format!("         {name}: {text}"))?;
                    }
                }
            }
            if let Some(refusal) = &document.error {
                output::failure(refusal, Format::Text, FailureStyle::Ordinary);
            }
        }
    }
    Ok(code)
}

/// Everything, from the agent and the hardware to the files of the AWS tools.
fn look(cx: &Context) -> Vec<Finding> {
    let machine = Machine::look();
    let mut findings = Vec::new();
    let status = match cx.get::<Status>("/v1/status") {
        Ok(status) => {
            findings.extend(agent::look(cx, &machine, &status));
            Some(status)
        }
        Err(refusal) => {
            findings.push(agent::absent(refusal, cx.client().socket(), &machine));
            None
        }
    };
    let house = status.as_ref().map_or_else(House::empty, |_| House::look(cx));
    findings.extend(hardware(cx, status.as_ref(), &house, &machine));
    findings.extend(authenticators(status.as_ref(), &house, &machine));
    findings.extend(prompt::look(cx, &machine));
    findings.extend(status.iter().flat_map(|status| places::look(cx, status)));
    findings.push(clock::look(cx, &house.region(), &machine));
    if status.is_some() {
        findings.extend(house.judge());
    }
    findings.extend(aws(&house.vault()));
    findings
}

/// The PC/SC service, and the readers behind it.
fn hardware(cx: &Context, status: Option<&Status>, house: &House, machine: &Machine) -> Vec<Finding> {
    if status.is_some_and(|status| !service::needed(&status.kinds)) {
        let mut findings =
            vec![Finding::ok("pcscd", "not needed: the configuration names no kind of hardware")];
        findings
            .extend(house.tokens.as_ref().err().map(|refusal| untold("token", refusal, "signet token list")));
        return findings;
    }
    let restart = status.map(|status| Keeper::of(status, cx.client().socket()).restart(machine, status));
    let answer = service::look(status, &restart.unwrap_or_default(), machine);
    let answers = answer.level == Level::Ok;
    let mut findings = vec![answer];
    if let Some(status) = status {
        let agent = machine::user(status.uid).unwrap_or_else(|| status.uid.to_string());
        let usb = usb::look();
        let look = service::Look { seen: &house.there(cx), answers, agent: &agent, usb: &usb };
        findings.extend(service::readers(&look, machine));
    }
    findings
}

/// FIDO2 authenticators, which need no service. Without an agent, who types would open them.
fn authenticators(status: Option<&Status>, house: &House, machine: &Machine) -> Vec<Finding> {
    let own = rustix::process::geteuid().as_raw();
    let uid = status.map_or(own, |status| status.uid);
    let user = machine::user(uid).unwrap_or_else(|| uid.to_string());
    let needed = fido::needed(status, house.keys());
    let opener = fido::Opener { uid, user: &user, person: uid == own, needed };
    fido::judge(&fido::look(&opener), &opener, machine)
}

/// What the agent keeps: what it does not tell, and why.
struct House {
    tokens: Result<Vec<TokenInfo>, Refusal>,
    keys: Result<Keys, Refusal>,
}

impl House {
    /// Asks the agent.
    fn look(cx: &Context) -> Self {
        Self { tokens: cx.get::<Tokens>("/v1/tokens").map(|tokens| tokens.tokens), keys: known(cx) }
    }

    /// Without an agent.
    fn empty() -> Self {
        let keys = Keys { version: VERSION, keys: Vec::new(), refused: Vec::new() };
        Self { tokens: Ok(Vec::new()), keys: Ok(keys) }
    }

    /// The tokens that are there; where none is known to be, the agent is asked why. Asks the person
    /// nothing, and spends nothing.
    fn there(&self, cx: &Context) -> Result<Vec<Seen>, Refusal> {
        let tokens = self.tokens.as_ref().map_err(Clone::clone)?;
        let seen: Vec<Seen> = tokens.iter().filter_map(|token| token.seen.clone()).collect();
        if seen.iter().any(|token| token.reader.is_some()) {
            return Ok(seen);
        }
        match cx.manage(EnrolAct::List)? {
            Some(Managed::Seen { tokens }) => Ok(tokens),
            Some(Managed::Enrolled { .. } | Managed::Credential { .. } | Managed::Done) | None => {
                Ok(Vec::new())
            }
        }
    }

    fn tokens(&self) -> &[TokenInfo] {
        self.tokens.as_deref().unwrap_or_default()
    }

    fn keys(&self) -> &[KeyInfo] {
        self.keys.as_ref().map_or(&[], |keys| keys.keys.as_slice())
    }

    /// The region whose STS is asked for the time: the environment's, else where the keys are at home.
    fn region(&self) -> String {
        let keys = self.keys();
        let gov = !keys.is_empty() && keys.iter().all(|key| key.partition == Partition::AwsUsGov);
        let home = home_region(if gov { Partition::AwsUsGov } else { Partition::Aws });
        endpoint::region_from_env().unwrap_or_else(|| home.to_owned())
    }

    fn judge(&self) -> Vec<Finding> {
        let mut findings = token::look(self.tokens(), self.keys());
        match &self.keys {
            Ok(Keys { keys, refused, .. }) => {
                let iam = endpoint::overridden("iam");
                findings.extend(keys::look(&keys::Facts {
                    keys,
                    refused,
                    tokens: self.tokens(),
                    now: OffsetDateTime::now_utc(),
                    iam: iam.as_deref(),
                }));
            }
            Err(refusal) => findings.push(untold("keys", refusal, "signet list")),
        }
        findings
    }

    fn vault(&self) -> Vault<'_> {
        Vault { keys: self.keys(), ready: self.tokens().iter().any(|token| token.recipient.is_some()) }
    }
}

/// What the agent does not tell.
fn untold(check: &'static str, refusal: &Refusal, hint: &str) -> Finding {
    Finding::wrong(check, refusal.message.clone(), "what is not told cannot be looked at", hint)
}

/// The files of the AWS tools, and the console's downloads.
fn aws(vault: &Vault<'_>) -> Vec<Finding> {
    let read = || {
        let files = Files::find()?;
        let (config, credentials) = (files::read(&files.config)?, files::read(&files.credentials)?);
        Ok::<_, Refusal>((files, config, credentials))
    };
    let mut findings = Vec::new();
    let mut plain = plaintext::downloads(vault);
    match read() {
        Ok((files, config, credentials)) => {
            findings.extend(profiles::look(&files, &config, &credentials));
            plain.extend(plaintext::file(&files.credentials, &credentials, vault));
            plain.extend(plaintext::file(&files.config, &config, vault));
        }
        Err(refusal) => {
            let why = "whether keys stand there in plain text could not be found out";
            findings.push(Finding::wrong("profiles", refusal.message, why, "chmod -R u+rwX ~/.aws"));
        }
    }
    if plain.is_empty() {
        plain.push(Finding::ok("plaintext", "no access key lies in the usual places"));
    }
    findings.extend(plain);
    findings
}
