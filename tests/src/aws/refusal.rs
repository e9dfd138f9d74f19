//! What AWS answers when it refuses, in the three shapes its clients read.

use super::http::Reply;

/// An error of AWS's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
}

/// How an operation talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Form in, XML out: STS, IAM, and SQS's old way. With the namespace of the answer.
    Query(&'static str),
    /// REST with XML: S3.
    Rest,
    /// JSON in, JSON out: SQS.
    Json,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &str, message: &str) -> Self {
        Self { status, code: code.to_owned(), message: message.to_owned() }
    }

    pub(super) fn denied(message: &str) -> Self {
        Self::new(403, "AccessDenied", message)
    }

    pub(super) fn invalid(message: &str) -> Self {
        Self::new(400, "ValidationError", message)
    }

    /// The answer on the wire.
    pub(super) fn reply(&self, protocol: Protocol, request_id: &str) -> Reply {
        let (code, message) = (xml_text(&self.code), xml_text(&self.message));
        match protocol {
            Protocol::Query(namespace) => {
                let kind = if self.status < 500 { "Sender" } else { "Receiver" };
                let body = format!(
                    "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{code}</Code>\
                     <Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
                );
                Reply { status: self.status, content_type: "text/xml", headers: Vec::new(), body }
            }
            Protocol::Rest => {
                let body = format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
                     <Message>{message}</Message><RequestId>{request_id}</RequestId></Error>"
                );
                Reply { status: self.status, content_type: "application/xml", headers: Vec::new(), body }
            }
            Protocol::Json => {
                let body = serde_json::json!({
                    "__type": format!("com.amazonaws.sqs#{}", self.code), "message": self.message
                });
                // AWS's clients of the old protocol learn the old code from this header.
                let old = ("x-amzn-query-error", format!("{};Sender", self.code));
                Reply {
                    status: self.status,
                    content_type: "application/x-amz-json-1.0",
                    headers: vec![old],
                    body: body.to_string(),
                }
            }
        }
    }
}

/// Text as it may stand in XML.
pub(super) fn xml_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
