//! Inputs made of others: bytes and tokens cut, repeated, swapped and
//! replaced.

use crate::random::Random;

/// What means something to a parser, or is apt to be forgotten by one.
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "\\\"",
    "-0",
    "1e999",
    "-1e-999",
    "0.10",
    "9007199254740993",
    "18446744073709551616",
    "123456789012345678901234567890",
    "\n",
    "\r\n",
    "\t",
    " ",
    "\u{feff}",
    "\u{a0}",
    "\u{0}",
    "\u{7f}",
    "é",
    "İ",
    "\u{1f3e0}",
    "/",
    "..",
    "%",
    "%00",
    "%2F",
    "%ff",
    "?",
    "&",
    "=",
    "+",
    "-",
    "_",
    "0",
    "Z",
    "T",
];

/// How deep a value is wrapped at the most: some more than may be.
const WRAPPED_MAX: u64 = 130;

/// `input` with some changes; `others` lend it pieces.
pub fn bend(mut input: Vec<u8>, others: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    // Small steps mostly: what is bent beyond recognition is refused at the door.
    let times = 1 + random.below(4) * random.below(3);
    for _ in 0..times {
        if random.chance(600) {
            bend_tokens(&mut input, others, random);
        } else {
            bend_bytes(&mut input, random);
        }
    }
    input
}

fn bend_bytes(input: &mut Vec<u8>, random: &mut Random) {
    let from = random.below(input.len() as u64 + 1) as usize;
    let to = (from + random.below(8) as usize).min(input.len());
    match random.below(6) {
        0 => drop(input.drain(from..to)),
        1 => input.truncate(from),
        2 => {
            let piece = input[from..to].to_vec();
            splice(input, from..from, &piece);
        }
        3 => {
            let piece: Vec<u8> = (0..random.below(5)).map(|_| random.next() as u8).collect();
            splice(input, from..to, &piece);
        }
        4 => splice(input, from..to, random.pick(WORDS).as_bytes()),
        _ => {
            if let Some(byte) = input.get_mut(from) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}

fn bend_tokens(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    let tokens = tokens(input);
    if tokens.is_empty() {
        return;
    }
    let any = |random: &mut Random| random.below(tokens.len() as u64) as usize;
    let at = any(random);
    let token = tokens[at].clone();
    match random.below(8) {
        0 => splice(input, token, random.pick(WORDS).as_bytes()),
        // Into a string or a word.
        7 => {
            let inside = token.start + token.len() / 2;
            splice(input, inside..inside, random.pick(WORDS).as_bytes());
        }
        1 => drop(input.drain(token)),
        // A few in a row, such as a name and its value, once more.
        2 => {
            let last = (at + random.below(8) as usize).min(tokens.len() - 1);
            let piece = input[token.start..tokens[last].end].to_vec();
            let to = tokens[any(random)].start;
            splice(input, to..to, &piece);
        }
        // Two change places.
        3 => {
            let other = tokens[any(random)].clone();
            let (first, second) = if token.start <= other.start {
                (token, other)
            } else {
                (other, token)
            };
            if first.end <= second.start {
                let (a, b) = (
                    input[first.clone()].to_vec(),
                    input[second.clone()].to_vec(),
                );
                splice(input, second, &a);
                splice(input, first, &b);
            }
        }
        4 => {
            let deep = random.below(WRAPPED_MAX) as usize;
            let (open, close) = random.pick(&[("[", "]"), ("{\"a\":", "}")]);
            let value = String::from_utf8_lossy(&input[token.clone()]).into_owned();
            let wrapped = format!("{}{value}{}", open.repeat(deep), close.repeat(deep));
            splice(input, token, wrapped.as_bytes());
        }
        // A piece of another input.
        _ => {
            let other = &others[random.below(others.len() as u64) as usize];
            let theirs = self::tokens(other);
            if let Some(count) = (theirs.len() as u64).checked_sub(1) {
                let first = random.below(count + 1) as usize;
                let last = (first + random.below(6) as usize).min(theirs.len() - 1);
                splice(input, token, &other[theirs[first].start..theirs[last].end]);
            }
        }
    }
}

fn splice(input: &mut Vec<u8>, range: std::ops::Range<usize>, piece: &[u8]) {
    input.splice(range, piece.iter().copied());
}

/// Strings, words and numbers as a whole, and everything else by the byte.
fn tokens(input: &[u8]) -> Vec<std::ops::Range<usize>> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b".+-_".contains(&byte) || byte >= 128;
    let mut tokens = Vec::new();
    let mut from = 0;
    while let Some(&first) = input.get(from) {
        let rest = &input[from + 1..];
        let more = if first == b'"' {
            end_of_string(rest)
        } else if is_word(first) {
            rest.iter().take_while(|byte| is_word(**byte)).count()
        } else {
            0
        };
        let to = from + 1 + more;
        tokens.push(from..to);
        from = to;
    }
    tokens
}

/// How far the string goes on that begins before `rest`.
fn end_of_string(rest: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}
