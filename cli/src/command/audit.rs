//! `signet audit`.

use super::Done;
use crate::args::AuditCommand;
use crate::context::Context;
use signet_protocol::{Code, Refusal};

/// Does the command.
pub(crate) fn run(_cx: &Context, _command: &AuditCommand) -> Done {
    Err(Refusal::bare(Code::Unsupported, "`signet audit` is not in this version"))
}
