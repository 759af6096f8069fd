//! `leasewire-bindgen bind INPUT.wasm FOLDER` writes `index.js` and `index_bg.wasm` into FOLDER.
//!
//! `leasewire-bindgen trim FILE.wasm BUNDLED.js` takes out of FILE.wasm what BUNDLED.js can't reach.

mod trim;

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let made = match arguments.as_slice() {
        ["bind", input, folder] => bind(input, folder),
        ["trim", wasm, bundled] => trim::trim(wasm, bundled),
        _ => {
            eprintln!(
                "usage: leasewire-bindgen bind INPUT.wasm FOLDER, or trim FILE.wasm BUNDLED.js"
            );
            return ExitCode::from(2);
        }
    };
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

fn bind(input: &str, folder: &str) -> walrus::Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(input)
        .out_name("index")
        .typescript(false)
        // These two are what lets the Worker start a new instance of its wasm after a panic.
        .reset_state_function(true)
        .force_enable_abort_handler(true);
    bindgen.module(true)?.generate(folder)
}
