//! Whether two values mean the same.

use super::{Object, Value, items, text};

/// True if two values mean the same: the same text, or the same content under
/// another order of names, other white space, escapes or number notation.
pub fn same(a: &Value, b: &Value) -> bool {
    let (a_text, b_text) = (a.get(), b.get());
    if a_text == b_text {
        return true;
    }
    match (a_text.as_bytes().first(), b_text.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => same_fields(a_text, b_text),
        (Some(b'['), Some(b'[')) => same_items(a_text, b_text),
        (Some(b'"'), Some(b'"')) => text(a).is_some_and(|a| Some(a) == text(b)),
        _ => same_number(a_text, b_text),
    }
}

fn same_fields(a: &str, b: &str) -> bool {
    let (Some(a), Some(b)) = (Object::parse(a), Object::parse(b)) else {
        return false;
    };
    a.fields.len() == b.fields.len()
        && a.iter()
            .all(|(name, a)| b.value(name).is_some_and(|b| same(a, b)))
}

fn same_items(a: &str, b: &str) -> bool {
    let (Some(a), Some(b)) = (items(a), items(b)) else {
        return false;
    };
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

/// Numbers are compared digit by digit, since a double would make neighbours
/// above 2^53 equal.
fn same_number(a: &str, b: &str) -> bool {
    decimal(a).is_some_and(|a| Some(a) == decimal(b))
}

/// Sign, digits without zeros around them, and power of ten: the same for
/// every notation of a number.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let unsigned = mantissa.trim_start_matches('-');
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all = format!("{whole}{fraction}");
    if !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = all.trim_matches('0');
    if digits.is_empty() {
        return Some((false, String::new(), 0));
    }
    let zeros = all.len().checked_sub(all.trim_end_matches('0').len())?;
    let exponent = exponent
        .parse::<i64>()
        .ok()?
        .checked_sub(i64::try_from(fraction.len()).ok()?)?
        .checked_add(i64::try_from(zeros).ok()?)?;
    Some((mantissa.starts_with('-'), digits.to_owned(), exponent))
}
