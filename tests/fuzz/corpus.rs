//! The inputs that are kept: a folder for each target, and the bodies of the
//! golden requests for those that read bodies.

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use leasewire::json::Object;

/// Names and contents of a target's inputs, always in the same order.
pub fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut kept: Vec<_> = files(&root().join("fuzz/corpus").join(target))
        .into_iter()
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    if target == "dialects" {
        kept.extend(golden());
    }
    assert!(!kept.is_empty(), "{target} has no corpus");
    kept
}

/// Bodies of the golden requests.
fn golden() -> impl Iterator<Item = (String, Vec<u8>)> {
    let folders = ["propexo", "propify", "meterbase", "real-estate"];
    folders.into_iter().flat_map(|dialect| {
        files(&root().join("fixtures").join(dialect))
            .into_iter()
            .map(|path| {
                let text = fs::read_to_string(&path).unwrap();
                let case = Object::parse(&text).unwrap();
                let body = match case.text("body_base64") {
                    Some(base64) => BASE64.decode(base64.as_bytes()).unwrap(),
                    None => case.text("body").unwrap().into_owned().into_bytes(),
                };
                (path.display().to_string(), body)
            })
    })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|why| panic!("{}: {why}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Writes a failing input to a file; its name.
pub fn put_aside(target: &str, seed: u64, input: &[u8]) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("fuzz-{target}-{seed}"));
    match fs::write(&file, input) {
        Ok(()) => file.display().to_string(),
        Err(why) => format!("(not written: {why})"),
    }
}
