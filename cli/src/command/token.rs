//! `signet token`.

use super::Done;
use crate::args::TokenCommand;
use crate::context::Context;
use signet_protocol::{Code, Refusal};

/// Does the command.
pub(crate) fn run(_cx: &Context, _command: &TokenCommand) -> Done {
    Err(Refusal::bare(Code::Unsupported, "`signet token` is not in this version"))
}
