//! `signet policy`.

use super::Done;
use crate::args::PolicyCommand;
use crate::context::Context;
use signet_protocol::{Code, Refusal};

/// Does the command.
pub(crate) fn run(_cx: &Context, _command: &PolicyCommand) -> Done {
    Err(Refusal::bare(Code::Unsupported, "`signet policy` is not in this version"))
}
