//! Ticket 3: what the person was asked, and what came back.
//!
//! Promises: a [`Consent`] begins with a permit and only [`Consent::given`] ends it; it is given only
//! when everything the permit obliges was asked and answered, for a token that was offered, and the
//! code was accepted where one is due. A child that asks out of turn is found out here. Must not
//! know: what an answer says (it is sealed to the child), how questions travel.
//!
//! It does not prove that a person answered: the token's PIN and touch do. It keeps a signer that
//! skipped a question from having its signature released.

#![forbid(unsafe_code)]

use crate::policy::Permit;
use signet_protocol::PromptKind;
use signet_protocol::child::{CodeFate, Prompt, TokenName};
use signet_protocol::record::FactorKind;

/// Most touches of one use: a key is written into at most fifteen tokens, each of which may have to
/// open another record first.
const MOST_TOUCHES: u32 = 32;

/// A child did something that its use does not allow. The use ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breach(pub &'static str);

/// The conversation of one use, as far as it is on record.
#[derive(Debug)]
pub struct Consent {
    permit: Permit,
    due: Vec<FactorKind>,
    offered: Vec<String>,
    /// Ids of the factors of which one approves.
    approvers: Vec<String>,
    approved: bool,
    may_ask_secret: bool,
    asked: Vec<Asked>,
    /// Number of the last touch that was shown.
    touched: u32,
    /// How many were.
    touches: u32,
}

#[derive(Debug)]
struct Asked {
    number: u32,
    kind: PromptKind,
    /// Whether it is about a factor that approves, and not about a token.
    approver: bool,
    answered: Answered,
}

#[derive(Debug, PartialEq, Eq)]
enum Answered {
    NotYet,
    Sealed,
    Cancelled,
}

/// A consent that was given: what the audit entry says of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Given {
    /// Kinds of factor that were checked.
    pub factors: Vec<FactorKind>,
}

impl Consent {
    /// Begins the conversation for a permit; `offered` are the serials of the tokens that may serve,
    /// empty for an act that chooses its token itself.
    #[must_use]
    pub fn begin(permit: Permit, offered: Vec<String>) -> Self {
        let due = permit.obligations().factors.clone();
        let (approvers, asked) = (Vec::new(), Vec::new());
        let (approved, may_ask_secret) = (false, false);
        Self { permit, due, offered, approvers, approved, may_ask_secret, asked, touched: 0, touches: 0 }
    }

    /// The same without its factors.
    #[must_use]
    pub fn without_factors(self) -> Self {
        Self { due: Vec::new(), ..self }
    }

    /// The same, where one of these factors approves.
    #[must_use]
    pub fn with_approvers(self, approvers: Vec<String>) -> Self {
        Self { approvers, ..self }
    }

    /// The same, and the person may be asked for the key itself.
    #[must_use]
    pub fn with_secret(self) -> Self {
        Self { may_ask_secret: true, ..self }
    }

    /// Whether this factor is due.
    #[must_use]
    pub fn is_due(&self, factor: FactorKind) -> bool {
        self.due.contains(&factor)
    }

    /// The permit.
    #[must_use]
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The child asks.
    ///
    /// # Errors
    /// [`Breach`] for a question out of order, of a kind that is not a child's to ask, for a token
    /// that was not offered, or a second code.
    pub fn asked(&mut self, prompt: &Prompt) -> Result<(), Breach> {
        let last = self.asked.last().map_or(0, |asked| asked.number);
        if last.checked_add(1) != Some(prompt.number) {
            return Err(Breach("a question out of order"));
        }
        if self.asked.last().is_some_and(|asked| asked.answered != Answered::Sealed) {
            return Err(Breach("a question before the last one was answered"));
        }
        if matches!(prompt.kind, PromptKind::AwsMfa | PromptKind::Touch) {
            return Err(Breach("a question that is not a child's to ask"));
        }
        if prompt.kind == PromptKind::Secret && !self.may_ask_secret {
            return Err(Breach("a question for the key itself"));
        }
        if prompt.kind == PromptKind::Totp && self.was_answered(&[PromptKind::Totp]) {
            return Err(Breach("a second code"));
        }
        self.may_name(prompt.token.as_ref())?;
        let approver = prompt.token.as_ref().is_some_and(|token| self.approvers.contains(&token.serial));
        let (number, kind) = (prompt.number, prompt.kind);
        self.asked.push(Asked { number, kind, approver, answered: Answered::NotYet });
        Ok(())
    }

    /// An answer came, or the person cancelled; tells what it answers.
    ///
    /// # Errors
    /// [`Breach`] when that question is not open.
    pub fn answered(&mut self, number: u32, cancelled: bool) -> Result<PromptKind, Breach> {
        let open = self.asked.last_mut().filter(|asked| asked.number == number);
        let open = open.filter(|asked| asked.answered == Answered::NotYet);
        let asked = open.ok_or(Breach("an answer to a question that is not open"))?;
        asked.answered = if cancelled { Answered::Cancelled } else { Answered::Sealed };
        Ok(asked.kind)
    }

    /// The person is shown that the token waits for touch `n` of `of`.
    ///
    /// # Errors
    /// [`Breach`] for a token that was not offered, or a touch out of order.
    pub fn touch_shown(&mut self, n: u32, of: u32, token: &TokenName) -> Result<(), Breach> {
        self.may_name(Some(token))?;
        if n <= self.touched || n > of || of > MOST_TOUCHES {
            return Err(Breach("a touch out of order"));
        }
        (self.touched, self.touches) = (n, self.touches.saturating_add(1));
        Ok(())
    }

    /// One of its factors has approved; that was checked.
    ///
    /// # Errors
    /// [`Breach`] when none is due, it is none of them, it is the second, or nobody was told to touch.
    pub fn approved(&mut self, factor: &str) -> Result<(), Breach> {
        if !self.is_due(FactorKind::Fido2) || !self.approvers.iter().any(|id| id == factor) {
            return Err(Breach("an approval that was not asked for"));
        }
        if self.touches == 0 {
            return Err(Breach("an approval without a touch"));
        }
        if std::mem::replace(&mut self.approved, true) {
            return Err(Breach("a second approval"));
        }
        Ok(())
    }

    fn offers(&self, token: &TokenName) -> Result<(), Breach> {
        let strange = !self.offered.contains(&token.serial);
        if strange && !self.offered.is_empty() { Err(Breach("a token that was not offered")) } else { Ok(()) }
    }

    /// A question or a touch is about a token that was offered, or about a factor that approves.
    fn may_name(&self, token: Option<&TokenName>) -> Result<(), Breach> {
        match token {
            Some(token) if !self.approvers.contains(&token.serial) => self.offers(token),
            Some(_) | None => Ok(()),
        }
    }

    /// Of a token: the PIN of an approver opens nothing.
    fn was_answered(&self, kinds: &[PromptKind]) -> bool {
        let is_one = |asked: &Asked| {
            kinds.contains(&asked.kind) && asked.answered == Answered::Sealed && !asked.approver
        };
        self.asked.iter().any(is_one)
    }

    /// Whether everything the permit obliges has been asked and answered.
    ///
    /// # Errors
    /// [`Breach`] naming what is missing; then nothing may be stored or released.
    pub fn holds(&self, token: &TokenName, code: CodeFate) -> Result<(), Breach> {
        self.offers(token)?;
        let obligations = self.permit.obligations();
        if obligations.pin
            && !self.was_answered(&[PromptKind::Pin, PromptKind::FidoPin, PromptKind::Passphrase])
        {
            return Err(Breach("no PIN was asked for"));
        }
        let touches = obligations.touches + u32::from(self.is_due(FactorKind::Fido2));
        if obligations.touch_in_hardware && self.touches < touches {
            return Err(Breach("a touch was not asked for"));
        }
        for factor in &self.due {
            let checked = match factor {
                FactorKind::Totp => {
                    self.was_answered(&[PromptKind::Totp]) && matches!(code, CodeFate::Accepted(_))
                }
                FactorKind::Fido2 => self.approved,
            };
            if !checked {
                return Err(Breach("a factor was not checked"));
            }
        }
        Ok(())
    }

    /// Ends the conversation, if [`Consent::holds`].
    ///
    /// # Errors
    /// As there.
    pub fn given(self, token: &TokenName, code: CodeFate) -> Result<Given, Breach> {
        self.holds(token, code)?;
        Ok(Given { factors: self.due })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::policy::{Decision, Means, Question, decide};
    use signet_protocol::record::{Custody, Factor, KeyKind, Metadata, Partition, Recipient};
    use signet_protocol::rule::Part;

    fn token(serial: &str) -> TokenName {
        TokenName { serial: serial.to_owned(), label: String::new() }
    }

    fn prompt(number: u32, kind: PromptKind) -> Prompt {
        let token = Some(token("1"));
        Prompt { number, kind, text: None, tries_left: None, token, public_key: String::new() }
    }

    /// A permit for a key on a YubiKey with a TOTP factor: PIN, touch and code are due.
    fn permit() -> Permit {
        let text = |text: &str| text.to_owned();
        let meta = Metadata {
            version: 1,
            vault_id: text("0"),
            name: text("root"),
            epoch: 1,
            created: text(""),
            kind: KeyKind::Root,
            account: None,
            partition: Partition::Aws,
            access_key_id: text(""),
            custody: Custody::Sealed,
            policy: vec![Part::Preset(text("root-only-tasks"))],
            factors: vec![Factor {
                id: text("totp-1"),
                kind: FactorKind::Totp,
                label: text(""),
                created: text(""),
                credential: None,
            }],
            recipients: vec![Recipient {
                kind: text("yubikey-piv"),
                serial: text("1"),
                slot: text("95"),
                public_key: text(""),
                label: text(""),
            }],
            holders: Vec::new(),
            previous: None,
        };
        let question = Question {
            meta: &meta,
            kinds: &[text("yubikey-piv")],
            means: Means::Opens,
            peer_uid: 0,
            action: "sts:GetCallerIdentity",
            region: Some("us-east-1"),
        };
        match decide(&question, &meta.policy, None) {
            Decision::Permit(permit) => permit,
            Decision::Denied(denial) => panic!("{denial:?}"),
        }
    }

    fn begun() -> Consent {
        Consent::begin(permit(), vec!["1".to_owned()])
    }

    fn ask(consent: &mut Consent, number: u32, kind: PromptKind) {
        consent.asked(&prompt(number, kind)).unwrap();
        assert_eq!(consent.answered(number, false), Ok(kind));
    }

    #[test]
    fn nothing_is_given_unless_all_that_is_due_was_asked_and_answered() {
        let (pin, code, touch) = (PromptKind::Pin, PromptKind::Totp, token("1"));
        let given = |kinds: &[PromptKind], touched: bool, fate: CodeFate, by: &str| {
            let mut consent = begun();
            for (number, kind) in (1..).zip(kinds) {
                ask(&mut consent, number, *kind);
            }
            if touched {
                consent.touch_shown(1, 1, &touch).unwrap();
            }
            consent.given(&token(by), fate)
        };
        let good = CodeFate::Accepted(7);
        assert_eq!(given(&[pin, code], true, good, "1"), Ok(Given { factors: vec![FactorKind::Totp] }));
        for (kinds, touched, fate, by) in [
            (&[code][..], true, good, "1"),
            (&[pin], true, good, "1"),
            (&[], true, good, "1"),
            (&[pin, code], false, good, "1"),
            (&[pin, code], true, CodeFate::Unchecked, "1"),
            (&[pin, code], true, CodeFate::Refused, "1"),
            (&[pin, code], true, good, "2"),
        ] {
            assert!(given(kinds, touched, fate, by).is_err(), "{kinds:?} {touched} {fate:?} {by}");
        }
    }

    #[test]
    fn a_cancelled_question_is_not_answered() {
        let mut consent = begun();
        consent.asked(&prompt(1, PromptKind::Pin)).unwrap();
        consent.answered(1, true).unwrap();
        assert!(consent.asked(&prompt(2, PromptKind::Totp)).is_err(), "the use is over");
        consent.touch_shown(1, 1, &token("1")).unwrap();
        assert!(consent.given(&token("1"), CodeFate::Accepted(7)).is_err());
    }

    #[test]
    fn a_child_asks_in_turn_what_is_its_to_ask_of_a_token_that_was_offered() {
        let mut consent = begun();
        assert!(consent.answered(1, false).is_err(), "nothing was asked");
        assert!(consent.asked(&prompt(2, PromptKind::Pin)).is_err(), "out of order");
        assert!(consent.asked(&prompt(1, PromptKind::AwsMfa)).is_err());
        assert!(consent.asked(&prompt(1, PromptKind::Touch)).is_err());
        let strange = Prompt { token: Some(token("2")), ..prompt(1, PromptKind::Pin) };
        assert!(consent.asked(&strange).is_err());
        assert!(consent.touch_shown(1, 1, &token("2")).is_err());
        consent.asked(&prompt(1, PromptKind::Totp)).unwrap();
        assert!(consent.asked(&prompt(2, PromptKind::Pin)).is_err(), "the first is not answered");
        assert!(consent.answered(2, false).is_err());
        consent.answered(1, false).unwrap();
        assert!(consent.answered(1, false).is_err(), "twice");
        assert!(consent.asked(&prompt(2, PromptKind::Totp)).is_err(), "a second code");
    }

    #[test]
    fn touches_are_counted_up_and_bounded() {
        let mut consent = begun();
        for (n, of) in [(0, 1), (2, 1), (1, 33), (33, 33)] {
            assert!(consent.touch_shown(n, of, &token("1")).is_err(), "{n} of {of}");
        }
        consent.touch_shown(1, 2, &token("1")).unwrap();
        assert!(consent.touch_shown(1, 2, &token("1")).is_err(), "again");
        consent.touch_shown(2, 3, &token("1")).unwrap();
        consent.touch_shown(32, 32, &token("1")).unwrap();
    }

    #[test]
    fn the_key_itself_is_asked_for_only_where_it_is_nowhere_else() {
        assert!(begun().asked(&prompt(1, PromptKind::Secret)).is_err());
        begun().with_secret().asked(&prompt(1, PromptKind::Secret)).unwrap();
    }

    /// The same where a FIDO2 factor approves in the place of a code.
    fn to_be_approved() -> Consent {
        let mut consent = begun().with_approvers(vec!["fido2-1".to_owned()]);
        consent.due = vec![FactorKind::Fido2];
        consent
    }

    #[test]
    fn an_approval_takes_a_touch_of_its_own_and_comes_once_from_a_factor_of_the_key() {
        let (approver, good) = (token("fido2-1"), CodeFate::Unchecked);
        let told = |consent: &mut Consent| {
            ask(consent, 1, PromptKind::Pin);
            let asked = Prompt { token: Some(approver.clone()), ..prompt(2, PromptKind::FidoPin) };
            consent.asked(&asked).unwrap();
            consent.answered(2, false).unwrap();
            consent.touch_shown(1, 2, &approver).unwrap();
        };
        let mut whole = to_be_approved();
        told(&mut whole);
        whole.approved("fido2-1").unwrap();
        assert!(whole.approved("fido2-1").is_err(), "twice");
        whole.touch_shown(2, 2, &token("1")).unwrap();
        assert!(whole.holds(&approver, good).is_err(), "a factor is no token");
        assert_eq!(whole.given(&token("1"), good), Ok(Given { factors: vec![FactorKind::Fido2] }));

        let mut unapproved = to_be_approved();
        told(&mut unapproved);
        unapproved.touch_shown(2, 2, &token("1")).unwrap();
        assert!(unapproved.given(&token("1"), good).is_err());

        let mut one_touch = to_be_approved();
        told(&mut one_touch);
        one_touch.approved("fido2-1").unwrap();
        assert!(one_touch.given(&token("1"), good).is_err());

        assert!(to_be_approved().approved("fido2-1").is_err(), "nobody was told to touch");
        let mut without_pin = to_be_approved();
        let asked = Prompt { token: Some(approver.clone()), ..prompt(1, PromptKind::FidoPin) };
        without_pin.asked(&asked).unwrap();
        without_pin.answered(1, false).unwrap();
        without_pin.touch_shown(1, 2, &approver).unwrap();
        without_pin.approved("fido2-1").unwrap();
        without_pin.touch_shown(2, 2, &token("1")).unwrap();
        assert!(without_pin.given(&token("1"), good).is_err(), "the pin of an approver opens nothing");

        let mut strange = to_be_approved();
        told(&mut strange);
        assert!(strange.approved("fido2-2").is_err());
        let mut unasked = begun();
        unasked.touch_shown(1, 1, &token("1")).unwrap();
        assert!(unasked.approved("fido2-1").is_err());
    }

    #[test]
    fn a_record_that_is_taken_in_needs_no_code_but_pin_and_touch() {
        let mut consent = begun().without_factors();
        assert!(!consent.is_due(FactorKind::Totp));
        ask(&mut consent, 1, PromptKind::Pin);
        consent.touch_shown(1, 1, &token("1")).unwrap();
        assert!(consent.given(&token("1"), CodeFate::Unchecked).is_ok());
    }
}
