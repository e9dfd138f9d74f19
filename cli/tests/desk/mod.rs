//! A vault as the stub agent tells of it: one token whose private key the test holds, so that a record
//! which was sealed to it can be opened, and keys that appear when they are added.

#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use crate::stub::{StubAgent, Use};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::rand::SystemRandom;
use serde_json::{Value, json};
use signet_envelope::{PublicKey, Record};
use std::sync::{Arc, Mutex};

pub(crate) const SERIAL: &str = "42";

/// What the agent holds, shared with its threads.
pub(crate) struct Vault {
    private: Mutex<Option<EphemeralPrivateKey>>,
    pub(crate) public: PublicKey,
    pub(crate) keys: Mutex<Vec<Value>>,
    /// Names of keys whose record was changed.
    pub(crate) refused: Mutex<Vec<&'static str>>,
    /// Metadata and payload of the record that was added.
    pub(crate) added: Mutex<Option<(Value, Value)>>,
    /// Whether policy allows what is explained.
    pub(crate) allows: bool,
    /// Why no key can be written into the token.
    no_embed: Mutex<Option<&'static str>>,
    /// Whether the token was lost.
    lost: Mutex<bool>,
}

impl Vault {
    pub(crate) fn new(keys: Vec<Value>, allows: bool) -> Arc<Self> {
        let private = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
        let public = PublicKey::from_bytes(private.compute_public_key().unwrap().as_ref()).unwrap();
        Arc::new(Self {
            private: Mutex::new(Some(private)),
            public,
            keys: Mutex::new(keys),
            refused: Mutex::default(),
            added: Mutex::default(),
            allows,
            no_embed: Mutex::default(),
            lost: Mutex::default(),
        })
    }

    /// From now on no key can be written into the token.
    pub(crate) fn refuse_embed(&self, why: Option<&'static str>) {
        *self.no_embed.lock().unwrap() = why;
    }

    /// From now on the token is a lost one.
    pub(crate) fn lose_token(&self) {
        *self.lost.lock().unwrap() = true;
    }

    /// An agent that serves it.
    pub(crate) fn agent(self: &Arc<Self>) -> StubAgent {
        let vault = Arc::clone(self);
        StubAgent::new(move |session| vault.serve(session))
    }

    fn serve(&self, session: &mut Use) {
        match session.line.clone().as_str() {
            "get /v1/status" => session.say(&status()),
            "get /v1/keys" => {
                let keys = self.keys.lock().unwrap().clone();
                let refused: Vec<Value> =
                    self.refused.lock().unwrap().iter().map(|name| changed(name)).collect();
                session.say(&json!({"version": 1, "keys": keys, "refused": refused}));
            }
            "get /v1/tokens" => session.say(&json!({"version": 1, "tokens": [self.token()]})),
            "post /v1/tokens" => {
                session.accept();
                let managed = json!({"managed": "credential", "device": "Example FIDO Reader 00 00",
                    "credential": credential("bmV3"), "warnings": ["no pin is set"]});
                session.say(&json!({"event": "done", "managed": managed}));
            }
            "get /v1/policy/presets" => session.say(&json!({"version": 1, "presets": [
                {"name": "root-only-tasks", "rule": [{"allow": ["iam:CreateAccessKey"]}]},
                {"name": "assume-root", "rule": [{"allow": ["sts:AssumeRoot"]}]},
                {"name": "session", "rule": [{"allow": ["sts:GetSessionToken"]}]}]})),
            "post /v1/policy/check" => {
                let name = session.request()["name"].clone();
                session.say(&json!({"name": name, "rule": [{"allow": ["sts:*"]}]}));
            }
            "post /v1/policy/explain" => session.say(&json!({"version": 1, "action": "sts:GetSessionToken",
                "allowed": self.allows, "rule": "default", "obligations": ["pin", "touch"]})),
            "post /v1/uses" => self.used(session),
            line if line.starts_with("delete ") || line.ends_with("/account") => {
                session.say(&json!({"version": 1, "sessions": []}));
            }
            other => panic!("{other}"),
        }
    }

    fn used(&self, session: &mut Use) {
        session.accept();
        let request = session.request();
        let Some(record) = request["act"]["add"]["record"].as_str() else {
            let no_embed = *self.no_embed.lock().unwrap();
            return if let (true, Some(why)) = (request["act"]["embed"].is_object(), no_embed) {
                session.say(&json!({"event": "refused", "error": {"code": "unsupported", "message": why,
                    "hint": "ykman oath accounts list"}}));
            } else if request["act"]["sign"].is_object() {
                session.sign();
            } else {
                session.say(&json!({"event": "done", "managed": null}));
            };
        };
        let record = Record::parse(&STANDARD.decode(record).unwrap()).unwrap();
        let enc = record.enc_for(&self.public).unwrap();
        let private = self.private.lock().unwrap().take().unwrap();
        let point = UnparsedPublicKey::new(&ECDH_P256, enc);
        let dh = agree_ephemeral(private, &point, |dh| <[u8; 32]>::try_from(dh).unwrap()).unwrap();
        let payload = record.open(&self.public, &enc, &dh).unwrap();
        let meta: Value = serde_json::from_slice(record.meta()).unwrap();
        let payload: Value = serde_json::from_slice(&payload).unwrap();
        self.keys.lock().unwrap().push(key(
            meta["name"].as_str().unwrap(),
            meta["kind"].as_str().unwrap(),
            &meta["account"],
        ));
        *self.added.lock().unwrap() = Some((meta, payload));
        session.say(&json!({"event": "done", "managed": null}));
    }

    pub(crate) fn token(&self) -> Value {
        let mut token = json!({"serial": SERIAL, "kind": "yubikey-piv", "label": "safe", "slot": "95",
            "spki_sha256": self.fingerprint(), "firmware": "5.7.1", "attested": true, "present": true,
            "recipient": self.recipient()});
        if *self.lost.lock().unwrap() {
            token["lost"] = "2026-11-22T17:03:41Z".into();
        }
        token
    }

    pub(crate) fn recipient(&self) -> Value {
        json!({"kind": "yubikey-piv", "serial": SERIAL, "slot": "95",
            "public_key": STANDARD.encode(self.public.as_bytes()), "label": "safe"})
    }

    pub(crate) fn fingerprint(&self) -> String {
        signet_envelope::hex(&signet_envelope::sha256(&self.public.spki_der()))
    }
}

/// A key whose record was changed, as the agent lists it.
fn changed(name: &str) -> Value {
    json!({"name": name, "error": {"code": "rollback", "message": format!("the record of {name} was changed"),
        "hint": "signet doctor"}})
}

/// A key as the agent lists it.
pub(crate) fn key(name: &str, kind: &str, account: &Value) -> Value {
    json!({"name": name, "kind": kind, "account": account, "partition": "aws",
        "access_key_id": "AKIAIOSFODNN7EXAMPLE", "custody": "sealed", "tokens": [SERIAL],
        "factors": ["totp-1"], "policy": ["root-only-tasks"], "mfa_serial": null,
        "created": "2026-01-01T00:00:00Z", "epoch": 1, "last_used": null, "rotate": null,
        "factor_details": [{"id": "totp-1", "kind": "totp", "label": "phone", "created": "2026-01-01T00:00:00Z"}],
        "policy_parts": ["root-only-tasks"]})
}

/// A credential whose key nobody holds.
pub(crate) fn credential(id: &str) -> Value {
    json!({"id": id, "algorithm": "es256", "public_key": STANDARD.encode([4; 65]), "aaguid": "0".repeat(32),
        "transports": ["usb"], "user_verification": true, "counter": 7})
}

pub(crate) fn status() -> Value {
    json!({"version": 1, "agent_version": env!("CARGO_PKG_VERSION"), "pid": 7, "uid": 1000, "uptime": 5,
        "socket": "/s", "state_dir": "/nonexistent/state", "config": null, "policy": null,
        "vault_id": "0123456789abcdef0123456789abcdef", "kinds": ["software"],
        "extra_hosts": ["127.0.0.1:4566"], "pcsc_socket": "",
        "hardening": [{"name": "no core dumps", "on": true, "why": null},
            {"name": "memory locked", "on": false, "why": "the limit of locked memory is 8192 KiB"}],
        "head": {"version": 1, "seq": 0, "hash": "0".repeat(64)}, "anchor": "",
        "counts": {"keys": 0, "tokens": 1, "sessions": 0}})
}
