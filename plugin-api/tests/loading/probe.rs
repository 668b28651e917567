//! A host that says what it finds: `probe PLUGIN MODEL_DIRECTORY`.

use std::path::Path;
use std::sync::Arc;

use jig_plugin_api::{Chunk, LogitsWanted, ModelSpec, SampleRow, SamplingParams, host, load};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let backend = match load::backend(Path::new(&arguments[1])) {
        Ok(backend) => backend,
        Err(error) => return println!("refused: {error}"),
    };
    println!("abi: {}", backend.abi_version());
    println!("name: {}", backend.describe().name);
    let mut model = backend.load(&ModelSpec::new(&arguments[2]), Arc::new(host::Silent)).unwrap();
    let sequence = model.open().unwrap();
    model.forward(&[Chunk { sequence, tokens: &[1, 2, 3], logits: LogitsWanted::Last }]).unwrap();
    let params = SamplingParams::greedy();
    let row = SampleRow { row: 0, mask: &[], banned: &[], params: &params, uniform: 0.0, prompt: &[], output: &[] };
    println!("token: {}", model.sample(&[row]).unwrap()[0].token);
    // The newer version asks for more here.
    model.close(sequence).unwrap();
}
