//! Calls to ledgers from outside their objects.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use wasm_bindgen::JsValue;
use worker::js_sys::Uint8Array;

use super::tasks::kept_up;
use super::{error_text, glue, now, property};
use crate::edge::delivery::Delivery;
use crate::edge::group::{Groups, Waiting};
use crate::integration::IntegrationId;
use crate::ledger::{CALL_FORMAT, Call, check_format};

/// How long a ledger may take, in milliseconds: senders give up after 5 s.
const LEDGER_MS_MAX: u32 = 4_000;
/// How long it may take at the least, however long who asks has waited in line.
const LEDGER_MS_MIN: u32 = 1_000;

/// A ledger's answer, `None` if there is no such thing; or why there is none.
pub type Answer = Result<Option<String>, String>;

/// Asks the ledger of an integration.
pub async fn ask(env: &JsValue, of: &IntegrationId, call: &Call) -> Answer {
    let mut answers = ask_all(env, &of.to_string(), &[&call.encode()], LEDGER_MS_MAX).await?;
    answers.next().unwrap_or(Ok(None))
}

/// Asks it all of `calls`; there is an answer for each.
async fn ask_all(
    env: &JsValue,
    name: &str,
    calls: &[&[u8]],
    ms: u32,
) -> Result<impl Iterator<Item = Answer> + use<>, String> {
    let namespace = property(env, "LEDGER");
    let list = calls.iter().copied().map(Uint8Array::from).collect();
    let answers = glue::call_ledger(&namespace, name, list, CALL_FORMAT, ms).await;
    let answers = answers.map_err(|error| error_text(&error))?;
    // No answer is a number.
    let format = answers.get(0).as_f64();
    check_format(format).map_err(|unknown| unknown.to_string())?;
    let answers = answers.into_iter().skip(usize::from(format.is_some()));
    let answers = answers.map(|answer| Ok(answer.as_string()));
    // It stops at the first call that fails.
    let failed = || Some(Err("a call before it failed".to_owned()));
    Ok(answers.chain(std::iter::from_fn(failed)).take(calls.len()))
}

thread_local! {
    static GROUPS: RefCell<Groups<Place>> = RefCell::default();
}

/// Where a webhook finds its answer.
type Place = Rc<Cell<Option<Answer>>>;

/// How long a webhook waits before it looks for its answer, in milliseconds:
/// first, and at the most.
const LOOKS_MS: (u32, u32) = (1, 16);

/// Hands `delivery` to its ledger, together with others that come in at the
/// same time.
pub async fn hand_over(env: &JsValue, ctx: &JsValue, delivery: Delivery) -> Answer {
    let ledger = delivery.of.to_string();
    let call = Call::Intake(delivery).encode();
    let place = Place::default();
    let since = now();
    let ticket = GROUPS.with_borrow_mut(|groups| groups.join(&ledger, call, place.clone(), since));
    let (mut pause_ms, pause_ms_max) = LOOKS_MS;
    let mut at = since;
    loop {
        let waited_ms = u32::try_from(at.ms().saturating_sub(since.ms())).unwrap_or(0);
        let left_ms = LEDGER_MS_MAX.saturating_sub(waited_ms);
        if let Some(group) = GROUPS.with_borrow_mut(|groups| groups.set_out(&ledger, at)) {
            let taken = take(env, &ledger, group, left_ms.max(LEDGER_MS_MIN));
            // A sender that hangs up must not take the others' answers with it.
            kept_up(ctx, taken).await;
            GROUPS.with_borrow_mut(|groups| groups.end(&ledger, at));
        }
        if let Some(answer) = place.take() {
            return answer;
        }
        if left_ms == 0 {
            GROUPS.with_borrow_mut(|groups| groups.leave(&ledger, ticket));
            return Err(format!("no answer within {LEDGER_MS_MAX} ms"));
        }
        glue::sleep(pause_ms).await;
        pause_ms = pause_ms.saturating_mul(2).min(pause_ms_max);
        at = now();
    }
}

/// Takes `group` to its ledger, and puts each answer in its place.
async fn take(env: &JsValue, ledger: &str, group: Vec<Waiting<Place>>, ms: u32) {
    let calls: Vec<_> = group.iter().map(|waiting| &*waiting.call).collect();
    let answers = ask_all(env, ledger, &calls, ms).await;
    match answers {
        Ok(answers) => {
            for (waiting, answer) in group.into_iter().zip(answers) {
                waiting.answer.set(Some(answer));
            }
        }
        Err(why) => {
            for waiting in group {
                waiting.answer.set(Some(Err(why.clone())));
            }
        }
    }
}
