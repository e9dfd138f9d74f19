//! Which operation a request is, with its parameters. Told apart by form, header or path alone, so that
//! the scope can be held against it.

use super::http::Message;
use super::refusal::{Protocol, Refusal};
use super::verify::unescape;
use serde_json::Value;
use std::collections::BTreeMap;

/// The services that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Sts,
    Iam,
    S3,
    Sqs,
}

impl Service {
    /// The name in a scope.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::S3 => "s3",
            Self::Sqs => "sqs",
        }
    }

    pub(super) fn is_s3(self) -> bool {
        self == Self::S3
    }

    /// Version and namespace of the query protocol.
    const fn query(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Sts => Some(("2011-06-15", "https://sts.amazonaws.com/doc/2011-06-15/")),
            Self::Iam => Some(("2010-05-08", "https://iam.amazonaws.com/doc/2010-05-08/")),
            Self::Sqs => Some(("2012-11-05", "http://queue.amazonaws.com/doc/2012-11-05/")),
            Self::S3 => None,
        }
    }
}

/// The operations that are there, by service.
const KNOWN: &[(Service, &[&str])] = &[
    (Service::Sts, &["GetCallerIdentity", "GetSessionToken", "AssumeRole", "AssumeRoot"]),
    (
        Service::Iam,
        &[
            "CreateAccessKey",
            "ListAccessKeys",
            "UpdateAccessKey",
            "DeleteAccessKey",
            "PutUserPolicy",
            "AttachUserPolicy",
        ],
    ),
    (Service::Sqs, &["GetQueueAttributes", "SetQueueAttributes", "ListQueues", "GetQueueUrl"]),
];

/// A request, understood.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) service: Service,
    pub(super) name: String,
    pub(super) protocol: Protocol,
    /// Parameters of the form, or members of the JSON (`Attributes.Policy`).
    pub(super) parameters: BTreeMap<String, String>,
    /// Bucket of an S3 request; empty where there is none.
    pub(super) bucket: String,
}

impl Operation {
    /// Reads what is asked for.
    pub(super) fn read(message: &Message) -> Result<Self, (Refusal, Protocol)> {
        if let Some(target) = message.one("x-amz-target") {
            return json(message, target).map_err(|refusal| (refusal, Protocol::Json));
        }
        let form = message
            .one("content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let in_query = message.query.split('&').any(|pair| pair.starts_with("Action="));
        if form || in_query {
            return query(message, form);
        }
        rest(message).map_err(|refusal| (refusal, Protocol::Rest))
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// A parameter that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.parameter(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            let text =
                format!("1 validation error detected: Value null at '{name}' failed to satisfy constraint");
            Refusal::invalid(&text)
        })
    }
}

fn service_of(name: &str) -> Option<Service> {
    KNOWN.iter().find(|(_, names)| names.contains(&name)).map(|(service, _)| *service)
}

fn query(message: &Message, form: bool) -> Result<Operation, (Refusal, Protocol)> {
    let unknown = Protocol::Query("http://webservices.amazon.com/AWSFault/2005-15-09");
    let fault = |code: &str, text: &str| (Refusal::new(400, code, text), unknown);
    let body = if form { std::str::from_utf8(&message.body).unwrap_or_default() } else { "" };
    let mut parameters = BTreeMap::new();
    for pair in message.query.split('&').chain(body.split('&')).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let text = |raw: &str| String::from_utf8(unescape(raw, true)).ok();
        let (Some(name), Some(value)) = (text(name), text(value)) else {
            return Err(fault("MalformedInput", "a parameter is not UTF-8"));
        };
        if parameters.insert(name, value).is_some() {
            return Err(fault("MalformedInput", "a parameter stands twice"));
        }
    }
    let name = parameters.get("Action").cloned().unwrap_or_default();
    let Some(service) = service_of(&name) else {
        return Err(fault("InvalidAction", &format!("Could not find operation {name}")));
    };
    let (version, namespace) = service.query().unwrap_or_default();
    if parameters.get("Version").map(String::as_str) != Some(version) {
        return Err(fault("InvalidAction", &format!("Could not find operation {name} for that version")));
    }
    Ok(Operation { service, name, protocol: Protocol::Query(namespace), parameters, bucket: String::new() })
}

fn json(message: &Message, target: &str) -> Result<Operation, Refusal> {
    let unknown = || Refusal::new(400, "UnknownOperationException", "The operation is not known");
    let name = target.strip_prefix("AmazonSQS.").ok_or_else(unknown)?;
    if service_of(name) != Some(Service::Sqs) || message.method != "POST" {
        return Err(unknown());
    }
    let members = match serde_json::from_slice(&message.body) {
        Ok(Value::Object(members)) => members,
        Ok(_) | Err(_) => {
            return Err(Refusal::new(400, "SerializationException", "the body is no JSON object"));
        }
    };
    let mut parameters = BTreeMap::new();
    for (name, value) in members {
        match value {
            Value::Object(inner) => parameters.extend(
                inner
                    .into_iter()
                    .map(|(key, value)| (format!("{name}.{key}"), value.as_str().unwrap_or_default().into())),
            ),
            Value::Array(items) => {
                let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                parameters.insert(name, items.join(","));
            }
            Value::String(text) => drop(parameters.insert(name, text)),
            other => drop(parameters.insert(name, other.to_string())),
        }
    }
    let name = name.to_owned();
    Ok(Operation { service: Service::Sqs, name, protocol: Protocol::Json, parameters, bucket: String::new() })
}

/// S3 in path style: `/`, `/bucket?policy`, `/bucket?versioning`.
fn rest(message: &Message) -> Result<Operation, Refusal> {
    let path = message.path.strip_prefix('/').unwrap_or_default();
    let bucket = path.strip_suffix('/').unwrap_or(path);
    let selector: Vec<&str> = message
        .query
        .split('&')
        .map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
        .filter(|name| !name.is_empty() && *name != "x-id")
        .collect();
    let name = match (message.method.as_str(), bucket.is_empty(), selector.as_slice()) {
        ("GET", true, []) => "ListBuckets",
        ("GET", false, ["policy"]) => "GetBucketPolicy",
        ("PUT", false, ["policy"]) => "PutBucketPolicy",
        ("DELETE", false, ["policy"]) => "DeleteBucketPolicy",
        ("GET", false, ["versioning"]) => "GetBucketVersioning",
        ("PUT", false, ["versioning"]) => "PutBucketVersioning",
        _ => {
            return Err(Refusal::new(
                400,
                "NotImplemented",
                "A header you provided implies functionality that is not implemented",
            ));
        }
    };
    if bucket.contains('/') {
        return Err(Refusal::new(400, "NotImplemented", "objects are not kept here"));
    }
    Ok(Operation {
        service: Service::S3,
        name: name.into(),
        protocol: Protocol::Rest,
        parameters: BTreeMap::new(),
        bucket: bucket.into(),
    })
}
