//! `signet list`.

use super::Done;
use crate::context::Context;
use signet_protocol::{Code, Refusal};

/// Does the command.
pub(crate) fn run(_cx: &Context) -> Done {
    Err(Refusal::bare(Code::Unsupported, "`signet list` is not in this version"))
}
