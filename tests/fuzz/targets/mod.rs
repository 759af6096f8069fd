//! What is tried, a file each. Its first lines say how bytes become its input.

mod calls;
mod commands;
mod dialects;
mod ledgers;
mod packs;
mod paths;
mod signatures;
mod times;

/// Something that reads what comes from outside.
pub struct Target {
    pub name: &'static str,
    /// Panics where a property fails.
    pub check: fn(&[u8]),
}

pub static TARGETS: &[Target] = &[
    Target {
        name: "calls",
        check: calls::check,
    },
    Target {
        name: "commands",
        check: commands::check,
    },
    Target {
        name: "dialects",
        check: dialects::check,
    },
    Target {
        name: "ledgers",
        check: ledgers::check,
    },
    Target {
        name: "packs",
        check: packs::check,
    },
    Target {
        name: "paths",
        check: paths::check,
    },
    Target {
        name: "signatures",
        check: signatures::check,
    },
    Target {
        name: "times",
        check: times::check,
    },
];

/// The first `N` lines of an input as text, and the bytes behind them.
fn lines<const N: usize>(input: &[u8]) -> ([String; N], &[u8]) {
    let mut rest = input;
    let lines = std::array::from_fn(|_| {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (line, behind) = match end {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        rest = behind;
        String::from_utf8_lossy(line).into_owned()
    });
    (lines, rest)
}
