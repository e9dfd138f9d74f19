//! `signet show`.

use super::Done;
use crate::args::Show;
use crate::context::Context;
use signet_protocol::{Code, Refusal};

/// Does the command.
pub(crate) fn run(_cx: &Context, _args: &Show) -> Done {
    Err(Refusal::bare(Code::Unsupported, "`signet show` is not in this version"))
}
