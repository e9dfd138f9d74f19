//! `signet forget`: drops kept session credentials, and says how long AWS goes on honouring them.

use super::Done;
use super::show::checked;
use crate::args::{Forget, Format};
use crate::context::Context;
use crate::output;
use signet_protocol::api::Forgotten;
use std::process::ExitCode;

/// Does the command.
pub(crate) fn run(cx: &Context, args: &Forget) -> Done {
    let path = match &args.name {
        Some(name) => format!("/v1/sessions/{}", checked(name)?),
        None => "/v1/sessions".to_owned(),
    };
    let forgotten: Forgotten = cx.delete(&path)?;
    if cx.format() == Format::Text && forgotten.sessions.is_empty() {
        output::talk("no session credentials were kept");
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = forgotten
        .sessions
        .iter()
        .map(|it| vec![it.key.clone(), it.access_key_id.clone(), it.expiration.clone()])
        .collect();
    output::table(cx.format(), &forgotten, &["key", "access key id", "honoured by aws until"], &rows)?;
    Ok(ExitCode::SUCCESS)
}
