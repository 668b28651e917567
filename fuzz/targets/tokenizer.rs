//! Any input as a `tokenizer.json` is refused, or is a tokenizer that encodes and decodes a text without a panic.
#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use jig::tokenizer::Tokenizer;
use libfuzzer_sys::fuzz_target;

/// A directory of this process, in memory if the system has `/dev/shm`, because every input writes a file.
fn directory() -> &'static PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let directory = parent.join(format!("jig-fuzz-tokenizer-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a temporary directory can be made");
        directory
    })
}

// The tokenizer's library panics on some files, and the tokenizer turns that into an error. libFuzzer's hook would abort on such a
// panic, so an empty hook replaces it. A panic that nothing catches still ends the run.
fuzz_target!(init: std::panic::set_hook(Box::new(|_| {})), |input: (&[u8], &str)| {
    let (file, text) = input;
    std::fs::write(directory().join("tokenizer.json"), file).expect("a temporary file can be written");
    let Ok(tokenizer) = Tokenizer::load(directory()) else { return };
    let _ = tokenizer.spellings(tokenizer.len());
    let Ok(tokens) = tokenizer.encode(text, true) else { return };
    let whole = tokenizer.decode(&tokens, true);
    let mut detokenizer = tokenizer.detokenizer(true);
    let pieces: String = tokens.iter().map(|&token| detokenizer.push(token)).collect();
    let _ = (whole, pieces + &detokenizer.finish());
});
