//! `signet forget`.

use super::Done;
use crate::args::Forget;
use crate::context::Context;
use signet_protocol::{Code, Refusal};

/// Does the command.
pub(crate) fn run(_cx: &Context, _args: &Forget) -> Done {
    Err(Refusal::bare(Code::Unsupported, "`signet forget` is not in this version"))
}
