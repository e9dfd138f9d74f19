//! The agent's memory while a key is used that a FIDO2 authenticator opens and approves: no PIN, nothing of
//! what the authenticator computes, no key made of it, and nothing that signer and authenticator have agreed
//! on is ever in it. The signer that waits for a touch is the control: it holds some of that, and must.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod scan;

use std::collections::BTreeSet;

use scan::{
    REQUEST, Wanted, blinks, days, letters, nothing_on_disk, planted_in_a_child, sign, signed, signer_of,
    signers_of, watched,
};
use signet_tests::card::{Card, Fido, Profile, Touch};
use signet_tests::harness::{Setup, Signet};
use signet_tests::pcsc::Pcscd;

/// Twelve characters that are not found by accident.
const PIN: &str = "wQ7&zK-ü9x%V";
/// Uses of each test: some twenty in all.
const USES: usize = 10;

/// A key that an authenticator opens, and approves.
struct Desk {
    signet: Signet,
    card: Card,
    agent: u32,
    /// The PIN, the output of hmac-secret and the key made of it.
    wanted: Wanted,
    _pcscd: Pcscd,
}

/// What an authenticator has shared since it was last asked.
fn shared(card: &Card, wanted: &mut Wanted) -> usize {
    let secrets = card.fido_secrets();
    for (name, bytes) in &secrets {
        wanted.add_forms(name, bytes);
        wanted.add_pads(name, bytes);
    }
    secrets.len()
}

impl Desk {
    fn new(fido: Fido) -> Self {
        let pcscd = Pcscd::start();
        let card = Card::insert(&pcscd, Profile::bare().fido(fido));
        card.set_fido_pin(Some(PIN));
        let signet = Signet::start(&Setup { kinds: &["fido2"], pcscd: Some(&pcscd), ..Setup::default() });
        let agent = signet.agent_pid().unwrap();
        signet.answer("fido-pin", &[PIN]);
        signet.answer("confirm", &["yes"]);
        let _ = signet.run(&["init", "--yes"]).ok();
        let (mut wanted, secret) = (Wanted::default(), letters(40));
        let add = ["add", "root", "--kind", "root", "--stdin", "--no-verify", "--fido2"];
        let _ = signet.run_with(&add, format!("AKIAIOSFODNN7EXAMPLE\n{secret}\n").as_bytes()).ok();

        wanted.add_secret("the secret", &secret, &days());
        wanted.add_pin("the pin", PIN, &[0; 2]);
        wanted.add_forms("the pin's hash", &signet_envelope::sha256(PIN.as_bytes())[..16]);
        // The token's credential was made before the factor's.
        let credential = card.fido_credentials().remove(0);
        let output = card.fido_answer(&credential, signet_protocol::approval::SEALING_SALT).unwrap();
        let key = signet_envelope::private_key(&output).unwrap();
        for (name, bytes) in [("the output of hmac-secret", &output[..]), ("the private key", &key[..])] {
            wanted.add_forms(name, bytes);
            wanted.add_pads(name, bytes);
            // As a big number is kept: its lowest word first.
            wanted.add(&format!("{name}, words"), &bytes.iter().rev().copied().collect::<Vec<u8>>());
        }
        Self { signet, card, agent, wanted, _pcscd: pcscd }
    }

    /// Uses of the key; what was shared in each is looked for after it, and all of it after all of them.
    fn is_used(&self) {
        let Self { signet, card, agent, wanted, .. } = self;
        // That of the enrolment too.
        let mut all = Wanted::default();
        assert!(shared(card, &mut all) > 0);
        let scans = watched(wanted, *agent, || {
            for number in 0..USES {
                signed(sign(signet, "root", &[]));
                let mut of_use = Wanted::default();
                // A token for each touch, and three keys agreed on, one of them for the salt.
                assert_eq!(shared(card, &mut of_use), 2 + 3 * 3);
                assert_eq!(of_use.scan(*agent), BTreeSet::new(), "after use {number}");
                all.append(of_use);
            }
        });
        assert!(scans >= USES, "the memory was read only {scans} times");
        assert!(signers_of(*agent).is_empty(), "a signer outlives its use");
        assert_eq!(wanted.scan(*agent), BTreeSet::new(), "after the uses");
        assert_eq!(all.scan(*agent), BTreeSet::new(), "after the uses");
        for wanted in [wanted, &all] {
            nothing_on_disk(wanted, &signet.state_dir());
        }
        assert!(!card.has_fido_token());
    }

    /// The control: at each touch the signer holds what it needs for it, and the agent does not.
    fn is_held_by_the_signer(&self) {
        let Self { signet, card, agent, wanted, .. } = self;
        card.touch(Touch::Never);
        let asked = card.touches_asked();
        let using = signet.spawn(&["sign", "root", "--service", "sts", "--region", "us-east-1"], REQUEST);
        for touch in 1..=2 {
            blinks(card, asked + touch);
            let mut now = Wanted::default();
            assert!(shared(card, &mut now) > 0);
            let signer = signer_of(*agent);
            let (lasting, passing) = (wanted.scan(signer), now.scan(signer));
            println!("at touch {touch} the signer held: {lasting:?} {passing:?}");
            assert!(lasting.contains("the pin"), "{lasting:?}");
            assert!(!passing.is_empty(), "the search does not find what must be there");
            for wanted in [wanted, &now] {
                assert_eq!(wanted.scan(*agent), BTreeSet::new(), "at touch {touch}");
            }
            assert!(card.press());
        }
        signed(using.finish());
        card.touch(Touch::Now);
        assert!(signers_of(*agent).is_empty(), "a signer outlives its use");
    }
}

#[test]
fn an_authenticator_of_ctap_2_1_leaves_nothing_in_the_agent() {
    let desk = Desk::new(Fido::v2_1());
    planted_in_a_child(&desk.wanted);
    desk.is_used();
    desk.is_held_by_the_signer();
}

#[test]
fn an_authenticator_of_ctap_2_0_leaves_nothing_in_the_agent() {
    let desk = Desk::new(Fido::v2_0());
    desk.is_used();
    desk.is_held_by_the_signer();
}
