//! How deep a text nests.

use memchr::memchr2;

/// How deep a body may nest. Parsers that read records later (SQLite's stops
/// at 1,000, many at 128) must not fail on what was accepted here.
pub const DEPTH_MAX: usize = 100;

/// True if `text` nests objects and arrays deeper than [`DEPTH_MAX`].
pub fn too_deep(text: &str) -> bool {
    let opens = |byte: &u8| matches!(byte, b'{' | b'[');
    // Most bodies don't have so many at all.
    if text.bytes().filter(opens).count() <= DEPTH_MAX {
        return false;
    }
    let (mut rest, mut depth) = (text.as_bytes(), 0_usize);
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'"' => rest = behind_string(behind),
            b'{' | b'[' => {
                depth = depth.saturating_add(1);
                if depth > DEPTH_MAX {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// What stands behind the string whose first character is that of `rest`.
fn behind_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        let (_, found) = rest.split_at_checked(at).unwrap_or_default();
        match found {
            [b'\\', _, behind @ ..] => rest = behind,
            [_, behind @ ..] => return behind,
            [] => break,
        }
    }
    &[]
}
