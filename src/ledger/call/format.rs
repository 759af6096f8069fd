//! Which format calls and answers are in. Two versions of the Worker run side by
//! side for hours while a deployment is gradual, and neither must take what the
//! other means for something else.

use std::fmt;

/// The format of calls and answers, stated with each lot of them. Greater
/// whenever code that doesn't know what is new would do something else than is
/// meant. The code that brings a greater one reads this one as well.
pub const CALL_FORMAT: u32 = 1;

/// A format that this code doesn't know: of a later version, for which whoever
/// asks is to try again when that is deployed everywhere, or taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownFormat(i64);

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self(stated) = self;
        write!(
            f,
            "format {stated} of calls is unknown, {CALL_FORMAT} is known"
        )
    }
}

/// Checks the format that was stated with calls or answers, a number as
/// JavaScript has it. `None` if none was: 0.1.0 states none.
pub fn check_format(stated: Option<f64>) -> Result<(), UnknownFormat> {
    match stated {
        // Only told, as a whole number: to write a fraction takes 20 KB of code.
        Some(stated) if stated != f64::from(CALL_FORMAT) => Err(UnknownFormat(stated as i64)),
        _ => Ok(()),
    }
}
