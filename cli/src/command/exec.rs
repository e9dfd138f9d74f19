//! `signet exec`.

use super::Done;
use crate::args::Exec;
use crate::context::Context;
use signet_protocol::{Code, Refusal};

/// Does the command.
pub(crate) fn run(_cx: &Context, _args: Exec) -> Done {
    Err(Refusal::bare(Code::Unsupported, "not in this version"))
}
