//! `signet init`.

use super::Done;
use crate::args::Init;
use crate::context::Context;
use signet_protocol::{Code, Refusal};

/// Does the command.
pub(crate) fn run(_cx: &Context, _args: &Init) -> Done {
    Err(Refusal::bare(Code::Unsupported, "`signet init` is not in this version"))
}
