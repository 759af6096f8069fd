//! A failing input made short, so that it shows what it is about.

/// How many shorter inputs are tried.
const ATTEMPTS_MAX: u32 = 2_000;

/// Leaves out what isn't needed for `fails`: large pieces first, then bytes.
pub fn shrink(input: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut input = input.to_vec();
    let mut attempts = 0;
    let mut size = input.len() / 2;
    while size > 0 {
        let mut from = 0;
        let before = input.len();
        while from < input.len() {
            attempts += 1;
            if attempts > ATTEMPTS_MAX {
                return input;
            }
            let to = (from + size).min(input.len());
            let shorter = [&input[..from], &input[to..]].concat();
            if fails(&shorter) {
                input = shorter;
            } else {
                from = to;
            }
        }
        if size > 1 {
            size /= 2;
        } else if input.len() == before {
            break;
        }
    }
    input
}
