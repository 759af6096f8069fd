//! A run of the sweep: asks every connector, and a piece of D1's list of
//! integrations, whether they have lost their alarm.
//!
//! Of ledgers only what D1 lists is asked, so none comes into being. One after the
//! other: nobody waits for it, and it mustn't get in a webhook's way.

use wasm_bindgen::JsValue;

use super::log::{Level, Line};
use super::{connector_client, database, environment, ledger_client, now};
use crate::connector;
use crate::ledger::{Call, was_woken};
use crate::ops::sweep::{Listed, Round, listed, select_round};

/// Takes one run: of the ledgers, if a round is due.
pub async fn run(env: &JsValue) {
    let started = now();
    connectors(env).await;
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
        let told = match ledger_client::ask(env, &one.of, &call).await {
            Ok(Some(answer)) if was_woken(&answer) => {
                woken = woken.saturating_add(1);
                ("ledger had lost its alarm", None)
            }
            Ok(_) => continue,
            Err(why) => {
                failed = failed.saturating_add(1);
                ("ledger can't be swept", Some(why))
            }
        };
        let mut line = Line::new(Level::Warn, told.0);
        line.of(&one.of);
        line.reason = told.1;
        line.write();
    }
    if woken > 0 || failed > 0 {
        line.level = Level::Warn;
    }
    line.ledgers = Some(piece.len());
    line.woken = Some(woken);
    line.failed = Some(failed);
}

/// Asks every connector. They are few.
async fn connectors(env: &JsValue) {
    let mut asked = Vec::new();
    for (source, name) in environment::connected(env) {
        // One for each key, whatever sources it has.
        if asked.contains(&name) {
            continue;
        }
        asked.push(name);
        let call = connector::Call::Sweep(source.clone());
        let told = match connector_client::ask(env, &source, &call).await {
            Ok(Some(answer)) if was_woken(&answer) => ("connector had lost its alarm", None),
            Ok(_) => continue,
            Err(why) => ("connector can't be swept", Some(why)),
        };
        let mut line = Line::new(Level::Warn, told.0);
        line.source = Some(source);
        line.reason = told.1;
        line.write();
    }
}
