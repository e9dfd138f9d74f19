//! cli ↔ agent: HTTP/1.1 over the Unix socket, JSON bodies, versioned paths.
//!
//! | method and path | request | answer |
//! |---|---|---|
//! | `GET /v1/status` | – | [`Status`] |
//! | `GET /v1/keys` | – | [`Keys`] |
//! | `DELETE /v1/keys/{name}?lost` | – | `{"version":1}` |
//! | `POST /v1/keys/{name}/account` | [`PinAccount`] | `{"version":1}` |
//! | `POST /v1/keys/{name}/rotated` | – | `{"version":1}` |
//! | `POST /v1/keys/{name}/drilled` | [`Drilled`] | `{"version":1}` |
//! | `POST /v1/uses` | [`UseRequest`] | lines of [`UseEvent`] |
//! | `POST /v1/uses/{id}/answers` | [`Answer`] | `{"version":1}` |
//! | `GET /v1/tokens` | – | [`Tokens`] |
//! | `POST /v1/tokens` | [`TokenRequest`] | lines of [`UseEvent`] |
//! | `DELETE /v1/tokens/{serial}` | – | `{"version":1}` |
//! | `POST /v1/tokens/{serial}/lost` | – | [`Lost`] |
//! | `POST /v1/sessions` | [`SessionRequest`] | lines of [`SessionEvent`] |
//! | `POST /v1/sessions/{lease}` | [`SessionResult`] | `{"version":1}` |
//! | `DELETE /v1/sessions`, `DELETE /v1/sessions/{name}` | – | [`Forgotten`] |
//! | `GET /v1/policy/presets` | – | [`Presets`] |
//! | `POST /v1/policy/check` | [`PolicyText`] | [`crate::rule::NamedRules`] |
//! | `POST /v1/policy/explain` | [`UseRequest`] | [`Explained`] |
//! | `GET /v1/audit` | – | the stored lines |
//! | `GET /v1/audit/head` | – | [`Head`] |
//!
//! A refusal is an HTTP status of 4xx or 5xx with a [`crate::refusal::Failure`], or, once a stream
//! has begun, the event `refused`. A use ends when its connection does.

mod keys;
mod policy;
mod sessions;
mod status;
mod tokens;
mod uses;

pub use keys::{Drilled, KeyInfo, Keys, PinAccount, RefusedKey};
pub use policy::{Explained, PolicyText, Presets};
pub use sessions::{
    Forgotten, ForgottenSession, SessionCredentials, SessionEvent, SessionRequest, SessionResult,
};
pub use status::{Counts, Head, Layer, Status};
pub use tokens::{Lost, LostKey, TokenInfo, TokenRequest, Tokens};
pub use uses::{Accepted, Answer, SignRequest, Signed, UseAct, UseEvent, UseRequest};
