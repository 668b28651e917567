//! The names of a family's tensors in checkpoints.

/// Names of a family's tensors. Those of a layer follow `layers` and the layer's number; weights and biases add
/// `.weight` and `.bias`.
#[derive(Debug, PartialEq, Eq)]
pub struct Names {
    /// Prefixes of all names but the last projection's; the first under which the first layer exists is used.
    pub prefixes: &'static [&'static str],
    /// The embedding table.
    pub embedding: &'static str,
    /// The table of learned positions.
    pub positions: &'static str,
    /// The projection from the embedding's width to that of the residual stream.
    pub project_in: &'static str,
    /// The projection back.
    pub project_out: &'static str,
    /// The prefix of a layer's number.
    pub layers: &'static str,
    /// The norm of the attention block.
    pub attention_norm: &'static str,
    /// The projection to queries.
    pub query: &'static str,
    /// The projection to keys.
    pub key: &'static str,
    /// The projection to values.
    pub value: &'static str,
    /// The projection that follows attention.
    pub output: &'static str,
    /// The norm over each query head.
    pub query_norm: &'static str,
    /// The norm over each key head.
    pub key_norm: &'static str,
    /// The norm of the MLP block.
    pub mlp_norm: &'static str,
    /// The gate of the MLP.
    pub gate: &'static str,
    /// The first projection of the MLP.
    pub up: &'static str,
    /// The last projection of the MLP.
    pub down: &'static str,
    /// The norm after the last layer.
    pub final_norm: &'static str,
    /// The projection to logits, without prefix.
    pub logits: &'static str,
    /// Suffixes of tensors that checkpoints contain and no computation uses.
    pub ignored: &'static [&'static str],
}

/// Llama, Mistral, Qwen2 and Qwen3.
pub static LLAMA: Names = Names {
    prefixes: &["model.", ""],
    embedding: "embed_tokens",
    positions: "",
    project_in: "",
    project_out: "",
    layers: "layers.",
    attention_norm: "input_layernorm",
    query: "self_attn.q_proj",
    key: "self_attn.k_proj",
    value: "self_attn.v_proj",
    output: "self_attn.o_proj",
    query_norm: "self_attn.q_norm",
    key_norm: "self_attn.k_norm",
    mlp_norm: "post_attention_layernorm",
    gate: "mlp.gate_proj",
    up: "mlp.up_proj",
    down: "mlp.down_proj",
    final_norm: "norm",
    logits: "lm_head",
    ignored: &["rotary_emb.inv_freq"],
};

/// OPT.
pub static OPT: Names = Names {
    prefixes: &["model.decoder.", "decoder."],
    embedding: "embed_tokens",
    positions: "embed_positions",
    project_in: "project_in",
    project_out: "project_out",
    layers: "layers.",
    attention_norm: "self_attn_layer_norm",
    query: "self_attn.q_proj",
    key: "self_attn.k_proj",
    value: "self_attn.v_proj",
    output: "self_attn.out_proj",
    query_norm: "",
    key_norm: "",
    mlp_norm: "final_layer_norm",
    gate: "",
    up: "fc1",
    down: "fc2",
    final_norm: "final_layer_norm",
    logits: "lm_head",
    ignored: &[],
};
