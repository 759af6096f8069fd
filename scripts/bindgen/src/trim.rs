//! What leads to functions that nobody needs goes, so that wasm-opt can drop them: the crates of the
//! SDK export classes that nothing here makes.

use std::collections::HashSet;
use std::fs;

use walrus::{ElementItems, FunctionId, Module, ModuleFunctions};

/// Leaves of the exports those that the bundled JavaScript has the name of, and of the table what
/// may be called.
pub fn trim(wasm: &str, bundled: &str) -> walrus::Result<()> {
    let mut module = Module::from_file(wasm)?;
    let bundled = fs::read_to_string(bundled)?;
    let names: HashSet<&str> = members(&bundled).collect();
    let unused = module.exports.iter();
    let unused = unused.filter(|export| !names.contains(export.name.as_str()));
    for id in unused.map(|export| export.id()).collect::<Vec<_>>() {
        module.exports.delete(id);
    }
    for element in module.elements.iter_mut() {
        if let ElementItems::Functions(functions) = &mut element.items {
            replace_unused(functions, &module.funcs);
        }
    }
    module.emit_wasm_file(wasm)
}

/// Whatever stands behind a dot.
fn members(code: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$');
    let parts = code.split('.').skip(1);
    parts.map(move |rest| rest.split(|c| !is_part(c)).next().unwrap_or_default())
}

/// Another function takes the place of each that is never called.
fn replace_unused(functions: &mut [FunctionId], all: &ModuleFunctions) {
    let is_used = |id: &FunctionId| !all.get(*id).name.as_deref().is_some_and(is_unused);
    if let Some(other) = functions.iter().copied().find(is_used) {
        let unused = functions.iter_mut().filter(|id| !is_used(id));
        unused.for_each(|id| *id = other);
    }
}

/// Only classes that wasm-streams exports use this, and none is made here.
fn is_unused(name: &str) -> bool {
    name.starts_with("js_sys::futures::") || name.contains("wasm_streams::")
}
