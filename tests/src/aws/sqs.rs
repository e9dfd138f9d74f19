//! SQS: queue attributes, in the JSON form of today and the query form of before.

use super::account::{Account, Caller, Principal};
use super::iam::{denies_all, is_policy};
use super::operation::Operation;
use super::refusal::{Protocol, Refusal, xml_text};
use serde_json::json;
use std::collections::BTreeMap;

/// The answer's body: XML inside the result element, or JSON.
pub(super) fn answer(
    account: &mut Account,
    caller: &Caller,
    operation: &Operation,
    host: &str,
) -> Result<String, Refusal> {
    let own = account.id.clone();
    let url = |name: &str| format!("http://{host}/{own}/{name}");
    let json = operation.protocol == Protocol::Json;
    match operation.name.as_str() {
        "ListQueues" => {
            let prefix = operation.parameter("QueueNamePrefix").unwrap_or_default();
            let urls: Vec<String> =
                account.queues.keys().filter(|name| name.starts_with(prefix)).map(|n| url(n)).collect();
            let xml = urls.iter().map(|url| format!("<QueueUrl>{}</QueueUrl>", xml_text(url))).collect();
            Ok(if json { json!({"QueueUrls": urls}).to_string() } else { xml })
        }
        "GetQueueUrl" => {
            let name = operation.required("QueueName")?;
            if !account.queues.contains_key(name) {
                return Err(no_queue());
            }
            let url = url(name);
            Ok(if json {
                json!({"QueueUrl": url}).to_string()
            } else {
                format!("<QueueUrl>{}</QueueUrl>", xml_text(&url))
            })
        }
        "GetQueueAttributes" => {
            let name = queue_of(account, caller, operation)?;
            let attributes = account.queues.get(&name).cloned().unwrap_or_default();
            let wanted = wanted(operation);
            let shown: BTreeMap<String, String> = attributes
                .into_iter()
                .filter(|(name, _)| wanted.iter().any(|one| one == "All" || one == name))
                .collect();
            let member = |(name, value): (&String, &String)| {
                let (name, value) = (xml_text(name), xml_text(value));
                format!("<Attribute><Name>{name}</Name><Value>{value}</Value></Attribute>")
            };
            Ok(if json {
                json!({"Attributes": shown}).to_string()
            } else {
                shown.iter().map(member).collect()
            })
        }
        "SetQueueAttributes" => {
            let name = queue_of(account, caller, operation)?;
            let given = given(operation);
            let unsound =
                |(name, value): &(String, String)| name == "Policy" && !value.is_empty() && !is_policy(value);
            if given.is_empty() || given.iter().any(unsound) {
                return Err(Refusal::new(
                    400,
                    "InvalidAttributeValue",
                    "Invalid value for the parameter Policy.",
                ));
            }
            let attributes = account.queues.get_mut(&name).ok_or_else(no_queue)?;
            for (name, value) in given {
                if value.is_empty() {
                    attributes.remove(&name);
                } else {
                    attributes.insert(name, value);
                }
            }
            Ok(if json { "{}".into() } else { String::new() })
        }
        other => Err(Refusal::new(400, "InvalidAction", &format!("Could not find operation {other}"))),
    }
}

/// The queue of `QueueUrl`; a policy that denies everybody leaves root alone, and root assumed for it.
fn queue_of(account: &Account, caller: &Caller, operation: &Operation) -> Result<String, Refusal> {
    let url = operation.required("QueueUrl")?;
    let name = url.rsplit_once(&format!("/{}/", account.id)).map(|(_, name)| name).ok_or_else(no_queue)?;
    let queue = account.queues.get(name).ok_or_else(no_queue)?;
    let locked = queue.get("Policy").is_some_and(|policy| denies_all(policy));
    let allowed = match &caller.principal {
        Principal::Root => true,
        Principal::User(_) | Principal::Role(..) => !locked,
        Principal::AssumedRoot(_, task) => task == "SQSUnlockQueuePolicy",
    };
    if allowed { Ok(name.to_owned()) } else { Err(Refusal::denied("Access to the resource is denied.")) }
}

/// `AttributeNames` in JSON, `AttributeName.1` … in the form.
fn wanted(operation: &Operation) -> Vec<String> {
    let listed = operation.parameter("AttributeNames").unwrap_or_default().split(',').map(str::to_owned);
    let numbered = operation.parameters.iter().filter(|(name, _)| name.starts_with("AttributeName."));
    listed.chain(numbered.map(|(_, value)| value.clone())).collect()
}

/// `Attributes.Policy` in JSON, `Attribute.1.Name` and `Attribute.1.Value` in the form.
fn given(operation: &Operation) -> Vec<(String, String)> {
    let of_json = operation.parameters.iter().filter_map(|(name, value)| {
        name.strip_prefix("Attributes.").map(|name| (name.to_owned(), value.clone()))
    });
    let of_form = operation.parameters.iter().filter_map(|(name, attribute)| {
        let number = name.strip_prefix("Attribute.")?.strip_suffix(".Name")?;
        let value = operation.parameter(&format!("Attribute.{number}.Value"))?;
        Some((attribute.clone(), value.to_owned()))
    });
    of_json.chain(of_form).collect()
}

fn no_queue() -> Refusal {
    Refusal::new(400, "QueueDoesNotExist", "The specified queue does not exist.")
}
