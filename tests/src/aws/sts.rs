//! STS: who is asking, and session credentials.

use super::account::{Account, Caller, Mfa, Principal, Session};
use super::operation::Operation;
use super::refusal::{Refusal, xml_text};
use time::format_description::well_known::Rfc3339;

pub(super) fn answer(
    account: &mut Account,
    caller: &Caller,
    operation: &Operation,
) -> Result<String, Refusal> {
    match operation.name.as_str() {
        "GetCallerIdentity" => Ok(identity(account, &caller.principal)),
        "GetSessionToken" => session_token(account, caller, operation),
        "AssumeRole" => assume_role(account, caller, operation),
        "AssumeRoot" => assume_root(account, caller, operation),
        other => Err(Refusal::new(400, "InvalidAction", &format!("Could not find operation {other}"))),
    }
}

fn identity(account: &Account, principal: &Principal) -> String {
    let own = &account.id;
    let (arn, user_id, account) = match principal {
        Principal::Root => (format!("arn:aws:iam::{own}:root"), own.clone(), own),
        Principal::User(name) => {
            (format!("arn:aws:iam::{own}:user/{name}"), "AIDAEXAMPLEEXAMPLE000".to_owned(), own)
        }
        Principal::Role(role, session) => {
            let arn = format!("arn:aws:sts::{own}:assumed-role/{role}/{session}");
            (arn, format!("AROAEXAMPLEEXAMPLE000:{session}"), own)
        }
        Principal::AssumedRoot(member, _) => (format!("arn:aws:iam::{member}:root"), member.clone(), member),
    };
    let (arn, user_id) = (xml_text(&arn), xml_text(&user_id));
    format!("<Arn>{arn}</Arn><UserId>{user_id}</UserId><Account>{account}</Account>")
}

fn credentials(session: &Session) -> Result<String, Refusal> {
    let expires = session.expires.replace_nanosecond(0).ok().and_then(|time| time.format(&Rfc3339).ok());
    let expires = expires.ok_or_else(|| Refusal::new(500, "InternalFailure", "the expiry is no date"))?;
    let (id, secret, token) = (&session.id, &session.secret, &session.token);
    Ok(format!(
        "<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
         <SessionToken>{token}</SessionToken><Expiration>{expires}</Expiration></Credentials>"
    ))
}

/// `DurationSeconds` within its bounds, or the default.
fn seconds(operation: &Operation, least: i64, most: i64, default: i64) -> Result<i64, Refusal> {
    let Some(text) = operation.parameter("DurationSeconds") else { return Ok(default) };
    let sound = text.parse().ok().filter(|seconds| (least..=most).contains(seconds));
    sound.ok_or_else(|| Refusal::invalid(&format!("DurationSeconds must lie between {least} and {most}")))
}

fn session_token(account: &mut Account, caller: &Caller, operation: &Operation) -> Result<String, Refusal> {
    if caller.session.is_some() {
        return Err(Refusal::denied("Cannot call GetSessionToken with session credentials"));
    }
    let (most, default) = match caller.principal {
        Principal::Root => (3600, 3600),
        Principal::User(_) | Principal::Role(..) | Principal::AssumedRoot(..) => (129_600, 43_200),
    };
    // A longer wish of root's is cut, not refused.
    let seconds = seconds(operation, 900, 129_600, default)?.min(most);
    let mfa = match (operation.parameter("SerialNumber"), operation.parameter("TokenCode")) {
        (None, None) => Mfa::No,
        (Some(serial), Some(code)) if account.check_code(&caller.principal, serial, code) => Mfa::Yes,
        (Some(_), Some(_)) => {
            let text = "MultiFactorAuthentication failed with invalid MFA one time pass code.";
            return Err(Refusal::denied(text));
        }
        (Some(_), None) | (None, Some(_)) => {
            return Err(Refusal::invalid("SerialNumber and TokenCode go together"));
        }
    };
    credentials(account.begin(caller.principal.clone(), mfa, seconds)?)
}

fn assume_role(account: &mut Account, caller: &Caller, operation: &Operation) -> Result<String, Refusal> {
    let session = operation.required("RoleSessionName")?.to_owned();
    let arn = operation.required("RoleArn")?;
    if caller.principal == Principal::Root {
        return Err(Refusal::denied("Roles may not be assumed by root accounts."));
    }
    let own = format!("arn:aws:iam::{}:role/", account.id);
    let role = arn.strip_prefix(&own).filter(|role| !role.is_empty());
    let role = role.ok_or_else(|| {
        Refusal::denied(&format!("not authorized to perform: sts:AssumeRole on resource: {arn}"))
    })?;
    let principal = Principal::Role(role.to_owned(), session.clone());
    let seconds = seconds(operation, 900, 43_200, 3600)?;
    let user = format!(
        "<AssumedRoleUser><Arn>arn:aws:sts::{}:assumed-role/{role}/{session}</Arn>\
         <AssumedRoleId>AROAEXAMPLEEXAMPLE000:{session}</AssumedRoleId></AssumedRoleUser>",
        account.id
    );
    Ok(credentials(account.begin(principal, Mfa::No, seconds)?)? + &user)
}

const TASKS: [&str; 5] = [
    "IAMAuditRootUserCredentials",
    "IAMCreateRootUserPassword",
    "IAMDeleteRootUserCredentials",
    "S3UnlockBucketPolicy",
    "SQSUnlockQueuePolicy",
];

fn assume_root(account: &mut Account, caller: &Caller, operation: &Operation) -> Result<String, Refusal> {
    let target = operation.required("TargetPrincipal")?;
    let policy = operation.required("TaskPolicyArn.arn")?;
    match (&caller.principal, caller.session) {
        (Principal::Root, _) => {
            return Err(Refusal::denied("You cannot use root user credentials to make this call"));
        }
        (Principal::User(_), Some(_)) => {
            return Err(Refusal::denied(
                "Cannot call AssumeRoot with session credentials of GetSessionToken",
            ));
        }
        (Principal::AssumedRoot(..), _) => {
            return Err(Refusal::denied("Cannot call AssumeRoot as an assumed root"));
        }
        (Principal::User(_), None) | (Principal::Role(..), _) => {}
    }
    let member =
        target.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root")).unwrap_or(target);
    if member.len() != 12 || !member.bytes().all(|b| b.is_ascii_digit()) || member == account.id {
        return Err(Refusal::denied("the target is not a member account of the organization"));
    }
    let task = policy.strip_prefix("arn:aws:iam::aws:policy/root-task/").filter(|task| TASKS.contains(task));
    let task = task.ok_or_else(|| Refusal::invalid("TaskPolicyArn is not one of AWS's task policies"))?;
    let seconds = seconds(operation, 0, 900, 900)?;
    credentials(account.begin(
        Principal::AssumedRoot(member.to_owned(), task.to_owned()),
        Mfa::No,
        seconds,
    )?)
}
