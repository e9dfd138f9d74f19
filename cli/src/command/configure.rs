//! `signet configure`.

use super::Done;
use crate::args::Configure;
use crate::context::Context;
use signet_protocol::{Code, Refusal};

/// Does the command.
pub(crate) fn run(_cx: &Context, _args: &Configure) -> Done {
    Err(Refusal::bare(Code::Unsupported, "`signet configure` is not in this version"))
}
