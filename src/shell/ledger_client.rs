//! Calls to ledgers from outside their objects.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use wasm_bindgen::JsValue;
use worker::js_sys::Uint8Array;

use super::tasks::kept_up;
use super::{error_text, glue, now, property};
use crate::edge::delivery::Delivery;
use crate::edge::group::{Group, Groups, LEDGER_MS_MAX, Look};
use crate::integration::IntegrationId;
use crate::ledger::{CALL_FORMAT, Call, check_format};

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

/// Hands `delivery` to its ledger, together with others that come in at the
/// same time.
pub async fn hand_over(env: &JsValue, ctx: &JsValue, delivery: Delivery) -> Answer {
    let ledger = delivery.of.to_string();
    let call = Call::Intake(delivery).encode();
    let place = Place::default();
    let mut waiter =
        GROUPS.with_borrow_mut(|groups| groups.wait(&ledger, call, place.clone(), now()));
    loop {
        let answer = place.take();
        let is_answered = answer.is_some();
        place.set(answer);
        let look = |groups: &mut Groups<_>| groups.look(&mut waiter, is_answered, now());
        match GROUPS.with_borrow_mut(look) {
            Look::Take(group) => {
                let since = group.since;
                // A sender that hangs up must not take the others' answers with it.
                kept_up(ctx, take(env, &ledger, group)).await;
                GROUPS.with_borrow_mut(|groups| groups.end(&ledger, since));
            }
            Look::Wait(ms) => glue::sleep(ms).await,
            Look::End => {
                let none = || Err(format!("no answer within {LEDGER_MS_MAX} ms"));
                return place.take().unwrap_or_else(none);
            }
        }
    }
}

/// Takes `group` to its ledger, and puts each answer in its place.
async fn take(env: &JsValue, ledger: &str, group: Group<Place>) {
    let calls = group.waiting.iter().map(|waiting| &*waiting.call);
    let calls: Vec<_> = calls.collect();
    let answers = ask_all(env, ledger, &calls, group.ms).await;
    match answers {
        Ok(answers) => {
            for (waiting, answer) in group.waiting.into_iter().zip(answers) {
                waiting.answer.set(Some(answer));
            }
        }
        Err(why) => {
            for waiting in group.waiting {
                waiting.answer.set(Some(Err(why.clone())));
            }
        }
    }
}
