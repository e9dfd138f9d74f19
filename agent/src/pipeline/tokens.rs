//! Acts of token management: one child, one act, a line in the log before and after.
//!
//! Promises: no record is opened here; a token that is changed is ours alone meanwhile; what was
//! enrolled is on disk before it is told; a token that a record names is not forgotten. Must not
//! know: what a kind of token is, HTTP.

#![forbid(unsafe_code)]

use super::conversation::{Cut, Line, said};
use super::house::{House, ended, entry};
use super::keep::OfNoKey;
use super::open::Asking;
use super::{APPROVERS, Held, UNREAD, strict, versioned};
use crate::audit::Draft;
use crate::clock;
use crate::consent::Consent;
use crate::peer::Peer;
use crate::policy::{Decision, decide_token_act};
use crate::queue::Claim;
use crate::signer::{Broken, Child, Program};
use signet_protocol::api::{Accepted, TokenRequest, UseEvent};
use signet_protocol::audit::Phase;
use signet_protocol::child::{EnrolAct, EnrolOrder, Event, Managed, Outcome, Seen};
use signet_protocol::record::{MAX_FACTORS, is_key_name};
use signet_protocol::{Code, Refusal, VERSION};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, timeout};

/// How long a look at the readers may take before it counts as not found out.
const SCAN: Duration = Duration::from_secs(5);

/// An act that policy permits and, where it changes something, the log knows.
struct Deed {
    request: TokenRequest,
    body: String,
    consent: Consent,
    entry: Draft,
    accepted: Accepted,
    uid: u32,
    until: Instant,
}

/// What an act is called in policy and in the log, whose token it needs, and whether it changes
/// something.
fn sort(act: &EnrolAct) -> (&'static str, Option<Claim>, bool) {
    let one = |serial: &str| Some(Claim::Tokens(vec![serial.to_owned()]));
    match act {
        EnrolAct::List => ("signet:ListTokens", None, false),
        EnrolAct::Info { .. } => ("signet:ShowToken", None, false),
        EnrolAct::Enrol { serial, .. } => {
            ("signet:EnrolToken", serial.as_deref().map_or(Some(Claim::Any), one), true)
        }
        EnrolAct::Credential { .. } => ("signet:MakeCredential", one(APPROVERS), true),
        EnrolAct::Pin { serial } => ("signet:ChangePin", one(serial), true),
        EnrolAct::Unblock { serial } => ("signet:UnblockPin", one(serial), true),
    }
}

/// Begins an act.
///
/// # Errors
/// A refusal; where the act would have changed something it is in the audit log.
pub fn begin(house: &Rc<House>, peer: &Peer, body: &[u8]) -> Result<Receiver<UseEvent>, Refusal> {
    let mut draft = entry(Phase::Admin, &house.new_id()?, clock::now(), peer.who());
    let request: TokenRequest = strict(body)?;
    match permitted(house, peer, body, request, &mut draft) {
        Ok(deed) => {
            let (tell, events) = channel(UNREAD);
            let house = Rc::clone(house);
            tokio::task::spawn_local(async move { deed.run(&house, tell).await });
            Ok(events)
        }
        Err(refusal) => {
            house.note_after(ended(draft, Phase::Admin, &Err(refusal.clone())));
            Err(refusal)
        }
    }
}

fn permitted(
    house: &House,
    peer: &Peer,
    body: &[u8],
    request: TokenRequest,
    draft: &mut Draft,
) -> Result<Deed, Refusal> {
    let (action, _claim, changes) = sort(&request.act);
    draft.facts.action = Some(action.to_owned());
    versioned(request.version)?;
    let body = String::from_utf8(body.to_vec())
        .map_err(|_| Refusal::bare(Code::BadRequest, "the message is not UTF-8"))?;
    let permit = match decide_token_act(action, peer.uid(), house.narrowing()) {
        Decision::Permit(permit) => permit,
        Decision::Denied(denial) => {
            draft.facts.rule = Some(denial.rule);
            return Err(denial.refusal);
        }
    };
    match &request.act {
        EnrolAct::Enrol { serial: Some(serial), .. } => house.vault.borrow().check_not_lost(serial)?,
        EnrolAct::Credential { key, exclude } => {
            draft.facts.key = Some(key.clone());
            if !is_key_name(key) {
                return Err(Refusal::new(Code::BadRequest, "that is no name of a key", "signet list"));
            }
            if exclude.len() > MAX_FACTORS {
                let message = format!("a key has at most {MAX_FACTORS} factors: no more can be excluded");
                return Err(Refusal::new(Code::BadRequest, message, "signet factor list"));
            }
        }
        EnrolAct::List
        | EnrolAct::Info { .. }
        | EnrolAct::Enrol { serial: None, .. }
        | EnrolAct::Pin { .. }
        | EnrolAct::Unblock { .. } => {}
    }
    if changes {
        let mut begun = draft.clone();
        begun.facts.result = Some("begun".to_owned());
        house.note(begun)?;
    }
    let accepted = Accepted {
        id: draft.id.clone(),
        key: String::new(),
        action: action.to_owned(),
        account: None,
        region: None,
        host: None,
        peer: peer.who().to_string(),
        obligations: permit.obligations().words(),
        tokens: Vec::new(),
        seconds: u32::try_from(house.config.limits.use_time.as_secs()).unwrap_or(u32::MAX),
        warnings: Vec::new(),
    };
    Ok(Deed {
        accepted,
        consent: Consent::begin(permit, Vec::new()),
        entry: draft.clone(),
        uid: peer.uid(),
        until: Instant::now() + house.config.limits.use_time,
        request,
        body,
    })
}

impl Deed {
    async fn run(mut self, house: &House, tell: Sender<UseEvent>) {
        let mut held = Held::default();
        let mut asking = house.uses.open(&self.entry.id, self.uid);
        let may_ask = self.request.may_ask;
        let line = Line { house, tell: &tell, until: self.until, may_ask };
        let outcome = line.while_it_lasts(self.converse(&line, &mut held, &mut asking)).await;
        if let Some(child) = held.child.take() {
            child.end().await;
        }
        drop((held.place.take(), asking));
        // Nobody left to tell is no error: the end is in the log.
        let _gone = tell.try_send(self.finish(house, outcome));
    }

    async fn converse(
        &mut self,
        line: &Line<'_>,
        held: &mut Held,
        asking: &mut Asking,
    ) -> Result<Outcome, Cut> {
        line.say(UseEvent::Accepted(self.accepted.clone()))?;
        if let (_, Some(claim), _) = sort(&self.request.act) {
            held.place = Some(line.turn(claim).await?);
        }
        let order = order(line.house, &self.entry.id, &self.request, &self.body, line.deadline_ms());
        let child = line.start(Program::Enrol, &order, &mut held.child).await?;
        line.carry(child, &mut self.consent, asking, OfNoKey).await
    }

    /// What was made is on disk, then in the log, then told.
    fn finish(self, house: &House, outcome: Result<Outcome, Cut>) -> UseEvent {
        let mut draft = self.entry;
        draft.facts.rule = Some(self.consent.permit().rule().to_owned());
        let managed = outcome.map_err(Cut::refusal).and_then(|outcome| keep(house, outcome, &mut draft));
        if sort(&self.request.act).2 {
            let word = managed.as_ref().map(|_| "done").map_err(Clone::clone);
            if let Err(error) = house.note(ended(draft, Phase::Admin, &word)) {
                return UseEvent::Refused { error };
            }
        }
        match managed {
            Ok(managed) => UseEvent::Done { managed: Some(managed) },
            Err(error) => UseEvent::Refused { error },
        }
    }
}

/// Keeps an enrolled token; fills in when.
fn keep(house: &House, outcome: Outcome, draft: &mut Draft) -> Result<Managed, Refusal> {
    match outcome {
        Outcome::Managed(Managed::Enrolled { mut token, warnings }) => {
            token.enrolled = clock::rfc3339(clock::now());
            draft.facts.token = Some(token.recipient.serial.clone());
            draft.facts.token_label = Some(token.recipient.label.clone());
            house.vault.borrow_mut().add_token(token.clone())?;
            Ok(Managed::Enrolled { token, warnings })
        }
        Outcome::Managed(managed) => Ok(managed),
        Outcome::Refused { refusal, token, .. } => {
            draft.facts.token = token.map(|token| token.serial);
            Err(refusal)
        }
        Outcome::Signed { .. } | Outcome::Opened { .. } | Outcome::Resealed { .. } => {
            Err(Refusal::bare(Code::Internal, "an outcome of another program"))
        }
    }
}

fn order(house: &House, id: &str, request: &TokenRequest, body: &str, deadline_ms: u64) -> EnrolOrder {
    EnrolOrder {
        version: VERSION,
        use_id: id.to_owned(),
        request: body.to_owned(),
        act: request.act.clone(),
        kinds: house.config.token.kinds.clone(),
        enrolled: house.vault.borrow().tokens().iter().map(|token| token.recipient.clone()).collect(),
        may_ask: request.may_ask,
        deadline_ms,
        places: house.child_places(),
    }
}

/// Which tokens are there now; asks nothing and spends nothing. `None` where it cannot be found out.
pub(super) async fn scan(house: &House) -> Result<Option<Vec<Seen>>, Refusal> {
    let request = TokenRequest { version: VERSION, act: EnrolAct::List, may_ask: false };
    let body = serde_json::to_string(&request)
        .map_err(|_| Refusal::bare(Code::Internal, "the order could not be written"))?;
    let id = house.new_id()?;
    let mut child = Child::start(&house.programs, Program::Enrol).map_err(|broken| said(&broken))?;
    let limit = u64::try_from(SCAN.as_millis()).unwrap_or(u64::MAX);
    let order = order(house, &id, &request, &body, limit);
    let outcome = timeout(SCAN, async {
        child.order(&order).await?;
        loop {
            if let Event::Outcome(outcome) = child.event().await? {
                return Ok::<_, Broken>(outcome);
            }
        }
    })
    .await;
    child.end().await;
    match outcome {
        // A card that is busy with a use answers no scan in time: not known is not absent.
        Err(_too_long) => Ok(None),
        Ok(Err(broken)) => Err(said(&broken)),
        Ok(Ok(Outcome::Managed(Managed::Seen { tokens }))) => Ok(Some(tokens)),
        // Nor is a card that could not be recognised.
        Ok(Ok(Outcome::Refused { refusal, .. }))
            if matches!(refusal.code, Code::NoReader | Code::Unsupported) =>
        {
            Ok(None)
        }
        Ok(Ok(Outcome::Refused { refusal, .. })) => Err(refusal),
        Ok(Ok(
            Outcome::Signed { .. }
            | Outcome::Opened { .. }
            | Outcome::Resealed { .. }
            | Outcome::Managed(Managed::Enrolled { .. } | Managed::Credential { .. } | Managed::Done),
        )) => Err(Refusal::bare(Code::Internal, "an outcome of another act")),
    }
}
