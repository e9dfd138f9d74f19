//! `signet completion`.

use super::Done;
use crate::args::Completion;
use signet_protocol::{Code, Refusal};

/// Does the command.
pub(crate) fn run(_args: &Completion) -> Done {
    Err(Refusal::bare(Code::Unsupported, "`signet completion` is not in this version"))
}
