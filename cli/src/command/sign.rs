//! `signet sign`.

use super::Done;
use crate::args::Sign;
use crate::context::Context;
use signet_protocol::{Code, Refusal};

/// Does the command.
pub(crate) fn run(_cx: &Context, _args: &Sign) -> Done {
    Err(Refusal::bare(Code::Unsupported, "not in this version"))
}
