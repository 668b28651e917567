"""Makes the golden models: tiny random decoders of each family, and what the reference computes with them.

    pip install torch transformers safetensors
    python make.py            # writes values/NAME/{config.json, *.safetensors, golden.json}

`golden.json` of a model holds a prompt, the logits after each of its tokens, then a greedy continuation of eight tokens with
the logits after each, all in float32 on the CPU with eager attention; and the versions that made them.
"""

import json
import shutil
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, OPTConfig, Qwen2Config, Qwen3Config

HERE = Path(__file__).parent / "values"
VOCABULARY = 61
PROMPT = 13
STEPS = 8

SMALL = dict(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=44,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=64,
    initializer_range=0.4,
    tie_word_embeddings=False,
    pad_token_id=None,
    bos_token_id=1,
    eos_token_id=2,
)
OPT = dict(
    vocab_size=VOCABULARY,
    hidden_size=32,
    ffn_dim=44,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=40,
    init_std=0.4,
    word_embed_proj_dim=32,
)


def rope(kind, **more):
    return {"rope_type": kind, "rope_theta": 100.0, **more}


# name: configuration, type of the stored weights, size of a shard, whether the prompt is fed token by token
MODELS = {
    "opt": (OPTConfig(**OPT), torch.float32, None, False),
    "opt-post-norm": (
        OPTConfig(**(OPT | dict(do_layer_norm_before=False, word_embed_proj_dim=20))),
        torch.float16,
        None,
        False,
    ),
    "opt-gelu-no-bias": (OPTConfig(**(OPT | dict(activation_function="gelu", enable_bias=False))), torch.float32, None, False),
    "llama2": (LlamaConfig(**(SMALL | dict(rope_parameters=rope("default")))), torch.float32, None, False),
    "llama3": (
        LlamaConfig(
            **(
                SMALL
                | dict(
                    num_key_value_heads=2,
                    tie_word_embeddings=True,
                    rope_parameters=rope(
                        "llama3",
                        factor=8.0,
                        low_freq_factor=1.0,
                        high_freq_factor=4.0,
                        original_max_position_embeddings=16,
                    ),
                )
            )
        ),
        torch.bfloat16,
        "12KB",
        False,
    ),
    "llama-linear": (
        LlamaConfig(**(SMALL | dict(attention_bias=True, mlp_bias=True, rope_parameters=rope("linear", factor=3.0)))),
        torch.float32,
        None,
        False,
    ),
    # The reference recomputes the base as the text grows, so that what it gives for a prompt longer than the original length depends
    # on how it is cut. Token by token is the way that any cut can reproduce.
    "llama-dynamic": (
        LlamaConfig(**(SMALL | dict(max_position_embeddings=8, rope_parameters=rope("dynamic", factor=4.0)))),
        torch.float32,
        None,
        True,
    ),
    "llama-yarn": (
        LlamaConfig(
            **(SMALL | dict(rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=16)))
        ),
        torch.float32,
        None,
        False,
    ),
    "mistral": (
        MistralConfig(
            **(SMALL | dict(num_key_value_heads=2, sliding_window=5, rope_parameters=rope("default")))
        ),
        torch.bfloat16,
        None,
        False,
    ),
    "qwen2": (
        Qwen2Config(**(SMALL | dict(num_key_value_heads=1, tie_word_embeddings=True, rope_parameters=rope("default")))),
        torch.bfloat16,
        None,
        False,
    ),
    "qwen2-window": (
        Qwen2Config(
            **(
                SMALL
                | dict(
                    num_key_value_heads=2,
                    use_sliding_window=True,
                    sliding_window=4,
                    max_window_layers=1,
                    rope_parameters=rope("default"),
                )
            )
        ),
        torch.float32,
        None,
        False,
    ),
    "qwen3": (
        Qwen3Config(
            **(SMALL | dict(num_key_value_heads=2, head_dim=12, rope_parameters=rope("default")))
        ),
        torch.float32,
        None,
        False,
    ),
}


def values(row):
    return [float(f"{x:.7g}") for x in row.tolist()]


@torch.no_grad()
def make(name, config, dtype, shard, token_by_token):
    torch.manual_seed(sum(map(ord, name)))
    config.architectures = None
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    for parameter_name, parameter in model.named_parameters():
        # Norms and biases begin as ones and zeros, which would hide mistakes.
        if parameter.dim() == 1:
            parameter += 0.3 * torch.randn_like(parameter)
    directory = HERE / name
    shutil.rmtree(directory, ignore_errors=True)
    model.to(dtype).save_pretrained(directory, **({"max_shard_size": shard} if shard else {}))
    (directory / "generation_config.json").unlink(missing_ok=True)

    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    prompt = torch.randint(3, VOCABULARY, (1, PROMPT))
    past, prompt_logits = None, []
    for piece in prompt.split(1, dim=1) if token_by_token else [prompt]:
        out = model(piece, past_key_values=past, use_cache=True)
        past, prompt_logits = out.past_key_values, prompt_logits + list(out.logits[0])
    steps, logits = [], prompt_logits[-1]
    for _ in range(STEPS):
        token = int(logits.argmax())
        out = model(torch.tensor([[token]]), past_key_values=past, use_cache=True)
        past, logits = out.past_key_values, out.logits[0, -1]
        steps.append({"token": token, "logits": values(logits)})
    golden = {
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "prompt": prompt[0].tolist(),
        "prompt_logits": [values(row) for row in prompt_logits],
        "steps": steps,
    }
    (directory / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{name:18} {sum(file.stat().st_size for file in directory.iterdir()) // 1024:4} KB", steps[0]["token"])


for name, arguments in MODELS.items():
    make(name, *arguments)
