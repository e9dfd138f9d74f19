//! The presets: data. Every action is named, none by a `*`.

use signet_protocol::rule::{NamedRules, Rule};

struct Preset {
    name: &'static str,
    allow: &'static [&'static str],
}

const PRESETS: &[Preset] = &[
    // The tasks of the IAM guide's "Tasks that require root user credentials" that AWS's API can do
    // with a long-term root key; the rest is done in the console only.
    Preset {
        name: "root-only-tasks",
        allow: &[
            "sts:GetCallerIdentity",
            // Root's own access keys and signing certificates.
            "iam:CreateAccessKey",
            "iam:ListAccessKeys",
            "iam:UpdateAccessKey",
            "iam:DeleteAccessKey",
            "iam:UploadSigningCertificate",
            "iam:ListSigningCertificates",
            "iam:UpdateSigningCertificate",
            "iam:DeleteSigningCertificate",
            // Restoring the permissions of the last administrator, and seeing what he has.
            "iam:GetUser",
            "iam:ListUsers",
            "iam:ListUserPolicies",
            "iam:GetUserPolicy",
            "iam:PutUserPolicy",
            "iam:DeleteUserPolicy",
            "iam:ListAttachedUserPolicies",
            "iam:AttachUserPolicy",
            "iam:DetachUserPolicy",
            "iam:ListGroupsForUser",
            "iam:ListGroupPolicies",
            "iam:GetGroupPolicy",
            "iam:PutGroupPolicy",
            "iam:DeleteGroupPolicy",
            "iam:ListAttachedGroupPolicies",
            "iam:AttachGroupPolicy",
            "iam:DetachGroupPolicy",
            "iam:ListRolePolicies",
            "iam:GetRolePolicy",
            "iam:PutRolePolicy",
            "iam:DeleteRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:AttachRolePolicy",
            "iam:DetachRolePolicy",
            "iam:GetLoginProfile",
            "iam:CreateLoginProfile",
            // S3 MFA Delete: a root key and its API are the only way.
            "s3:GetBucketVersioning",
            "s3:PutBucketVersioning",
            // A bucket policy that denies everybody.
            "s3:ListBuckets",
            "s3:GetBucketPolicy",
            "s3:PutBucketPolicy",
            "s3:DeleteBucketPolicy",
            // A queue policy that denies everybody.
            "sqs:ListQueues",
            "sqs:GetQueueUrl",
            "sqs:GetQueueAttributes",
            "sqs:SetQueueAttributes",
        ],
    },
    // The IAM user that may act as the root user of member accounts. Root itself can call neither
    // AssumeRoot nor AssumeRole.
    Preset { name: "assume-root", allow: &["sts:AssumeRoot", "sts:GetCallerIdentity"] },
    // Session credentials for stock tools: for an hour they are worth the key itself.
    Preset { name: "session", allow: &["sts:GetSessionToken", "sts:GetCallerIdentity"] },
];

impl Preset {
    fn rules(&self) -> NamedRules {
        let allow = self.allow.iter().map(|action| (*action).to_owned()).collect();
        NamedRules { name: self.name.to_owned(), rule: vec![Rule { allow, ..Rule::default() }] }
    }
}

/// Every preset with its rules.
#[must_use]
pub fn presets() -> Vec<NamedRules> {
    PRESETS.iter().map(Preset::rules).collect()
}

/// The rules of one.
pub(super) fn find(name: &str) -> Option<NamedRules> {
    PRESETS.iter().find(|preset| preset.name == name).map(Preset::rules)
}

/// The first preset that allows an action, for the hint of a denial.
pub(super) fn that_allows(action: &str) -> Option<&'static str> {
    PRESETS.iter().find(|preset| preset.allow.contains(&action)).map(|preset| preset.name)
}
