//! A caller of our own at the agent's socket: what the command line would never send.

use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Posts JSON; gives the status and the last JSON line of the answer.
pub fn post(socket: &Path, path: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: signet\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status =
        answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"));
    let last = answer.lines().rfind(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{answer}"));
    (status, serde_json::from_str(last).unwrap())
}

/// A use of `prod` that signs what `edit` makes of a good GetCallerIdentity at `host`.
pub fn sign(host: &str, edit: impl FnOnce(&mut Value)) -> Value {
    let mut request = json!({
        "service": "sts", "region": "us-east-1", "method": "POST", "url": format!("http://{host}/"),
        "headers": [["content-type", "application/x-www-form-urlencoded"]],
        "body": "QWN0aW9uPUdldENhbGxlcklkZW50aXR5JlZlcnNpb249MjAxMS0wNi0xNQ==",
    });
    edit(&mut request);
    json!({"version":1,"key":"prod","act":{"sign":request},"reason":null,"may_ask":false,"lease":null})
}
