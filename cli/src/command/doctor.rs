//! `signet doctor`.

use super::Done;
use crate::context::Context;
use signet_protocol::{Code, Refusal};

/// Does the command.
pub(crate) fn run(_cx: &Context) -> Done {
    Err(Refusal::bare(Code::Unsupported, "`signet doctor` is not in this version"))
}
