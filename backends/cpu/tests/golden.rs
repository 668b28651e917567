//! Tiny random models of each family against the values that the reference implementation (Hugging Face transformers)
//! computed with them; `backends/transformer/golden/make.py` made both.

use std::fs;
use std::sync::Arc;

use jig_plugin_api::host::Silent;
use jig_plugin_api::{Chunk, ErrorCode, LogitsWanted, Model, ModelSpec, SampleRow, SamplingParams, SequenceId, mask};
use jig_transformer::golden::{Golden, difference};
use serde_json::Value;

/// The largest difference that counts as equal, as a share of the largest logit of a row.
const TOLERANCE: f32 = 1e-4;

fn spec(golden: &Golden) -> ModelSpec {
    let mut spec = ModelSpec::new(&golden.directory);
    // A cache of a few pages, so that sequences get them out of order.
    (spec.max_sequences, spec.kv_cache_bytes) = (16, Some(1 << 20));
    spec.options = vec![("threads".to_owned(), "2".to_owned())];
    spec
}

fn load(spec: &ModelSpec) -> Box<dyn Model> {
    jig_backend_cpu::backend().load(spec, Arc::new(Silent)).unwrap_or_else(|error| panic!("{spec:?}: {error}"))
}

fn chunk(sequence: SequenceId, tokens: &[u32], logits: LogitsWanted) -> Chunk<'_> {
    Chunk { sequence, tokens, logits }
}

fn open(model: &mut dyn Model) -> SequenceId {
    model.open().expect("a sequence")
}

/// Appends tokens and gives the logits after each of them.
fn all_logits(model: &mut dyn Model, sequence: SequenceId, tokens: &[u32]) -> Vec<Vec<f32>> {
    model.forward(&[chunk(sequence, tokens, LogitsWanted::All)]).expect("a step");
    (0..tokens.len()).map(|row| model.logits(row as u32).expect("a row")).collect()
}

/// Logits after each token of the text, computed in one piece in a model of its own.
fn alone(golden: &Golden, tokens: &[u32]) -> Vec<Vec<f32>> {
    let mut model = load(&spec(golden));
    let sequence = open(&mut *model);
    all_logits(&mut *model, sequence, tokens)
}

fn assert_close(name: &str, found: &[f32], right: &[f32]) {
    let difference = difference(found, right);
    assert!(difference <= TOLERANCE, "{name}: differs by {difference} of the largest");
}

fn greedy(row: u32) -> SampleRow<'static> {
    static GREEDY: std::sync::OnceLock<SamplingParams> = std::sync::OnceLock::new();
    let params = GREEDY.get_or_init(SamplingParams::greedy);
    SampleRow { row, mask: &[], banned: &[], params, uniform: 0.0, prompt: &[], output: &[] }
}

#[test]
fn logits_of_prompt_and_decode_steps_equal_those_of_the_reference() {
    for golden in Golden::all() {
        let mut model = load(&spec(&golden));
        let sequence = open(&mut *model);
        let found = all_logits(&mut *model, sequence, &golden.prompt);
        for (found, right) in found.iter().zip(&golden.prompt_logits) {
            assert_close(&golden.name, found, right);
        }
        for (token, right) in &golden.steps {
            model.forward(&[chunk(sequence, &[*token], LogitsWanted::Last)]).expect("a step");
            assert_close(&golden.name, &model.logits(0).expect("a row"), right);
        }
    }
}

#[test]
fn greedy_decoding_draws_the_tokens_of_the_reference() {
    for golden in Golden::all() {
        let mut model = load(&spec(&golden));
        let sequence = open(&mut *model);
        model.forward(&[chunk(sequence, &golden.prompt, LogitsWanted::Last)]).expect("the prompt");
        for (token, _) in &golden.steps {
            let drawn = model.sample(&[greedy(0)]).expect("a token")[0].token;
            assert_eq!(drawn, *token, "{}", golden.name);
            model.forward(&[chunk(sequence, &[drawn], LogitsWanted::Last)]).expect("a step");
        }
    }
}

#[test]
fn a_prompt_in_chunks_gives_the_bits_of_the_prompt_in_one_piece() {
    for golden in Golden::all() {
        let tokens = golden.tokens();
        let whole = alone(&golden, &tokens);
        for sizes in [&[1usize][..], &[7, 2, 5, 1], &[16, 16], &[3]] {
            let mut model = load(&spec(&golden));
            let sequence = open(&mut *model);
            let (mut rest, mut found, mut sizes) = (&tokens[..], Vec::new(), sizes.iter().cycle());
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(*sizes.next().expect("endless")));
                found.extend(all_logits(&mut *model, sequence, now));
                rest = later;
            }
            assert_eq!(found, whole, "{}", golden.name);
        }
    }
}

#[test]
fn a_batch_of_mixed_lengths_gives_each_row_the_bits_that_it_has_alone() {
    for golden in Golden::all() {
        let tokens = golden.tokens();
        let whole = alone(&golden, &tokens);
        let mut model = load(&spec(&golden));
        // Prefill and decode in one batch, at every length, in an order that is not theirs.
        let lengths = [11usize, 1, 20, 4, 16, 17, 9, 2];
        let sequences = lengths.map(|length| {
            let sequence = open(&mut *model);
            if length > 4 {
                model.forward(&[chunk(sequence, &tokens[..length - 4], LogitsWanted::None)]).expect("the beginning");
            }
            sequence
        });
        let begun = |length: usize| length.saturating_sub(4);
        let chunks = sequences.iter().zip(lengths);
        let batch: Vec<_> = chunks
            .map(|(sequence, length)| chunk(*sequence, &tokens[begun(length)..length], LogitsWanted::Last))
            .collect();
        model.forward(&batch).expect("a mixed batch");
        for (row, length) in lengths.iter().enumerate() {
            assert_eq!(model.logits(row as u32).expect("a row"), whole[length - 1], "{} at {length}", golden.name);
        }
        let next: Vec<_> = sequences
            .iter()
            .zip(lengths)
            .map(|(sequence, length)| chunk(*sequence, &tokens[length..=length], LogitsWanted::Last))
            .collect();
        model.forward(&next).expect("a decode batch");
        for (row, length) in lengths.iter().enumerate() {
            assert_eq!(model.logits(row as u32).expect("a row"), whole[*length], "{} past {length}", golden.name);
        }
    }
}

#[test]
fn forks_share_what_they_have_in_common_and_go_their_own_ways() {
    for golden in Golden::all() {
        let tokens = golden.tokens();
        let mut other = tokens.clone();
        other[18..].iter_mut().for_each(|token| *token = (*token + 1) % 61);
        let (straight, turned) = (alone(&golden, &tokens), alone(&golden, &other));
        let mut model = load(&spec(&golden));
        let parent = open(&mut *model);
        model.forward(&[chunk(parent, &tokens[..20], LogitsWanted::None)]).expect("the parent");
        let before = model.memory().used_blocks;
        let forks = [18, 18, 20].map(|length| model.fork(parent, length).expect("a fork"));
        assert_eq!(model.memory().used_blocks, before, "a fork takes nothing");
        // Three of those that share the last page write to it in one batch.
        let batch = [
            chunk(forks[0], &other[18..20], LogitsWanted::Last),
            chunk(forks[1], &tokens[18..20], LogitsWanted::Last),
            chunk(forks[2], &tokens[20..21], LogitsWanted::Last),
            chunk(parent, &tokens[20..21], LogitsWanted::Last),
        ];
        model.forward(&batch).expect("a step");
        let found: Vec<_> = (0..4).map(|row| model.logits(row).expect("a row")).collect();
        assert_eq!(found[0], turned[19], "{}", golden.name);
        assert_eq!(found[1], straight[19], "{}", golden.name);
        assert_eq!((&found[2], &found[3]), (&straight[20], &straight[20]), "{}", golden.name);

        // A truncated sequence goes another way.
        model.truncate(parent, 18).expect("shorter");
        assert_eq!(all_logits(&mut *model, parent, &other[18..]), turned[18..], "{}", golden.name);
        for sequence in forks.into_iter().chain([parent]) {
            model.close(sequence).expect("open");
        }
        let memory = model.memory();
        assert_eq!((memory.used_blocks, memory.kv_used_bytes, memory.open_sequences), (0, 0, 0));
    }
}

#[test]
fn a_cache_that_is_full_refuses_and_changes_nothing() {
    let golden = Golden::named("llama2");
    let mut spec = spec(&golden);
    // Two blocks of 16 tokens: 2 layers, keys and values, 4 heads of 8 floats.
    spec.kv_cache_bytes = Some(2 * 16 * 2 * 2 * 32 * 4);
    let mut model = load(&spec);
    let memory = model.memory();
    assert_eq!((memory.total_blocks, memory.block_tokens), (2, 16));
    let tokens = golden.tokens();
    let whole = alone(&golden, &tokens);
    let (a, b) = (open(&mut *model), open(&mut *model));
    model.forward(&[chunk(a, &tokens[..10], LogitsWanted::None)]).expect("one block");
    let fork = model.fork(a, 10).expect("shares it");
    let before = model.memory();
    let batch = [chunk(a, &tokens[10..11], LogitsWanted::Last), chunk(b, &tokens, LogitsWanted::Last)];
    let error = model.forward(&batch).expect_err("three blocks more than there are");
    assert_eq!(error.code, ErrorCode::OutOfMemory, "{error}");
    assert_eq!(model.memory(), before);
    // One of the two that share a block gets a copy, the other keeps it.
    let batch = [chunk(a, &tokens[10..11], LogitsWanted::Last), chunk(fork, &tokens[10..11], LogitsWanted::Last)];
    model.forward(&batch).expect("both blocks");
    assert_eq!(model.logits(1).expect("a row"), whole[10]);
    assert_eq!(model.memory().used_blocks, 2);
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let golden = Golden::named("qwen3");
    let mut spec = spec(&golden);
    (spec.max_model_len, spec.max_batch_tokens) = (Some(20), 16);
    let mut model = load(&spec);
    let sequence = open(&mut *model);
    let closed = open(&mut *model);
    model.close(closed).expect("open");
    model.forward(&[chunk(sequence, &golden.prompt, LogitsWanted::Last)]).expect("the prompt");
    let long = vec![5; 17];
    let wrong = [
        vec![chunk(closed, &[1], LogitsWanted::Last)],
        vec![chunk(SequenceId(99), &[1], LogitsWanted::Last)],
        vec![chunk(sequence, &[], LogitsWanted::Last)],
        vec![chunk(sequence, &[61], LogitsWanted::Last)],
        vec![chunk(sequence, &[u32::MAX], LogitsWanted::Last)],
        vec![chunk(sequence, &long[..8], LogitsWanted::Last)],
        vec![chunk(sequence, &long, LogitsWanted::Last)],
        vec![chunk(sequence, &[1], LogitsWanted::Last), chunk(sequence, &[1], LogitsWanted::Last)],
    ];
    let before = model.memory();
    for batch in &wrong {
        let error = model.forward(batch).expect_err("makes no sense");
        assert_eq!(error.code, ErrorCode::InvalidArgument, "{error}");
        assert_eq!(model.memory(), before);
    }
    assert_eq!(model.fork(sequence, 14).expect_err("too long").code, ErrorCode::InvalidArgument);
    assert_eq!(model.truncate(sequence, 14).expect_err("too long").code, ErrorCode::InvalidArgument);
    assert_eq!(model.close(closed).expect_err("closed").code, ErrorCode::InvalidArgument);
    // The rows of the last step that worked are still there, and no others.
    assert_close("qwen3", &model.logits(0).expect("a row"), &golden.prompt_logits[12]);
    assert_eq!(model.logits(1).expect_err("no such row").code, ErrorCode::InvalidArgument);
    assert_eq!(model.sample(&[greedy(1)]).expect_err("no such row").code, ErrorCode::InvalidArgument);
    let short = SampleRow { mask: &[1], ..greedy(0) };
    assert_eq!(model.sample(&[short]).expect_err("a short mask").code, ErrorCode::InvalidArgument);
}

#[test]
fn masks_hold_and_more_rows_than_fit_at_a_time_can_be_drawn_in_any_order() {
    let golden = Golden::named("llama3");
    let mut spec = spec(&golden);
    spec.max_sequences = 2;
    let mut model = load(&spec);
    let sequence = open(&mut *model);
    let tokens = golden.tokens();
    let logits = all_logits(&mut *model, sequence, &tokens);
    let only = mask::pack(61, [7, 33]);
    let rows: Vec<_> = (0..tokens.len() as u32).rev().map(|row| SampleRow { mask: &only, ..greedy(row) }).collect();
    let drawn = model.sample(&rows).expect("tokens");
    for (row, drawn) in rows.iter().zip(drawn) {
        let logits = &logits[row.row as usize];
        assert_eq!(drawn.token, if logits[33] > logits[7] { 33 } else { 7 });
    }
}

#[test]
fn weights_are_computed_in_the_type_that_is_asked_for() {
    let (narrow, wide) = (Golden::named("mistral"), Golden::named("llama2"));
    let logits = |golden: &Golden, dtype: &str| {
        let mut spec = spec(golden);
        spec.dtype = dtype.to_owned();
        let mut model = load(&spec);
        let (info, bytes) = (model.info(), model.memory().weight_bytes);
        let sequence = open(&mut *model);
        (all_logits(&mut *model, sequence, &golden.prompt), info.dtype, bytes)
    };
    let (auto, as_stored, bytes) = logits(&narrow, "auto");
    let (exact, name, twice) = logits(&narrow, "f32");
    assert_eq!((auto, as_stored.as_str(), name.as_str(), 2 * bytes), (exact, "bf16", "f32", twice));
    let (full, ..) = logits(&wide, "auto");
    for dtype in ["f16", "bf16"] {
        let (rounded, name, _) = logits(&wide, dtype);
        let difference = full[12].iter().zip(&rounded[12]).fold(0.0, |worst: f32, (a, b)| worst.max((a - b).abs()));
        assert!(name == dtype && difference > 0.0 && difference < 1.0, "{dtype}: {difference}");
    }
}

#[test]
fn every_set_of_instructions_and_any_number_of_threads_agree_with_the_reference() {
    let golden = Golden::named("qwen2");
    for level in jig_backend_cpu::Level::available() {
        for threads in ["1", "3"] {
            let mut spec = spec(&golden);
            let option = |key: &str, value: &str| (key.to_owned(), value.to_owned());
            spec.options = vec![option("threads", threads), option("instructions", level.name())];
            let mut model = load(&spec);
            let sequence = open(&mut *model);
            let found = all_logits(&mut *model, sequence, &golden.prompt);
            for (found, right) in found.iter().zip(&golden.prompt_logits) {
                assert_close(level.name(), found, right);
            }
        }
    }
}

#[test]
fn a_specification_that_cannot_be_met_is_refused_by_name() {
    let golden = Golden::named("opt");
    let refused = |change: &dyn Fn(&mut ModelSpec)| {
        let mut spec = spec(&golden);
        change(&mut spec);
        let refused = jig_backend_cpu::backend().load(&spec, Arc::new(Silent));
        refused.err().expect("must be refused").message
    };
    let option = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    assert!(refused(&|spec| spec.device = "cuda:0".to_owned()).contains("cuda:0"));
    assert!(refused(&|spec| spec.dtype = "int4".to_owned()).contains("int4"));
    assert!(refused(&|spec| spec.max_model_len = Some(41)).contains("41"));
    assert!(refused(&|spec| spec.max_model_len = Some(0)).contains("max_model_len"));
    assert!(refused(&|spec| spec.kv_cache_bytes = Some(5)).contains("block"));
    assert!(refused(&|spec| spec.options = option("threads", "none")).contains("threads"));
    assert!(refused(&|spec| spec.options = option("instructions", "mmx")).contains("mmx"));
    assert!(refused(&|spec| spec.options = option("speed", "high")).contains("speed"));
    assert!(refused(&|spec| spec.directory = "/nonexistent".into()).contains("config.json"));
}

#[test]
fn a_config_that_does_not_fit_the_weights_is_refused_with_the_tensor() {
    let golden = Golden::named("llama2");
    let refused = |field: &str, value: Value| {
        let directory = tempfile::tempdir().expect("a directory");
        let text = fs::read(golden.directory.join("config.json")).expect("config.json");
        let mut config: Value = serde_json::from_slice(&text).expect("JSON");
        config[field] = value;
        fs::write(directory.path().join("config.json"), config.to_string()).expect("written");
        fs::copy(golden.directory.join("model.safetensors"), directory.path().join("model.safetensors"))
            .expect("copied");
        let spec = ModelSpec::new(directory.path());
        jig_backend_cpu::backend().load(&spec, Arc::new(Silent)).err().expect("must be refused").message
    };
    assert!(refused("num_hidden_layers", 3.into()).contains("`model.layers.2.input_layernorm.weight` is missing"));
    assert!(refused("num_hidden_layers", 1.into()).contains("`model.layers.1."));
    assert!(
        refused("intermediate_size", 48.into()).contains("`model.layers.0.mlp.gate_proj.weight` has shape [44, 32]")
    );
    assert!(refused("max_position_embeddings", (1 << 26).into()).contains("max_model_len"));
    assert!(refused("attention_bias", true.into()).contains("`model.layers.0.self_attn.q_proj.bias` is missing"));
}

#[test]
fn checkpoints_that_name_their_tensors_in_other_known_ways_give_the_same() {
    // Without what stands before all names, and with the tied table under the name of the last projection.
    let renamings = [
        ("opt-post-norm", "model.decoder.", "decoder."),
        ("opt-post-norm", "model.decoder.embed_tokens", "lm_head"),
        ("qwen2", "model.embed_tokens", "lm_head"),
        ("qwen3", "model.", ""),
    ];
    for (name, from, to) in renamings {
        let golden = Golden::named(name);
        let directory = tempfile::tempdir().expect("a directory");
        fs::copy(golden.directory.join("config.json"), directory.path().join("config.json")).expect("copied");
        let file = fs::read(golden.directory.join("model.safetensors")).expect("weights");
        // A length of eight bytes, the header, the elements.
        let (length, rest) = file.split_at(8);
        let length = u64::from_le_bytes(length.try_into().expect("eight bytes")) as usize;
        let header =
            String::from_utf8(rest[..length].to_vec()).expect("text").replace(&format!("\"{from}"), &format!("\"{to}"));
        let renamed = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &rest[length..]].concat();
        fs::write(directory.path().join("model.safetensors"), renamed).expect("written");
        let mut model = load(&ModelSpec { directory: directory.path().to_owned(), ..spec(&golden) });
        let sequence = open(&mut *model);
        let found = all_logits(&mut *model, sequence, &golden.prompt);
        assert_eq!(found, alone(&golden, &golden.prompt), "{name} with {to:?} for {from:?}");
    }
}
