//! `signet add`.

use super::Done;
use crate::args::Add;
use crate::context::Context;
use signet_protocol::{Code, Refusal};

/// Does the command.
pub(crate) fn run(_cx: &Context, _args: &Add) -> Done {
    Err(Refusal::bare(Code::Unsupported, "`signet add` is not in this version"))
}
