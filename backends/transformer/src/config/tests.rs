use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::description::{NormPlace, Position};
use crate::rope::RopeScaling;
use crate::weights::packed::{Layout, Packing};

fn parse(value: &Value) -> Result<Config> {
    Config::parse(Path::new("config.json"), value.to_string().as_bytes())
}

fn llama() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
        "num_attention_heads": 4, "num_hidden_layers": 2, "vocab_size": 100, "max_position_embeddings": 256,
    })
}

fn with(mut config: Value, field: &str, value: Value) -> Value {
    config[field] = value;
    config
}

fn message(config: &Value) -> String {
    parse(config).expect_err("must be refused").message
}

fn scaling(config: &Value) -> RopeScaling {
    match parse(config).expect("must be accepted").decoder.position {
        Position::Rotary(rope) => rope.scaling,
        Position::Learned { .. } => panic!("must be rotary"),
    }
}

#[test]
fn a_plain_llama_is_read() {
    let decoder = parse(&llama()).expect("valid").decoder;
    assert_eq!((decoder.attention.kv_heads, decoder.attention.head_dim), (4, 16));
    assert_eq!(decoder.windows, [None, None]);
    assert!(!decoder.tied_embeddings && !decoder.qkv_bias && decoder.mlp.gated);
}

#[test]
fn both_spellings_of_rope_scaling_mean_the_same() {
    let old = with(with(llama(), "rope_theta", json!(5e5)), "rope_scaling", json!({"type": "linear", "factor": 2.0}));
    let new = with(llama(), "rope_parameters", json!({"rope_type": "linear", "factor": 2.0, "rope_theta": 5e5}));
    assert_eq!(parse(&old).expect("valid"), parse(&new).expect("valid"));
    assert_eq!(scaling(&old), RopeScaling::Linear { factor: 2.0 });
}

#[test]
fn yarn_computes_its_attention_factor_unless_it_is_given() {
    let yarn = |more: Value| {
        let mut parameters = json!({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64});
        for (key, value) in more.as_object().expect("an object") {
            parameters[key] = value.clone();
        }
        with(llama(), "rope_parameters", parameters)
    };
    let factor = |config: &Value| match scaling(config) {
        RopeScaling::Yarn { attention_factor, .. } => attention_factor,
        other => panic!("{other:?}"),
    };
    assert!((factor(&yarn(json!({}))) - (0.1 * 4f64.ln() + 1.0)).abs() < 1e-12);
    assert!((factor(&yarn(json!({"attention_factor": 1.5}))) - 1.5).abs() < 1e-12);
    assert!((factor(&yarn(json!({"mscale": 1.0, "mscale_all_dim": 1.0}))) - 1.0).abs() < 1e-12);
}

#[test]
fn what_would_change_the_numbers_and_is_not_supported_is_refused_by_name() {
    let cases = [
        ("quantization_config", json!({"quant_method": "gptq"}), "quantization_config"),
        ("rope_scaling", json!({"rope_type": "longrope", "factor": 2.0}), "rope_scaling.rope_type"),
        ("partial_rotary_factor", json!(0.5), "partial_rotary_factor"),
        ("rope_parameters", json!({"rope_type": "default", "partial_rotary_factor": 0.25}), "partial_rotary_factor"),
        ("hidden_act", json!("mish"), "hidden_act"),
        ("layer_types", json!(["full_attention", "linear_attention"]), "layer_types"),
    ];
    for (field, value, named) in cases {
        let message = message(&with(llama(), field, value));
        assert!(message.contains("config.json") && message.contains(named), "{message}");
    }
}

fn quantization(config: Value) -> Quantization {
    parse(&with(llama(), "quantization_config", config)).expect("supported").quantization
}

/// What compressed-tensors writes, with a group of modules for each description of weights.
fn compressed(format: &str, weights: &[Value]) -> Value {
    let group = |weights: &Value| json!({"targets": ["Linear"], "weights": weights, "input_activations": {}});
    let groups: serde_json::Map<_, _> =
        weights.iter().enumerate().map(|(index, weights)| (format!("group_{index}"), group(weights))).collect();
    json!({"quant_method": "compressed-tensors", "format": format, "config_groups": groups, "ignore": ["lm_head"]})
}

/// Weights of 8 bits.
fn floats(strategy: &str) -> Value {
    json!({"num_bits": 8, "type": "float", "strategy": strategy, "symmetric": true, "block_structure": [128, 64]})
}

/// Weights of 4 bits.
fn integers(strategy: &str) -> Value {
    json!({"num_bits": 4, "type": "int", "strategy": strategy, "group_size": 128, "symmetric": true, "actorder": null})
}

#[test]
fn weights_in_fp8_are_read_with_the_size_of_their_blocks_and_other_quantizations_are_refused_by_name() {
    let blocks = json!({"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]});
    for (config, block) in [
        (json!({"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0, "modules_to_not_convert": []}), None),
        (json!({"quant_method": "fp8", "activation_scheme": "static"}), None),
        (compressed("float-quantized", &[floats("channel")]), None),
        (compressed("float-quantized", &[floats("tensor"), floats("channel")]), None),
        (blocks.clone(), Some([128, 128])),
        (compressed("float-quantized", &[floats("block")]), Some([128, 64])),
    ] {
        assert_eq!(quantization(config), Quantization { packing: None, block });
    }
    let channel = compressed("float-quantized", &[floats("channel")]);
    for (config, named) in [
        (json!({"quant_method": "bitsandbytes"}), "quant_method"),
        (json!({"quant_method": "marlin", "bits": 4, "group_size": 128}), "quant_method"),
        (json!({}), "quant_method"),
        (with(blocks.clone(), "weight_block_size", json!([128])), "weight_block_size"),
        (with(blocks.clone(), "weight_block_size", json!([128, 100])), "weight_block_size"),
        (with(blocks.clone(), "weight_block_size", json!([0, 128])), "weight_block_size"),
        (with(blocks.clone(), "weight_block_size", json!([128, 4])), "weight_block_size"),
        (with(blocks, "weight_block_size", json!("128")), "weight_block_size"),
        (compressed("nvfp4-pack-quantized", &[floats("channel")]), "format"),
        (compressed("float-quantized", &[floats("group")]), "config_groups"),
        (compressed("float-quantized", &[with(floats("channel"), "num_bits", json!(4))]), "config_groups"),
        (compressed("float-quantized", &[with(floats("channel"), "symmetric", json!(false))]), "config_groups"),
        (compressed("float-quantized", &[with(floats("block"), "block_structure", json!([128, 3]))]), "config_groups"),
        (compressed("float-quantized", &[with(floats("block"), "block_structure", json!(null))]), "config_groups"),
        (with(channel.clone(), "kv_cache_scheme", json!({"num_bits": 8})), "kv_cache_scheme"),
        (with(channel.clone(), "transform_config", json!({"config_groups": {"u": {}}})), "transform_config"),
        (with(channel.clone(), "sparsity_config", json!({"format": "sparse-24-bitmask"})), "sparsity_config"),
        (with(channel, "config_groups", json!([])), "config_groups"),
    ] {
        let message = message(&with(llama(), "quantization_config", config));
        assert!(message.contains(&format!("quantization_config.{named}")), "{message}");
    }
}

#[test]
fn weights_in_4_bits_of_compressed_tensors_are_read_with_their_packing() {
    let layout = Layout::Compressed { symmetric: true };
    let plain = Packing { layout, group_size: Some(128), ordered: false };
    let asymmetric = Packing { layout: Layout::Compressed { symmetric: false }, ..plain };
    for (weights, packing) in [
        (integers("group"), plain),
        (integers("channel"), Packing { group_size: None, ..plain }),
        (with(integers("group"), "symmetric", json!(false)), asymmetric),
        (with(integers("group"), "actorder", json!("weight")), plain),
        (with(integers("group"), "actorder", json!("group")), Packing { ordered: true, ..plain }),
    ] {
        assert_eq!(quantization(compressed("pack-quantized", &[weights])), packing.into());
    }
    // Two groups of modules, each in a format of its own.
    let mut mixed = compressed("mixed-precision", &[integers("group"), floats("block")]);
    mixed["config_groups"]["group_0"]["format"] = json!("pack-quantized");
    mixed["config_groups"]["group_1"]["format"] = json!("float-quantized");
    assert_eq!(quantization(mixed.clone()), Quantization { packing: Some(plain), block: Some([128, 64]) });
    mixed["config_groups"]["group_1"]["format"] = json!("int-quantized");
    let other_groups = with(integers("group"), "group_size", json!(64));
    for config in [
        mixed,
        compressed("pack-quantized", &[integers("group"), other_groups]),
        compressed("pack-quantized", &[with(integers("group"), "num_bits", json!(8))]),
        compressed("pack-quantized", &[with(integers("group"), "type", json!("float"))]),
        compressed("pack-quantized", &[with(integers("group"), "group_size", json!(0))]),
        compressed("pack-quantized", &[integers("tensor")]),
    ] {
        let message = message(&with(llama(), "quantization_config", config));
        assert!(message.contains("quantization_config.config_groups"), "{message}");
    }
}

#[test]
fn the_older_name_of_the_quantization_is_read_as_the_newer_one() {
    let config = compressed("pack-quantized", &[integers("group")]);
    let older = with(llama(), "compression_config", config.clone());
    assert_eq!(parse(&older).expect("supported").quantization, quantization(config.clone()));
    parse(&with(older.clone(), "quantization_config", config)).expect("both say the same");
    let message = message(&with(older, "quantization_config", json!({"quant_method": "fbgemm_fp8"})));
    assert!(message.contains("compression_config") && message.contains("quantization_config"), "{message}");
}

#[test]
fn weights_in_4_bits_are_read_with_their_packing() {
    let packing = |config: Value| quantization(config).packing;
    let awq = json!({
        "quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm", "zero_point": true,
        "modules_to_not_convert": null,
    });
    let plain = Packing { layout: Layout::Awq, group_size: Some(128), ordered: false };
    assert_eq!(packing(awq.clone()), Some(plain));
    assert_eq!(packing(with(awq.clone(), "version", json!("GEMM"))), Some(plain));
    let older = json!({"quant_method": "awq", "w_bit": 4, "q_group_size": 64});
    assert_eq!(packing(older), Some(Packing { group_size: Some(64), ..plain }));

    let gptq = json!({
        "quant_method": "gptq", "bits": 4, "group_size": 128, "sym": true, "desc_act": false, "damp_percent": 0.1,
        "true_sequential": true, "model_file_base_name": "model",
    });
    let plain = Packing { layout: Layout::Gptq { exact_zeros: false }, ..plain };
    assert_eq!(packing(gptq.clone()), Some(plain));
    assert_eq!(packing(with(gptq.clone(), "desc_act", json!(true))), Some(Packing { ordered: true, ..plain }));
    let column = with(with(gptq.clone(), "group_size", json!(-1)), "desc_act", json!(true));
    assert_eq!(packing(column), Some(Packing { group_size: None, ..plain }));
    let second = with(gptq.clone(), "checkpoint_format", json!("gptq_v2"));
    assert_eq!(packing(second), Some(Packing { layout: Layout::Gptq { exact_zeros: true }, ..plain }));
    assert_eq!(parse(&llama()).expect("valid").quantization, Quantization::default());

    for (config, field, value) in [
        (&awq, "bits", json!(8)),
        (&awq, "bits", json!(null)),
        (&awq, "version", json!("gemv")),
        (&awq, "version", json!("marlin")),
        (&awq, "format", json!("gemv_fast")),
        (&awq, "backend", json!("llm-awq")),
        (&awq, "zero_point", json!(false)),
        (&awq, "group_size", json!(0)),
        (&gptq, "bits", json!(3)),
        (&gptq, "bits", json!(8)),
        (&gptq, "group_size", json!(-2)),
        (&gptq, "group_size", json!(null)),
        (&gptq, "desc_act", json!("no")),
        (&gptq, "is_marlin_format", json!(true)),
        (&gptq, "checkpoint_format", json!("marlin")),
        (&gptq, "format", json!("bitblas")),
        (&gptq, "pack_dtype", json!("int16")),
        (&gptq, "dynamic", json!({"-:.*down.*": {}})),
    ] {
        let message = message(&with(llama(), "quantization_config", with(config.clone(), field, value)));
        assert!(message.contains(&format!("quantization_config.{field}")), "{message}");
    }
}

#[test]
fn an_unsupported_architecture_is_named_with_those_that_are_supported() {
    let message = message(&with(llama(), "architectures", json!(["MambaForCausalLM"])));
    assert!(message.contains("MambaForCausalLM") && message.contains("Qwen3ForCausalLM"), "{message}");
}

#[test]
fn absurd_values_are_refused_by_name() {
    let cases = [
        ("hidden_size", json!(0)),
        ("hidden_size", json!(63)),
        ("hidden_size", json!("big")),
        ("num_hidden_layers", json!(1e12)),
        ("num_attention_heads", json!(-4)),
        ("num_key_value_heads", json!(3)),
        ("vocab_size", json!(null)),
        ("head_dim", json!(15)),
        ("rms_norm_eps", json!(-1.0)),
        ("rope_theta", json!(0)),
        ("rope_scaling", json!([1])),
        ("tie_word_embeddings", json!("yes")),
        ("architectures", json!("LlamaForCausalLM")),
    ];
    for (field, value) in cases {
        let message = message(&with(llama(), field, value.clone()));
        assert!(message.contains(&format!("`{field}`")), "{field} = {value}: {message}");
    }
}

#[test]
fn sliding_windows_follow_the_rule_of_the_family() {
    let mut mistral = with(llama(), "architectures", json!(["MistralForCausalLM"]));
    mistral["model_type"] = json!("mistral");
    mistral["sliding_window"] = json!(32);
    assert_eq!(parse(&mistral).expect("valid").decoder.windows, [Some(32), Some(32)]);
    mistral["layer_types"] = json!(["sliding_attention", "full_attention"]);
    assert!(message(&mistral).contains("layer_types"));

    let mut qwen = with(llama(), "architectures", json!(["Qwen2ForCausalLM"]));
    qwen["model_type"] = json!("qwen2");
    qwen["sliding_window"] = json!(32);
    qwen["max_window_layers"] = json!(1);
    assert_eq!(parse(&qwen).expect("valid").decoder.windows, [None, None]);
    qwen["use_sliding_window"] = json!(true);
    assert_eq!(parse(&qwen).expect("valid").decoder.windows, [None, Some(32)]);
    qwen["layer_types"] = json!(["sliding_attention", "full_attention"]);
    assert_eq!(parse(&qwen).expect("valid").decoder.windows, [Some(32), None]);
    qwen["use_sliding_window"] = json!(false);
    assert!(message(&qwen).contains("layer_types"));
}

#[test]
fn opt_reads_its_variants() {
    let config = json!({
        "model_type": "opt", "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 100,
        "do_layer_norm_before": false, "word_embed_proj_dim": 32, "activation_function": "gelu",
    });
    let decoder = parse(&config).expect("valid").decoder;
    assert_eq!(decoder.norm_place, NormPlace::After);
    assert!(!decoder.final_norm && decoder.tied_embeddings && decoder.qkv_bias);
    assert_eq!(decoder.embedding_size, 32);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z_]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{0,12}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_value_of_any_field_panics(field in prop::sample::select(vec![
        "hidden_size", "num_attention_heads", "head_dim", "rope_scaling", "rope_parameters", "layer_types", "vocab_size",
        "sliding_window", "architectures", "model_type", "max_position_embeddings", "rope_theta",
    ]), value in any_json()) {
        let _ = parse(&with(llama(), field, value));
    }

    #[test]
    fn no_text_panics(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Config::parse(Path::new("config.json"), &text);
    }
}
