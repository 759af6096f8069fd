//! The structure of `src/`: how long its files are, and which module may name which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A file is read as a whole. The longest there is sets the limit, which only goes down.
const LINES_MAX: usize = 530;

/// The only module that may name the platform, and that no other one may name.
const SHELL: &str = "shell";
const PLATFORM: &[&str] = &["worker", "worker_sys", "js_sys", "wasm_bindgen", "web_sys"];

struct File {
    path: PathBuf,
    /// `ledger`, `replay`, `record` for `src/ledger/replay/record.rs`; none for `src/lib.rs`.
    module: Vec<String>,
    text: String,
}

/// All files below `src/`.
fn files() -> Vec<File> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![src.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let place = path.strip_prefix(&src).unwrap().with_extension("");
                let mut module: Vec<String> = place
                    .iter()
                    .map(|part| part.to_str().unwrap().to_owned())
                    .collect();
                if module == ["lib"] || module.last().is_some_and(|last| last == "mod") {
                    module.pop();
                }
                let text = fs::read_to_string(&path).unwrap();
                files.push(File { path, module, text });
            }
        }
    }
    assert!(files.len() > 100, "most files are missing");
    files
}

impl File {
    /// The module at the top of `src/` that this file belongs to.
    fn top(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }

    /// What this file names in the crate's root, by `crate::` or by `super::`.
    fn named(&self) -> BTreeSet<String> {
        let words = words(&self.text);
        let mut names = BTreeSet::new();
        for (at, word) in words.iter().enumerate() {
            let is = |at: usize, word: &str| words.get(at).is_some_and(|found| found == word);
            if !is(at + 1, "::") {
                continue;
            }
            let supers = (0..).take_while(|up| is(at + 2 * up, "super")).count();
            let continues = at >= 2 && is(at - 2, "super");
            let root = match word.as_str() {
                "crate" => at + 2,
                // No file has a module within it, where a `super` would lead less far.
                "super" if !continues && supers == self.module.len() => at + 2 * supers,
                _ => continue,
            };
            names.extend(firsts(&words[root..]));
        }
        names
    }
}

/// The first parts of the paths that `words` begin with: one, or several in braces.
fn firsts(words: &[String]) -> Vec<String> {
    if words.first().is_none_or(|word| word != "{") {
        return words.first().cloned().into_iter().collect();
    }
    let mut depth = 0;
    let mut found = Vec::new();
    for pair in words.windows(2) {
        match pair[0].as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(pair[0].as_str(), "{" | ",") && pair[1] != "}" {
            found.push(pair[1].clone());
        }
    }
    found
}

/// Words and signs of Rust code, without comments and without what is in quotes.
fn words(code: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(quoted) = quoted(rest) {
            quoted
        } else if length > 0 {
            words.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            words.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                words.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    words
}

/// How long the string or character is that `code` begins with.
fn quoted(code: &str) -> Option<usize> {
    let start = code.find(|c| !matches!(c, 'b' | 'r' | '#'))?;
    let quote = code[start..].chars().next()?;
    if quote != '"' && quote != '\'' {
        return None;
    }
    let inside = &code[start + 1..];
    let prefix = code[..start].strip_prefix('b').unwrap_or(&code[..start]);
    if let Some(hashes) = prefix.strip_prefix('r') {
        let end = format!("\"{hashes}");
        return Some(start + 1 + inside.find(&end)? + end.len());
    }
    // A lifetime has one quote only.
    if quote == '\'' && !inside.starts_with('\\') && inside.chars().nth(1) != Some('\'') {
        return None;
    }
    let mut escaped = false;
    let end = inside.find(|c: char| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    Some(start + 1 + end + 1)
}

type Graph = BTreeMap<String, BTreeSet<String>>;

/// Which of the top-level modules each of them names.
fn graph(files: &[File]) -> Graph {
    let tops: BTreeSet<&str> = files.iter().filter_map(File::top).collect();
    let mut graph = Graph::new();
    for file in files {
        let Some(top) = file.top() else { continue };
        let named = file.named().into_iter();
        graph
            .entry(top.to_owned())
            .or_default()
            .extend(named.filter(|name| name != top && tops.contains(name.as_str())));
    }
    graph
}

/// Each module and one that it names and that leads back to it.
fn circles(graph: &Graph) -> BTreeSet<(&str, &str)> {
    let pairs = graph.iter().flat_map(|(from, named)| {
        let from = from.as_str();
        named.iter().map(move |to| (from, to.as_str()))
    });
    pairs.filter(|(from, to)| leads(graph, to, from)).collect()
}

fn leads(graph: &Graph, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![from];
    while let Some(module) = next.pop() {
        if module == to {
            return true;
        }
        if seen.insert(module) {
            next.extend(graph.get(module).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

#[test]
fn no_file_is_too_long() {
    for File { path, text, .. } in files() {
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{}: {lines} lines", path.display());
    }
}

#[test]
fn no_module_leads_back_to_itself() {
    let graph = graph(&files());
    let found = circles(&graph);
    assert!(found.is_empty(), "these are in a circle: {found:?}");
}

#[test]
fn only_the_shell_knows_the_platform() {
    for file in files() {
        if file.top() == Some(SHELL) {
            continue;
        }
        let path = file.path.display();
        for word in words(&file.text) {
            assert!(!PLATFORM.contains(&word.as_str()), "{path} names {word}");
        }
        assert!(!file.named().contains(SHELL), "{path} names {SHELL}");
    }
}

#[test]
fn what_a_file_names_is_found() {
    let named = |place: &str, text: &str| {
        let module = place.split('/').map(str::to_owned).collect();
        let (path, text) = (PathBuf::new(), text.to_owned());
        let names = File { path, module, text }.named();
        Vec::from_iter(names).join(" ")
    };
    let cases = [
        ("a", "use crate::b::C;", "b"),
        ("a", "use crate::{b::{C, D}, e, f::g};", "b e f"),
        ("a", "let x = crate::b::c() + crate::d::E;", "b d"),
        ("a", "use super::b;", "b"),
        ("a/b", "use super::c; use super::super::d;", "d"),
        (
            "a/b/c",
            "use super::super::{d}; use super::super::super::e::F;",
            "e",
        ),
        (
            "a",
            "// crate::b\n/// [`crate::c`]\nuse crate::d; // crate::e",
            "d",
        ),
        (
            "a",
            r##""crate::b" 'c' r#"crate::d " crate::e"# "\" crate::f" crate::g"##,
            "g",
        ),
        (
            "a",
            r#"'"' crate::b '\'' crate::c b"crate::d" &'a crate::e"#,
            "b c e",
        ),
        ("a/b", "pub(in crate::a) fn c() {}", "a"),
    ];
    for (place, text, expected) in cases {
        assert_eq!(named(place, text), expected, "{text}");
    }
}

#[test]
fn circles_are_found() {
    let graph = |lines: &[(&str, &str)]| -> Graph {
        let sets = lines.iter().map(|(from, to)| {
            let to = to.split_whitespace().map(str::to_owned).collect();
            ((*from).to_owned(), to)
        });
        sets.collect()
    };
    assert!(circles(&graph(&[("a", "b c"), ("b", "c"), ("c", "")])).is_empty());
    let round = graph(&[("a", "b d"), ("b", "c"), ("c", "a"), ("d", "")]);
    let expected = [("a", "b"), ("b", "c"), ("c", "a")];
    assert_eq!(circles(&round), BTreeSet::from(expected));
}
