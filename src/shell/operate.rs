//! Commands to integrations: replay, redrive, rebuild and discard.

use wasm_bindgen::JsValue;
use worker::web_sys::Request;

use super::log::Line;
use super::{edge, read};
use crate::command::{
    BODY_BYTES_MAX, Command, discard_request, redrive_range, replay_request, unknown_end,
};
use crate::ledger::Call;
use crate::problem::Problem;

/// Hands a command to its ledger, which works it off; the answer says how much
/// there is to do.
pub async fn obey(
    request: &Request,
    env: &JsValue,
    command: Command,
    line: &mut Line,
) -> Result<String, Problem> {
    let body = edge::body(request, BODY_BYTES_MAX).await?;
    let (of, call, missing) = match command {
        Command::Replay(of) => (of, Call::Replay(replay_request(&body)?), unknown_end()),
        Command::Rebuild(of) => (of, Call::Rebuild, Problem::Unknown("integration")),
        Command::Redrive(of) => {
            let (from, to) = redrive_range(&body)?;
            (of, Call::Redrive { from, to }, Problem::Unknown("pack"))
        }
        Command::Discard(of) => {
            let call = Call::Discard(discard_request(&body)?);
            (of, call, Problem::Unknown("integration"))
        }
    };
    line.outcome = Some("asked");
    let answer = read::ledger(env, &of, &call, missing, line).await?;
    line.status = Some(202);
    Ok(answer)
}
