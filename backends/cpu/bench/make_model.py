"""Makes a Llama-shaped model of about half a billion parameters with random weights in bfloat16, to measure speed with.

The same weights are written twice: as a Hugging Face directory (config.json, model.safetensors) and as a GGUF file for
llama.cpp. The text that comes out is noise; what it costs to make it is what a trained model of this shape costs.

Usage: python3 make_model.py DIRECTORY
"""

import json
import sys
from pathlib import Path

import gguf
import numpy as np

VOCABULARY, WIDTH, INNER, LAYERS, HEADS, KV_HEADS, CONTEXT = 32000, 1536, 4096, 16, 24, 8, 4096
HEAD = WIDTH // HEADS


def bfloat16(values):
    """The upper halves of f32 values, rounded to nearest."""
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def tensors():
    """Names as Hugging Face has them, and bfloat16 values as bits."""
    random = np.random.default_rng(0)

    def matrix(outputs, inputs):
        return bfloat16(random.standard_normal((outputs, inputs), dtype=np.float32) * inputs**-0.5)

    ones = bfloat16(np.ones(WIDTH))
    yield "model.embed_tokens.weight", matrix(VOCABULARY, WIDTH)
    for layer in range(LAYERS):
        at = f"model.layers.{layer}."
        yield at + "input_layernorm.weight", ones
        yield at + "self_attn.q_proj.weight", matrix(HEADS * HEAD, WIDTH)
        yield at + "self_attn.k_proj.weight", matrix(KV_HEADS * HEAD, WIDTH)
        yield at + "self_attn.v_proj.weight", matrix(KV_HEADS * HEAD, WIDTH)
        yield at + "self_attn.o_proj.weight", matrix(WIDTH, HEADS * HEAD)
        yield at + "post_attention_layernorm.weight", ones
        yield at + "mlp.gate_proj.weight", matrix(INNER, WIDTH)
        yield at + "mlp.up_proj.weight", matrix(INNER, WIDTH)
        yield at + "mlp.down_proj.weight", matrix(WIDTH, INNER)
    yield "model.norm.weight", ones
    yield "lm_head.weight", matrix(VOCABULARY, WIDTH)


def write_safetensors(path, named):
    header, offset = {}, 0
    for name, bits in named:
        header[name] = {"dtype": "BF16", "shape": list(bits.shape), "data_offsets": [offset, offset + bits.nbytes]}
        offset += bits.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, bits in named:
            file.write(bits.tobytes())


def write_gguf(path, named):
    names = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
        "input_layernorm": "attn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "post_attention_layernorm": "ffn_norm",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(HEAD)
    writer.add_vocab_size(VOCABULARY)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f"<{index}>".encode() for index in range(VOCABULARY)])
    writer.add_token_scores([0.0] * VOCABULARY)
    writer.add_token_types([gguf.TokenType.NORMAL] * VOCABULARY)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for name, bits in named:
        if name in names:
            target = names[name]
        else:
            _, _, layer, part = name.removesuffix(".weight").split(".", 3)
            target = f"blk.{layer}.{names[part]}.weight"
        if "q_proj" in name or "k_proj" in name:
            # llama.cpp pairs neighbours where Hugging Face pairs halves: the rows of a head change places.
            heads = bits.shape[0] // HEAD
            bits = bits.reshape(heads, 2, HEAD // 2, -1).swapaxes(1, 2).reshape(bits.shape)
        if bits.ndim == 1:
            values = (bits.astype(np.uint32) << 16).view(np.float32)
            writer.add_tensor(target, values)
        else:
            raw = np.ascontiguousarray(bits).view(np.uint8)
            writer.add_tensor(target, raw, raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    named = list(tensors())
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    (directory / "config.json").write_text(json.dumps(config, indent=1))
    write_safetensors(directory / "model.safetensors", named)
    write_gguf(directory / "model.gguf", named)
    parameters = sum(bits.size for _, bits in named)
    print(f"{directory}: {parameters / 1e6:.0f} M parameters, {parameters * 2 / 1e9:.2f} GB")


main()
