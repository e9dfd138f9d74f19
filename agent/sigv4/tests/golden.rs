//! The cases in `golden/`, whose results botocore computed.

#![allow(clippy::unwrap_used)]

use signet_sigv4::{DateKey, Request, authorization, prepare, string_to_sign};
use std::fs;
use std::path::Path;

fn run(folder: &Path) {
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let case = folder.display();
    let (message, scope) = (read("request.txt"), read("scope.txt"));
    let (head, body) = message.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let (method, url) = (first.next().unwrap(), first.next().unwrap());
    let headers: Vec<(String, String)> =
        lines.map(|line| line.split_once(": ").unwrap()).map(|(n, v)| (n.into(), v.into())).collect();
    let mut scope = scope.split_whitespace();
    let (service, region, date) = (scope.next().unwrap(), scope.next().unwrap(), scope.next().unwrap());
    let request = Request { service, region, method, url, headers: &headers, body: Some(body.as_bytes()) };
    let prepared = prepare(&request, date).unwrap();
    assert_eq!(prepared.canonical(), read("canonical.txt"), "{case}");
    assert_eq!(string_to_sign(&prepared), read("string-to-sign.txt"), "{case}");
    let key = DateKey::derive(b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", date).unwrap();
    let value = authorization("AKIDEXAMPLE", &prepared, &key.sign(&prepared).unwrap());
    assert_eq!(value, read("authorization.txt"), "{case}");
    assert_eq!(prepared.action(), read("action.txt").trim_end(), "{case}");
}

#[test]
fn every_case_agrees_with_botocore() {
    let mut ran = 0;
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/golden")).unwrap() {
        let folder = entry.unwrap().path();
        if folder.is_dir() {
            run(&folder);
            ran += 1;
        }
    }
    assert!(ran >= 14, "{ran} cases");
}
