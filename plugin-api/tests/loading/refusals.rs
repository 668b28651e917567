//! Files that are no plugins: each is refused with its name, what it is, and what to do.

use std::fs;
use std::path::Path;

use crate::build::{rustc, scratch};
use jig_plugin_api::load::{self, Problem};

fn refused(file: &Path) -> (Problem, String) {
    let error = load::backend(file).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&format!("{}: ", file.display())), "does not name the file: {text}");
    assert!(text.len() < 1000, "{} bytes: {text}", text.len());
    (error.problem, text)
}

#[test]
fn a_missing_file_is_named() {
    let (problem, text) = refused(Path::new("libjig_backend_nowhere.so"));
    assert!(matches!(problem, Problem::Unreadable(_)), "{text}");
    assert!(text.contains("check the path"), "{text}");
}

#[test]
fn a_directory_is_no_file() {
    assert_eq!(refused(&scratch("refusals")).0, Problem::NotAFile);
}

#[test]
fn an_empty_file_and_a_text_are_no_libraries() {
    let directory = scratch("refusals");
    for (name, content, found) in [("empty.so", "", "the file is empty"), ("text.so", "#!/bin/sh\n", "ELF")] {
        let file = directory.join(name);
        fs::write(&file, content).unwrap();
        let (problem, text) = refused(&file);
        assert!(matches!(problem, Problem::NotALibrary(_)) && text.contains(found), "{text}");
    }
}

#[test]
fn a_program_and_a_truncated_library_are_no_libraries() {
    let program = Path::new("/bin/true");
    assert!(matches!(refused(program).0, Problem::NotALibrary(_)));
    let truncated = scratch("refusals").join("truncated.so");
    fs::write(&truncated, &fs::read(program).unwrap()[..100]).unwrap();
    assert!(matches!(refused(&truncated).0, Problem::NotALibrary(_)));
}

#[test]
fn a_library_that_exports_no_backend_is_no_plugin() {
    let plain = rustc(&scratch("refusals"), "plain", "#[unsafe(no_mangle)] pub extern \"C\" fn plain() {}", &[]);
    let (problem, text) = refused(&plain);
    assert_eq!(problem, Problem::NotAPlugin);
    assert!(text.contains("jig_backend_root_module") && text.contains("export_backend!"), "{text}");
}

#[test]
fn a_symbol_of_another_kind_is_no_plugin() {
    let source = "#[unsafe(no_mangle)] pub static jig_backend_root_module: [u64; 64] = [7; 64];";
    let imposter = rustc(&scratch("refusals"), "imposter", source, &["-A", "warnings"]);
    let (problem, text) = refused(&imposter);
    assert!(matches!(problem, Problem::ForeignFormat(_)), "{text}");
}

#[test]
fn a_library_whose_own_library_is_missing_names_it() {
    let directory = scratch("refusals").join("needs");
    let gone = rustc(&directory, "gone", "#[unsafe(no_mangle)] pub extern \"C\" fn gone() {}", &[]);
    let source =
        "unsafe extern \"C\" { fn gone(); } #[unsafe(no_mangle)] pub extern \"C\" fn go() { unsafe { gone() } }";
    let search = format!("native={}", directory.display());
    let needs = rustc(&directory, "needs", source, &["-L", &search, "-l", "dylib=gone"]);
    fs::remove_file(&gone).unwrap();
    let (problem, text) = refused(&needs);
    assert_eq!(problem, Problem::MissingLibrary("libgone.so".to_owned()));
    assert!(text.contains("LD_LIBRARY_PATH"), "{text}");
}

#[test]
fn a_library_that_lacks_a_symbol_names_it() {
    let source = "unsafe extern \"C\" { fn nobody_has_this(); }
        #[unsafe(no_mangle)] pub extern \"C\" fn go() { unsafe { nobody_has_this() } }";
    let lacking = rustc(&scratch("refusals"), "lacking", source, &[]);
    let (problem, text) = refused(&lacking);
    assert!(matches!(problem, Problem::MissingSymbol(_)) && text.contains("nobody_has_this"), "{text}");
}
