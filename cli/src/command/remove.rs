//! `signet remove`.

use super::Done;
use crate::args::Remove;
use crate::context::Context;
use signet_protocol::{Code, Refusal};

/// Does the command.
pub(crate) fn run(_cx: &Context, _args: &Remove) -> Done {
    Err(Refusal::bare(Code::Unsupported, "`signet remove` is not in this version"))
}
