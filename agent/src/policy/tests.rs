//! The decision: refusals first, then that narrowing never widens and a denial always wins.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use proptest::prelude::*;
use signet_protocol::record::{Custody, Factor, KeyKind, Partition, Recipient};
use signet_protocol::rule::NamedRules;

fn meta(factors: &[FactorKind]) -> Metadata {
    let recipient = Recipient {
        kind: "yubikey-piv".to_owned(),
        serial: "1".to_owned(),
        slot: "95".to_owned(),
        public_key: String::new(),
        label: String::new(),
    };
    let factor = |kind: &FactorKind| Factor {
        id: "totp-1".to_owned(),
        kind: *kind,
        label: String::new(),
        created: String::new(),
        credential: None,
    };
    Metadata {
        version: 1,
        vault_id: String::new(),
        name: "prod".to_owned(),
        epoch: 1,
        created: String::new(),
        kind: KeyKind::Root,
        account: None,
        partition: Partition::Aws,
        access_key_id: String::new(),
        custody: Custody::Sealed,
        policy: Vec::new(),
        factors: factors.iter().map(factor).collect(),
        recipients: vec![recipient],
        holders: Vec::new(),
        previous: None,
    }
}

fn ask(action: &str, ceiling: &[Part], narrowing: Option<&PolicyFile>) -> Result<Permit, Denial> {
    ask_as(&meta(&[]), 1000, action, ceiling, narrowing)
}

fn ask_as(
    meta: &Metadata,
    peer_uid: u32,
    action: &str,
    ceiling: &[Part],
    narrowing: Option<&PolicyFile>,
) -> Result<Permit, Denial> {
    let region = (!action.starts_with("signet:")).then_some("us-east-1");
    let (kinds, means) = (&["yubikey-piv".to_owned()], Means::Opens);
    let question = Question { meta, kinds, means, peer_uid, action, region };
    match decide(&question, ceiling, narrowing) {
        Decision::Permit(permit) => Ok(permit),
        Decision::Denied(denial) => Err(denial),
    }
}

fn preset(name: &str) -> Vec<Part> {
    vec![Part::Preset(name.to_owned())]
}

fn own(text: &str) -> Vec<Part> {
    vec![Part::Rules(NamedRules { name: "mine".to_owned(), rule: file(text).rule })]
}

fn file(rules: &str) -> PolicyFile {
    read::parse(&format!("version = 1\n{rules}")).unwrap()
}

#[test]
fn what_no_rule_names_is_denied_with_the_command_that_would_allow_it() {
    let denial = ask("sts:GetSessionToken", &preset("root-only-tasks"), None).unwrap_err();
    assert_eq!((denial.rule.as_str(), denial.refusal.code), ("none", Code::Denied));
    assert_eq!(denial.refusal.hint.unwrap(), "signet policy set prod root-only-tasks session");
    let denial = ask("iam:CreateUser", &preset("session"), None).unwrap_err();
    assert_eq!(denial.refusal.hint.unwrap(), "signet policy set prod FILE");
    assert!(ask("iam:CreateAccessKey", &[], None).is_err());
    assert!(ask("", &preset("session"), None).is_err());
}

#[test]
fn a_policy_that_cannot_be_read_allows_nothing() {
    let mut broken = preset("session");
    broken.push(Part::Preset("unheard-of".to_owned()));
    assert_eq!(ask("sts:GetSessionToken", &broken, None).unwrap_err().rule, "unreadable");
    let mut bad = file("[[rule]]\nallow = [\"*\"]\n");
    bad.rule.push(Rule::default());
    assert_eq!(ask("sts:GetSessionToken", &preset("session"), Some(&bad)).unwrap_err().rule, "unreadable");
    assert_eq!(ask("signet:SetPolicy", &broken, None).unwrap_err().rule, "unreadable");
}

#[test]
fn a_denial_wins_wherever_it_stands() {
    let allow = "[[rule]]\nallow = [\"iam:*\"]\n";
    let deny = "[[rule]]\ndeny = [\"iam:Delete*\"]\n";
    let both = [own(&format!("{allow}{deny}")), own(&format!("{deny}{allow}"))];
    for ceiling in &both {
        let denial = ask("iam:DeleteAccessKey", ceiling, None).unwrap_err();
        assert!(denial.rule.starts_with("mine rule "), "{}", denial.rule);
        assert!(ask("iam:ListAccessKeys", ceiling, None).is_ok());
    }
    let everything = file(
        "[[rule]]\nallow = [\"*\"]\n[[rule]]\ndeny = [\"iam:deleteaccesskey\"]\n"
            .replace("deletea", "Deletea")
            .as_str(),
    );
    let denial = ask("iam:DeleteAccessKey", &preset("root-only-tasks"), Some(&everything)).unwrap_err();
    assert_eq!(denial.rule, "policy.toml rule 2");
}

#[test]
fn a_policy_file_must_allow_too_and_cannot_allow_more() {
    let wide = file("[[rule]]\nallow = [\"*\"]\n");
    let narrow = file("[[rule]]\nallow = [\"sts:*\"]\n");
    let empty = file("");
    let ceiling = preset("root-only-tasks");
    assert!(ask("iam:CreateUser", &ceiling, Some(&wide)).is_err());
    assert!(ask("iam:CreateAccessKey", &ceiling, Some(&narrow)).is_err());
    assert!(ask("sts:GetCallerIdentity", &ceiling, Some(&empty)).is_err());
    let permit = ask("sts:GetCallerIdentity", &ceiling, Some(&narrow)).unwrap();
    assert_eq!(permit.rule(), "root-only-tasks, policy.toml");
}

#[test]
fn a_rule_speaks_of_its_keys_uids_and_regions_only() {
    let conditions = ["keys = [\"other\"]", "uids = [0]", "regions = [\"eu-west-1\"]"];
    for condition in conditions {
        let rule = format!("[[rule]]\nallow = [\"*\"]\n{condition}\n");
        assert!(ask("iam:CreateUser", &own(&rule), None).is_err(), "{condition}");
        let deny = format!("[[rule]]\nallow = [\"*\"]\n[[rule]]\ndeny = [\"*\"]\n{condition}\n");
        assert!(ask("iam:CreateUser", &own(&deny), None).is_ok(), "{condition}");
    }
    let mine = "[[rule]]\nallow = [\"*\"]\nkeys = [\"prod\"]\nuids = [7, 1000]\nregions = [\"us-east-1\"]\n";
    assert!(ask("iam:CreateUser", &own(mine), None).is_ok());
    assert!(ask_as(&meta(&[]), 1001, "iam:CreateUser", &own(mine), None).is_err());
}

#[test]
fn a_factor_that_a_rule_names_must_be_there_and_the_keys_own_are_always_owed() {
    let rule = own("[[rule]]\nallow = [\"iam:*\"]\nfactors = [\"totp\"]\n");
    let denial = ask("iam:CreateUser", &rule, None).unwrap_err();
    assert_eq!(denial.refusal.hint.unwrap(), "signet factor add totp --key prod");
    let gated = meta(&[FactorKind::Totp]);
    for ceiling in [rule, own("[[rule]]\nallow = [\"*\"]\n")] {
        let permit = ask_as(&gated, 1000, "iam:CreateUser", &ceiling, None).unwrap();
        assert_eq!(permit.obligations().factors, [FactorKind::Totp]);
    }
}

#[test]
fn acts_on_the_vault_are_allowed_by_silence_and_denied_by_name() {
    for ceiling in [preset("session"), Vec::new()] {
        let permit = ask("signet:SetPolicy", &ceiling, Some(&file(""))).unwrap();
        assert_eq!(permit.rule(), "management");
        assert!(permit.obligations().touch_in_hardware && permit.obligations().pin);
    }
    let deny = file("[[rule]]\nallow = [\"*\"]\n[[rule]]\ndeny = [\"signet:SetPolicy\"]\n");
    assert!(ask("signet:SetPolicy", &[], Some(&deny)).is_err());
    assert!(ask("signet:Remove", &[], Some(&deny)).is_ok());
    // Whoever names them in `allow` has taken them in hand.
    let hand = file("[[rule]]\nallow = [\"signet:*\"]\nuids = [7]\n");
    assert!(ask("signet:SetPolicy", &[], Some(&hand)).is_err());
    assert!(ask_as(&meta(&[]), 7, "signet:SetPolicy", &[], Some(&hand)).is_ok());
    // Not a way to anything else.
    assert!(ask("signetx:SetPolicy", &[], None).is_err());
}

#[test]
fn token_acts_owe_nothing_and_can_be_denied() {
    let permit = |file: Option<&PolicyFile>| match decide_token_act("signet:EnrolToken", 1000, file) {
        Decision::Permit(permit) => Some(permit),
        Decision::Denied(_) => None,
    };
    assert_eq!(*permit(None).unwrap().obligations(), Obligations::default());
    assert!(permit(Some(&file(""))).is_some());
    assert!(permit(Some(&file("[[rule]]\ndeny = [\"signet:Enrol*\"]\n"))).is_none());
    assert!(permit(Some(&file("[[rule]]\nallow = [\"signet:*\"]\nuids = [7]\n"))).is_none());
    assert!(permit(Some(&file("[[rule]]\ndeny = [\"signet:*\"]\nkeys = [\"prod\"]\n"))).is_some());
}

const ACTIONS: &[&str] = &[
    "iam:CreateAccessKey",
    "iam:DeleteAccessKey",
    "sts:GetSessionToken",
    "lambda:GET /a/b?c",
    "signet:SetPolicy",
];
const PATTERNS: &[&str] = &[
    "*",
    "iam:*",
    "iam:Delete*",
    "sts:GetSessionToken",
    "lambda:GET /*/b?c",
    "signet:*",
    "signet:SetPolicy",
];

fn some_of(from: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    prop::sample::subsequence(from, 1..=2).prop_map(|texts| texts.into_iter().map(str::to_owned).collect())
}

fn a_rule() -> impl Strategy<Value = Rule> {
    let conditions = (
        prop::sample::select(vec![vec![], vec!["prod"], vec!["other"]]),
        prop::sample::select(vec![vec![], vec![1000], vec![7]]),
        prop::sample::select(vec![vec![], vec!["us-east-1"], vec!["eu-west-1"]]),
        any::<bool>(),
    );
    (some_of(PATTERNS), any::<bool>(), conditions).prop_map(
        |(actions, allows, (keys, uids, regions, totp))| {
            let texts = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
            let rule = Rule { keys: texts(keys), uids, regions: texts(regions), ..Rule::default() };
            let factors = if totp { vec!["totp".to_owned()] } else { Vec::new() };
            if allows { Rule { allow: actions, factors, ..rule } } else { Rule { deny: actions, ..rule } }
        },
    )
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    prop::collection::vec(a_rule(), 0..6)
}

proptest! {
    #[test]
    fn narrowing_never_widens(
        ceiling in rules(), narrowing in rules(), action in prop::sample::select(ACTIONS), totp in any::<bool>()
    ) {
        let meta = meta(if totp { &[FactorKind::Totp] } else { &[] });
        let ceiling = [Part::Rules(NamedRules { name: "mine".to_owned(), rule: ceiling })];
        let file = PolicyFile { version: 1, rule: narrowing };
        let without = ask_as(&meta, 1000, action, &ceiling, None);
        if let Ok(with) = ask_as(&meta, 1000, action, &ceiling, Some(&file)) {
            let without = without.unwrap();
            prop_assert_eq!(with.obligations(), without.obligations());
        }
    }

    #[test]
    fn a_matching_denial_always_wins(
        mut ceiling in rules(), mut narrowing in rules(), action in prop::sample::select(ACTIONS),
        place in any::<prop::sample::Index>(), in_file in any::<bool>()
    ) {
        let into = if in_file { &mut narrowing } else { &mut ceiling };
        into.insert(place.index(into.len() + 1), Rule { deny: vec!["*".to_owned()], ..Rule::default() });
        let ceiling = [Part::Rules(NamedRules { name: "mine".to_owned(), rule: ceiling })];
        let file = PolicyFile { version: 1, rule: narrowing };
        prop_assert!(ask(action, &ceiling, Some(&file)).is_err());
    }

    #[test]
    fn what_aws_does_is_allowed_only_where_a_rule_says_so(
        ceiling in rules(), action in prop::sample::select(ACTIONS)
    ) {
        let spoken = ceiling.iter().any(|rule| matches(&rule.allow, action));
        let parts = [Part::Rules(NamedRules { name: "mine".to_owned(), rule: ceiling })];
        let allowed = ask_as(&meta(&[FactorKind::Totp]), 1000, action, &parts, None).is_ok();
        prop_assert!(!allowed || spoken || action.starts_with("signet:"));
    }
}
