//! Fills in a sample body. The samples are plain JSON files whose strings hold
//! placeholders:
//!
//! | placeholder | becomes |
//! |---|---|
//! | `{{record_id}}`, `{{integration_id}}` | the ids of this delivery |
//! | `{{random}}` | twelve characters, other ones each time |
//! | `{{now}}`, `{{now+48h}}` | the time of the event, or so many hours later |
//! | `{{date+30d}}` | the date so many days later |
//! | `{{old:a\|b\|c}}`, `{{new:a\|b\|c}}` | a field before and after this change, going round |
//! | `{{old:2100+25}}`, `{{new:2100+25}}` | the same for a number, ever rising |
//! | `{{pick:a\|b\|c}}`, `{{pick:49+1}}` | another value in each delivery |
//!
//! A string that is nothing but a placeholder becomes whatever the value is, a
//! number for instance.

use chrono::{DateTime, Days, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

/// What one delivery is about.
pub struct Moment<'a> {
    pub integration_id: &'a str,
    pub record_id: &'a str,
    pub now: DateTime<Utc>,
    /// How many deliveries came before this one.
    pub number: u64,
    /// How many changes the record went through before this one.
    pub step: u64,
}

impl Moment<'_> {
    /// The body that `template` stands for, without its white space.
    pub fn fill(&self, template: &str) -> Result<String, String> {
        let mut body = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            let (placeholder, after) = after
                .split_once("}}")
                .ok_or("a sample has an unfinished placeholder")?;
            let value = self.value(placeholder)?.to_string();
            match (before.strip_suffix('"'), after.strip_prefix('"')) {
                (Some(before), Some(after)) => {
                    body.push_str(before);
                    body.push_str(&value);
                    rest = after;
                }
                _ => {
                    body.push_str(before);
                    body.push_str(inner(&value));
                    rest = after;
                }
            }
        }
        body.push_str(rest);
        Ok(compact(&body))
    }

    fn value(&self, placeholder: &str) -> Result<Value, String> {
        let value = match placeholder.split_once(':') {
            Some(("old", series)) => Some(nth(series, self.step)),
            Some(("new", series)) => Some(nth(series, self.step.saturating_add(1))),
            Some(("pick", series)) => Some(nth(series, self.number)),
            Some(_) => None,
            None => match placeholder {
                "record_id" => Some(self.record_id.into()),
                "integration_id" => Some(self.integration_id.into()),
                "random" => Some(random_id()?.into()),
                time => self.time(time),
            },
        };
        value.ok_or_else(|| format!("a sample has an unknown placeholder: {placeholder}"))
    }

    fn time(&self, placeholder: &str) -> Option<Value> {
        let (name, later) = placeholder.split_once('+').unwrap_or((placeholder, ""));
        let time = if let Some(hours) = later.strip_suffix('h') {
            self.now
                .checked_add_signed(TimeDelta::try_hours(hours.parse().ok()?)?)?
        } else if let Some(days) = later.strip_suffix('d') {
            self.now.checked_add_days(Days::new(days.parse().ok()?))?
        } else {
            self.now
        };
        match name {
            "now" => Some(time.to_rfc3339_opts(SecondsFormat::Millis, true).into()),
            "date" => Some(time.format("%Y-%m-%d").to_string().into()),
            _ => None,
        }
    }
}

/// The value at `index` of `a|b|c`, going round, or of `start+step`, rising.
fn nth(series: &str, index: u64) -> Value {
    if let Some((start, step)) = series.split_once('+')
        && let (Ok(start), Ok(step)) = (start.parse::<u64>(), step.parse::<u64>())
    {
        return start.saturating_add(step.saturating_mul(index)).into();
    }
    let values: Vec<&str> = series.split('|').collect();
    let place = index.checked_rem(values.len() as u64).unwrap_or(0);
    let text = values.get(place as usize).copied().unwrap_or("");
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// Twelve characters no other run will draw.
pub fn random_id() -> Result<String, String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes)
        .map_err(|error| format!("the system gives no random numbers: {error}"))?;
    let letters = bytes
        .iter()
        .filter_map(|byte| LETTERS.get(usize::from(byte % 32)));
    Ok(letters.copied().map(char::from).collect())
}

/// A JSON string's text without its quotes, for use within another string.
fn inner(json: &str) -> &str {
    let bare = json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    bare.unwrap_or(json)
}

/// JSON without the white space between its tokens, as providers send it.
fn compact(json: &str) -> String {
    let mut in_string = false;
    let mut escaped = false;
    let keep = |char: &char| {
        if in_string {
            in_string = *char != '"' || escaped;
            escaped = *char == '\\' && !escaped;
            return true;
        }
        in_string = *char == '"';
        !char.is_ascii_whitespace()
    };
    json.chars().filter(keep).collect()
}
