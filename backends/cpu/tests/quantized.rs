//! Models whose projections have 8 bits or 4, beside the same numbers in `f32`.

use std::path::Path;
use std::sync::Arc;

use jig_plugin_api::host::Silent;
use jig_plugin_api::{Chunk, ErrorCode, LogitsWanted, Model, ModelSpec, Result};
use jig_transformer::golden::{Golden, OF_4_BITS, OF_8_BITS, difference, quantized};

fn load(directory: &Path, dtype: &str) -> Result<Box<dyn Model>> {
    let mut spec = ModelSpec::new(directory);
    (spec.max_sequences, spec.kv_cache_bytes, spec.dtype) = (4, Some(1 << 20), dtype.to_owned());
    jig_backend_cpu::backend().load(&spec, Arc::new(Silent))
}

fn logits(directory: &Path, dtype: &str, tokens: &[u32]) -> Vec<Vec<f32>> {
    let mut model = load(directory, dtype).expect("a model");
    let sequence = model.open().expect("a sequence");
    model.forward(&[Chunk { sequence, tokens, logits: LogitsWanted::All }]).expect("a step");
    (0..tokens.len()).map(|row| model.logits(row as u32).expect("a row")).collect()
}

#[test]
fn weights_in_8_bits_are_multiplied_by_their_scales() {
    for (name, block) in OF_8_BITS {
        let golden = Golden::named(name);
        let directory = tempfile::tempdir().expect("a directory");
        let [of_8_bits, plain] = quantized(&golden, directory.path(), block);
        let right = logits(&plain, "f32", &golden.prompt);
        assert!(logits(&of_8_bits, "f32", &golden.prompt) == right, "{name}: exact in f32");
        // In 16 bits, weights times scales are rounded.
        for (found, right) in logits(&of_8_bits, "auto", &golden.prompt).iter().zip(&right) {
            let difference = difference(found, right);
            assert!(difference < 4e-2, "{name}: {difference}");
        }
        // It is about the model that it was made of: tiny ones make much of a rounding.
        for (found, right) in right.iter().zip(&golden.prompt_logits) {
            let difference = difference(found, right);
            assert!(difference < 0.5, "{name}: {difference}");
        }
    }
}

#[test]
fn a_weight_in_8_bits_without_its_scale_or_that_is_no_number_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let [of_8_bits, _] = quantized(&Golden::named("llama2"), directory.path(), None);
    let file = of_8_bits.join("model.safetensors");
    let bytes = std::fs::read(&file).expect("the model");
    let refused = |bytes: &[u8], says: &[&str]| {
        std::fs::write(&file, bytes).expect("written");
        let error = load(&of_8_bits, "auto").err().expect("a damaged model");
        assert!(error.code == ErrorCode::InvalidFile && says.iter().all(|it| error.message.contains(it)), "{error}");
    };
    let at = |text: &str| bytes.windows(text.len()).position(|it| it == text.as_bytes()).expect("in the header");
    let mut renamed = bytes.clone();
    renamed[at("layers.1.self_attn.q_proj.weight_scale") + 9] = b'7';
    refused(&renamed, &["`model.layers.1.self_attn.q_proj.weight_scale`", "missing"]);

    // The header is `{"name":{"dtype":...,"data_offsets":[from,to]}`; tensors follow it.
    let header: serde_json::Value =
        serde_json::from_slice(&bytes[8..8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize])
            .expect("JSON");
    let first = header["model.layers.0.mlp.up_proj.weight"]["data_offsets"][0].as_u64().expect("an offset") as usize;
    let mut damaged = bytes.clone();
    damaged[8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize + first] = 0xff;
    refused(&damaged, &["model.layers.0.mlp.up_proj.weight", "no number"]);

    let scale =
        header["model.layers.0.mlp.up_proj.weight_scale"]["data_offsets"][0].as_u64().expect("an offset") as usize;
    let mut infinite = bytes.clone();
    let at = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize + scale;
    infinite[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    refused(&infinite, &["model.layers.0.mlp.up_proj.weight_scale", "inf"]);
}

#[test]
fn scales_of_blocks_of_another_size_than_config_json_tells_are_named_with_their_shapes() {
    let directory = tempfile::tempdir().expect("a directory");
    let [of_8_bits, _] = quantized(&Golden::named("llama2"), directory.path(), Some([16, 16]));
    let file = of_8_bits.join("config.json");
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).expect("config.json")).expect("JSON");
    for (block, says) in [
        (serde_json::json!([8, 16]), "has shape [2, 2], by config.json it is [4, 2]"),
        (serde_json::json!(null), "has shape [2, 2], by config.json it is [32, 1]"),
    ] {
        let mut config = config.clone();
        config["quantization_config"]["weight_block_size"] = block;
        std::fs::write(&file, config.to_string()).expect("written");
        let error = load(&of_8_bits, "auto").err().expect("must be refused");
        let named = error.message.contains("self_attn.q_proj.weight_scale_inv");
        assert!(error.code == ErrorCode::InvalidFile && named && error.message.contains(says), "{error}");
    }
}

#[test]
fn weights_in_4_bits_stay_so_and_have_the_bits_of_what_they_stand_for() {
    for name in OF_4_BITS {
        let golden = Golden::named(name);
        let kept = |dtype: &str| {
            let model = load(&golden.directory, dtype).expect("a model");
            (model.info().dtype, model.memory().weight_bytes)
        };
        let ((dtype, bytes), (_, wide_bytes)) = (kept("auto"), kept("f32"));
        assert!(dtype == "i4" && bytes < wide_bytes * 2 / 5, "{name}: {bytes} of {wide_bytes} bytes in {dtype}");
        for tokens in [&golden.prompt, &golden.prompt.repeat(3)] {
            let (found, right) = (logits(&golden.directory, "auto", tokens), logits(&golden.directory, "f32", tokens));
            for (found, right) in found.iter().zip(&right) {
                // Inputs in the order of their groups are added up in that order.
                let difference = difference(found, right);
                assert!(difference <= if name.starts_with("mistral") { 1e-5 } else { 0.0 }, "{name}: {difference}");
            }
        }
    }
}

#[test]
fn weights_in_4_bits_are_named_where_config_json_does_not_know_of_them() {
    let golden = Golden::named("llama2-awq");
    let directory = tempfile::tempdir().expect("a directory");
    let mut config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(golden.directory.join("config.json")).expect("config.json"))
            .expect("JSON");
    let refused = |config: &serde_json::Value, says: &str| {
        std::fs::write(directory.path().join("config.json"), config.to_string()).expect("written");
        let error = load(directory.path(), "auto").err().expect("must be refused");
        assert!(error.code == ErrorCode::InvalidFile && error.message.contains(says), "{error}");
    };
    std::fs::copy(golden.directory.join("model.safetensors"), directory.path().join("model.safetensors"))
        .expect("copied");
    config["quantization_config"]["group_size"] = 32.into();
    refused(&config, "`model.layers.0.self_attn.q_proj.scales` has shape [2, 32]");
    config["quantization_config"] = serde_json::Value::Null;
    refused(&config, "`model.layers.0.self_attn.q_proj.qweight` is quantized");
}
