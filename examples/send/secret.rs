//! Where the signing secret comes from.

use std::{env, fs, io};

const FILE: &str = ".dev.vars";

pub struct Secret {
    pub value: String,
    /// For people: where it was found.
    pub origin: String,
}

impl Secret {
    /// The one given, else the environment's, else the one in `.dev.vars`,
    /// where the local Worker has it from.
    pub fn find(given: Option<&str>, name: &str) -> Result<Self, String> {
        if let Some(value) = given {
            if value.is_empty() {
                return Err("--secret is empty: no gateway accepts an empty secret".to_owned());
            }
            return Ok(Self {
                value: value.to_owned(),
                origin: "--secret".to_owned(),
            });
        }
        if let Some(value) = env::var(name).ok().as_deref().and_then(first) {
            return Ok(Self {
                value,
                origin: format!("the environment's {name}"),
            });
        }
        let file = match fs::read_to_string(FILE) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(format!("{FILE} can't be read: {error}")),
        };
        match line(&file, name).as_deref().and_then(first) {
            Some(value) => Ok(Self {
                value,
                origin: FILE.to_owned(),
            }),
            None => Err(format!(
                "no secret to sign with. Give one of these:\n  \
                 --secret SECRET\n  \
                 {name} in the environment\n  \
                 {name}=SECRET as a line of {FILE} in this directory (`npm start` makes that file)"
            )),
        }
    }
}

/// A binding may hold several secrets, one a line. All of them are valid, so
/// one will do.
fn first(value: &str) -> Option<String> {
    leasewire::edge::secret::values(value)
        .next()
        .map(str::to_owned)
}

/// The value of `name` in a file of `NAME=value` lines, which may be quoted,
/// exported and followed by a comment.
fn line(file: &str, name: &str) -> Option<String> {
    file.lines().find_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then(|| unquoted(value.trim()))
    })
}

/// A quoted value may go on in further lines, of which the first will do.
/// Within double quotes `\n` is the end of a line.
fn unquoted(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            let inner = rest.split_once(quote).map_or(rest, |(inner, _)| inner);
            return match quote {
                '"' => inner.replace("\\n", "\n").replace("\\r", "\r"),
                _ => inner.to_owned(),
            };
        }
    }
    let value = value.split_once(" #").map_or(value, |(value, _)| value);
    value.trim_end().to_owned()
}
