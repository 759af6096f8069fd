//! `leasewire-bindgen INPUT.wasm FOLDER` writes `index.js` and `index_bg.wasm` into FOLDER.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, folder] = arguments.as_slice() else {
        eprintln!("usage: leasewire-bindgen INPUT.wasm FOLDER");
        return ExitCode::from(2);
    };
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(input)
        .out_name("index")
        .typescript(false)
        // These two are what lets the Worker start a new instance of its wasm after a panic.
        .reset_state_function(true)
        .force_enable_abort_handler(true);
    let made = match bindgen.module(true) {
        Ok(bindgen) => bindgen.generate(folder),
        Err(error) => Err(error),
    };
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}
