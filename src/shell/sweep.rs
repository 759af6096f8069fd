//! A run of the sweep: asks a piece of D1's list of integrations whether their
//! ledgers have lost their alarm.
//!
//! Only what D1 lists is asked, so no ledger comes into being. One after the
//! other: nobody waits for it, and it mustn't get in a webhook's way.

use wasm_bindgen::JsValue;

use super::log::{Level, Line};
use super::{database, ledger_client, now};
use crate::integration::IntegrationId;
use crate::ledger::{Call, was_woken};
use crate::ops::sweep::{Listed, Round, listed, select_round};

/// Takes one run, if a round is due.
pub async fn run(env: &JsValue) {
    let started = now();
    let mut line = Line::new(Level::Info, "sweep");
    match piece(env).await {
        Ok(None) => return,
        Ok(Some(piece)) => {
            line.outcome = Some("swept");
            look(env, &piece, &mut line).await;
        }
        Err(why) => {
            line.level = Level::Warn;
            line.outcome = Some("failed");
            line.reason = Some(why);
        }
    }
    line.write_since(started);
}

/// The integrations to look at; `None` if the round is over.
async fn piece(env: &JsValue) -> Result<Option<Vec<Listed>>, String> {
    let rows = database::select(env, &select_round()).await?;
    let Some(round) = Round::due(&rows, now()) else {
        return Ok(None);
    };
    let rows = database::select(env, &round.select()).await?;
    let piece = listed(&rows).ok_or("the list of integrations can't be read")?;
    database::run(env, &[round.note(&piece)]).await?;
    Ok(Some(piece))
}

async fn look(env: &JsValue, piece: &[Listed], line: &mut Line) {
    let (mut woken, mut failed) = (0_usize, 0_usize);
    for one in piece {
        let call = Call::Sweep {
            listed_seq: one.last_seq,
            listed_epoch: Some(one.epoch),
        };
        match ledger_client::ask(env, &one.of, &call).await {
            Ok(Some(answer)) if was_woken(&answer) => {
                woken = woken.saturating_add(1);
                tell(&one.of, "ledger had lost its alarm", None);
            }
            Ok(_) => {}
            Err(why) => {
                failed = failed.saturating_add(1);
                tell(&one.of, "ledger can't be swept", Some(why));
            }
        }
    }
    if woken > 0 || failed > 0 {
        line.level = Level::Warn;
    }
    line.ledgers = Some(piece.len());
    line.woken = Some(woken);
    line.failed = Some(failed);
}

fn tell(of: &IntegrationId, message: &str, reason: Option<String>) {
    let mut line = Line::new(Level::Warn, message);
    line.of(of);
    line.reason = reason;
    line.write();
}
