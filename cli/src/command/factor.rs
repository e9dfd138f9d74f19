//! `signet factor`.

use super::Done;
use crate::args::FactorCommand;
use crate::context::Context;
use signet_protocol::{Code, Refusal};

/// Does the command.
pub(crate) fn run(_cx: &Context, _command: &FactorCommand) -> Done {
    Err(Refusal::bare(Code::Unsupported, "`signet factor` is not in this version"))
}
