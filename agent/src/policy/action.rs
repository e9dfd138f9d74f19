//! How an action is written in a rule, and which actions that means.
//!
//! | written | means |
//! |---|---|
//! | `iam:CreateAccessKey` | this operation; case does not matter in an operation's name, as in IAM |
//! | `iam:Get*`, `iam:*`, `*` | every one that begins so; `*` ends the pattern |
//! | `lambda:GET /2015-03-31/functions/*` | a request of a service whose operations are not decoded |
//! | `s3:PUT /*?inventory` | a `*` before the end stands for one path segment |
//!
//! Services whose operations are always decoded have no path form, and S3, where most are, has one
//! only in `allow`: a denial by path would seem to cover operations that it does not.

/// Services whose every action is an operation's name.
const ALWAYS_DECODED: &[&str] = &["sts", "iam", "sqs", super::MANAGEMENT];
/// The service most of whose actions are.
const MOSTLY_DECODED: &str = "s3";

/// A pattern that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern<'a> {
    text: &'a str,
    /// `service:Operation`, not `service:METHOD /path`.
    names_operation: bool,
}

impl<'a> Pattern<'a> {
    /// Reads a pattern.
    pub(super) fn read(text: &'a str) -> Result<Self, &'static str> {
        if text == "*" {
            return Ok(Self { text, names_operation: true });
        }
        let (service, action) = text.split_once(':').ok_or("an action is service:Operation")?;
        if service.is_empty()
            || !service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            return Err("a service is written in lower case, without `*`");
        }
        match action.split_once(' ') {
            None => Self::operation(text, action),
            Some(_) if ALWAYS_DECODED.contains(&service) => {
                Err("actions of this service are written service:Operation")
            }
            Some((method, path)) => Self::path(text, method, path),
        }
    }

    fn operation(text: &'a str, operation: &str) -> Result<Self, &'static str> {
        let word = operation.strip_suffix('*').unwrap_or(operation);
        let begins = word.bytes().next().map_or(operation == "*", |b| b.is_ascii_uppercase());
        if begins && word.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Ok(Self { text, names_operation: true })
        } else {
            Err("an operation is a word that begins with a capital; `*` only at its end")
        }
    }

    fn path(text: &'a str, method: &str, path: &str) -> Result<Self, &'static str> {
        if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err("a method is written in capitals, without `*`");
        }
        if !path.starts_with('/') || !path.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("a path begins with `/` and is percent-encoded as on the wire");
        }
        let inner = path.strip_suffix('*').unwrap_or(path);
        let (before_query, query) = inner.split_once('?').unwrap_or((inner, ""));
        if query.contains('*') || before_query.matches('*').count() > 1 {
            return Err("a `*` stands at the end, and once in the path before `?`");
        }
        Ok(Self { text, names_operation: false })
    }

    /// Whether a denial may be written so.
    pub(super) fn may_deny(&self) -> Result<(), &'static str> {
        let mostly = self.text.split_once(':').is_some_and(|(service, _)| service == MOSTLY_DECODED);
        if mostly && !self.names_operation {
            return Err("deny operations of s3 by name: a path matches only requests that have none");
        }
        Ok(())
    }

    /// Whether it speaks of Signet's own acts, and not just of everything.
    pub(super) fn names_service(&self, service: &str) -> bool {
        self.text.split_once(':').is_some_and(|(named, _)| named == service)
    }

    /// Whether it means `action`.
    pub(super) fn matches(&self, action: &str) -> bool {
        let (pattern, open) = match self.text.strip_suffix('*') {
            Some(pattern) => (pattern, true),
            None => (self.text, false),
        };
        if self.names_operation {
            return match action.get(..pattern.len()) {
                Some(head) => head.eq_ignore_ascii_case(pattern) && (open || head.len() == action.len()),
                None => false,
            };
        }
        match pattern.split_once('*') {
            None => ends(action, pattern, open),
            Some((before, after)) => action.strip_prefix(before).is_some_and(|rest| {
                let segment = rest.find(['/', '?']).unwrap_or(rest.len());
                // The segment may go on with what stands behind the star: each place is tried.
                (1..=segment).any(|end| rest.get(end..).is_some_and(|rest| ends(rest, after, open)))
            }),
        }
    }
}

fn ends(text: &str, pattern: &str, open: bool) -> bool {
    if open { text.starts_with(pattern) } else { text == pattern }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn means(pattern: &str, action: &str) -> bool {
        Pattern::read(pattern).unwrap().matches(action)
    }

    #[test]
    fn an_operation_is_matched_whole_or_by_its_beginning() {
        assert!(means("iam:CreateAccessKey", "iam:CreateAccessKey"));
        assert!(means("iam:CreateAccesskey", "iam:CreateAccessKey"));
        assert!(means("iam:Create*", "iam:CreateUser") && means("iam:*", "iam:CreateUser"));
        assert!(means("*", "lambda:GET /x") && means("*", "signet:SetPolicy"));
        for other in ["iam:CreateAccessKeys", "iam:CreateAccess", "sts:CreateAccessKey", "iam:"] {
            assert!(!means("iam:CreateAccessKey", other), "{other}");
        }
        assert!(!means("iam:Create*", "iam:DeleteUser") && !means("s3:*", "s3control:PUT /"));
        assert!(!means("iam:Create*", "iam:CreatÄ"), "no character is cut in two");
    }

    #[test]
    fn a_path_is_matched_exactly_and_a_star_inside_is_one_segment() {
        assert!(means("s3:PUT /*?inventory", "s3:PUT /bucket?inventory"));
        for other in [
            "s3:PUT /bucket",
            "s3:PUT /bucket/key?inventory",
            "s3:PUT /?inventory",
            "s3:GET /bucket?inventory",
        ] {
            assert!(!means("s3:PUT /*?inventory", other), "{other}");
        }
        assert!(!means("s3:PUT /*?inventory", "s3:PUT /bucket?inventory&id=1"));
        assert!(means("s3:PUT /*?inventory*", "s3:PUT /bucket?inventory&id=1"));
        assert!(means("lambda:GET /v1/*", "lambda:GET /v1/functions/f?x=1"));
        assert!(means("x:GET /a*b/c", "x:GET /abb/c") && !means("x:GET /a*b/c", "x:GET /ab/c"));
        assert!(!means("lambda:GET /V1/x", "lambda:GET /v1/x"));
    }

    #[test]
    fn a_pattern_that_means_something_else_than_it_seems_to_is_refused() {
        let bad = [
            "",
            "iam",
            ":X",
            "iam:",
            "iam:createUser",
            "iam:Create*Key",
            "IAM:CreateUser",
            "*:CreateUser",
            "i*:X",
            "iam:POST /",
            "sts:POST /*",
            "signet:POST /",
            "s3:put /x",
            "s3:PUT x",
            "s3:PUT /a*b*c",
            "s3:PUT /x?*a",
            "s3:PUT /a b",
            "s3: /x",
            "iam:Create User",
            "iam:**",
        ];
        for text in bad {
            assert!(Pattern::read(text).is_err(), "{text}");
        }
        assert!(Pattern::read("s3:PUT /x*").unwrap().may_deny().is_err());
        assert!(Pattern::read("s3:Put*").unwrap().may_deny().is_ok());
        assert!(Pattern::read("lambda:GET /x*").unwrap().may_deny().is_ok());
    }
}
