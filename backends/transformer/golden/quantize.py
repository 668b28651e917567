"""Makes the golden models in few bits out of those of make.py: their projections packed as AWQ, GPTQ and compressed-tensors do it, or in
FP8 with a scale for each block, and what comes out of them.

    pip install numpy
    python quantize.py        # writes values/NAME/{config.json, model.safetensors, golden.json} for each of MODELS

The logits are those of the weights that the numbers stand for, in float64, by the forward pass below. Before it is used it has to give
the golden values of the model that was not quantized, which another implementation computed. `check_quantized.py` reads the
models with the reference implementation, those that it can read without a GPU.
"""

import json
import shutil
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "values"
STEPS = 8
# The MLP of the golden models is no multiple of 8 wide; here it is, by some of its elements twice.
WIDTH = 64
TYPES = {"F32": np.float32, "F16": np.float16, "I32": np.int32, "I64": np.int64, "F8_E4M3": np.uint8}
# What the bits of FP8 below that of the sign stand for, without those of what is no number.
F8 = np.array([(bits & 7) * 2.0**-9 if bits < 8 else (8 + (bits & 7)) * 2.0 ** ((bits >> 3) - 10) for bits in range(127)])

# name: model, method, inputs of a group or size of a block, fields of its configuration, type of the scales
MODELS = {
    "llama2-awq": (
        "llama2",
        "awq",
        16,
        {"version": "gemm", "zero_point": True, "modules_to_not_convert": ["model.layers.0.self_attn.o_proj"]},
        "F16",
    ),
    "mistral-gptq": ("mistral", "gptq", 16, {"sym": False, "desc_act": True}, "F16"),
    "qwen2-gptq": ("qwen2", "gptq", -1, {"sym": True, "desc_act": False}, "BF16"),
    "qwen3-gptq": ("qwen3", "gptq", 8, {"sym": False, "desc_act": False, "checkpoint_format": "gptq_v2"}, "F16"),
    "llama2-compressed": (
        "llama2",
        "compressed-tensors",
        16,
        {"symmetric": False, "ignore": ["lm_head", "model.layers.0.self_attn.o_proj"]},
        "F16",
    ),
    "mistral-compressed": (
        "mistral",
        "compressed-tensors",
        16,
        {"symmetric": True, "actorder": "group", "ignore": ["lm_head"]},
        "BF16",
    ),
    "qwen3-compressed": ("qwen3", "compressed-tensors", -1, {"symmetric": True, "ignore": ["lm_head"]}, "BF16"),
    # Powers of two: with such scales weights are exact in 16 bits, in which some devices keep them.
    "qwen3-fp8": ("qwen3", "fp8", [16, 16], {"modules_to_not_convert": ["lm_head", "model.layers.1.self_attn.k_proj"]}, "F32"),
}


def read(directory):
    """Configuration, tensors, golden values."""
    file = (directory / "model.safetensors").read_bytes()
    length = int.from_bytes(file[:8], "little")
    tensors = {}
    for name, info in json.loads(file[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        start, end = (8 + length + offset for offset in info["data_offsets"])
        if info["dtype"] == "BF16":
            values = (np.frombuffer(file[start:end], np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(file[start:end], TYPES[info["dtype"]])
        tensors[name] = values.reshape(info["shape"]).astype(np.float64)
    return json.loads((directory / "config.json").read_text()), tensors, json.loads((directory / "golden.json").read_text())


def write(file, tensors):
    """Tensors: name -> type and values."""
    header, pieces, at = {}, [], 0
    for name, (dtype, values) in sorted(tensors.items()):
        if dtype == "BF16":
            piece = (np.ascontiguousarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16).tobytes()
        else:
            piece = np.ascontiguousarray(values, TYPES[dtype]).tobytes()
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [at, at + len(piece)]}
        pieces.append(piece)
        at += len(piece)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(pieces))


def rounded(values, dtype):
    """The nearest numbers of a type, of two as near the even one."""
    if dtype == "F16":
        return values.astype(np.float16).astype(np.float64)
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16
    return bits.astype(np.uint32).view(np.float32).astype(np.float64)


def forward(config, tensors, tokens):
    """The logits after each token."""
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    dim = config.get("head_dim") or config["hidden_size"] // heads
    count = len(tokens)

    def norm(x, name):
        scale = np.sqrt((x * x).mean(-1, keepdims=True) + config["rms_norm_eps"])
        return x / scale * tensors[f"{name}.weight"]

    def linear(x, name):
        return x @ tensors[f"{name}.weight"].T + tensors.get(f"{name}.bias", 0.0)

    angles = np.outer(np.arange(count), config["rope_parameters"]["rope_theta"] ** (-np.arange(0, dim, 2) / dim))
    cosines, sines = np.cos(angles)[:, None], np.sin(angles)[:, None]

    def rotate(x):
        low, high = x[..., : dim // 2], x[..., dim // 2 :]
        return np.concatenate([low * cosines - high * sines, high * cosines + low * sines], -1)

    apart = np.arange(count)[:, None] - np.arange(count)[None]
    seen = (apart >= 0) & (apart < (config.get("sliding_window") or count))
    x = tensors["model.embed_tokens.weight"][tokens]
    for index in range(config["num_hidden_layers"]):
        layer = f"model.layers.{index}"
        normed = norm(x, f"{layer}.input_layernorm")
        q, k, v = (linear(normed, f"{layer}.self_attn.{which}_proj").reshape(count, -1, dim) for which in "qkv")
        if f"{layer}.self_attn.q_norm.weight" in tensors:
            q, k = norm(q, f"{layer}.self_attn.q_norm"), norm(k, f"{layer}.self_attn.k_norm")
        q, k = rotate(q), rotate(k)
        k, v = (np.repeat(part, heads // kv_heads, axis=1) for part in (k, v))
        scores = np.where(seen, np.einsum("ihd,jhd->hij", q, k) / np.sqrt(dim), -np.inf)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        x = x + linear(np.einsum("hij,jhd->ihd", shares, v).reshape(count, -1), f"{layer}.self_attn.o_proj")
        normed = norm(x, f"{layer}.post_attention_layernorm")
        gate = linear(normed, f"{layer}.mlp.gate_proj")
        inside = gate / (1 + np.exp(-gate)) * linear(normed, f"{layer}.mlp.up_proj")
        x = x + linear(inside, f"{layer}.mlp.down_proj")
    tied = config["tie_word_embeddings"]
    return norm(x, "model.norm") @ tensors["model.embed_tokens.weight" if tied else "lm_head.weight"].T


def pack(numbers, axis, order=range(8)):
    """Eight numbers along an axis in a word, the first one in the lowest bits."""
    numbers = np.moveaxis(numbers, axis, -1)
    eights = numbers.reshape(*numbers.shape[:-1], -1, 8)[..., list(order)].astype(np.uint32)
    words = sum(eights[..., place] << np.uint32(4 * place) for place in range(8)).astype(np.uint32)
    return np.moveaxis(words, -1, axis).view(np.int32)


def quantize(weight, group_of_input, symmetric, dtype):
    """Numbers [outputs, inputs], zeros and scales [outputs, groups], and the weights that they stand for."""
    groups = group_of_input.max() + 1
    numbers, weights = np.zeros(weight.shape, np.uint32), np.zeros(weight.shape)
    zeros, scales = (np.zeros((weight.shape[0], groups), kind) for kind in (np.uint32, np.float64))
    for group in range(groups):
        part = group_of_input == group
        low, high = np.minimum(weight[:, part].min(1), 0), np.maximum(weight[:, part].max(1), 0)
        if symmetric:
            high = np.maximum(high, -low)
            low = -high
        scale = rounded((high - low) / 15, dtype)
        zero = np.full_like(scale, 8) if symmetric else np.clip(np.round(-low / scale), 0, 15)
        numbers[:, part] = np.clip(np.round(weight[:, part] / scale[:, None]) + zero[:, None], 0, 15)
        weights[:, part] = (numbers[:, part] - zero[:, None]) * scale[:, None]
        zeros[:, group], scales[:, group] = zero, scale
    return numbers, zeros, scales, weights


def quantize_blocks(weight, block):
    """Bits of FP8 [outputs, inputs], a power of two for each block, and the weights that they stand for."""
    bits, scales = np.zeros(weight.shape, np.uint8), np.zeros([-(-size // of) for size, of in zip(weight.shape, block)])
    for row, column in np.ndindex(*scales.shape):
        part = np.s_[row * block[0] : (row + 1) * block[0], column * block[1] : (column + 1) * block[1]]
        scales[row, column] = 2.0 ** np.ceil(np.log2(np.abs(weight[part]).max() / F8.max()))
        scaled = weight[part] / scales[row, column]
        nearest = np.abs(np.abs(scaled)[..., None] - F8).argmin(-1)
        bits[part] = nearest | np.where(scaled < 0, 0x80, 0)
        weight[part] = np.copysign(F8[nearest], scaled) * scales[row, column]
    return bits, scales, weight


def configuration(method, group_size, fields):
    """What config.json says of it."""
    if method == "fp8":
        return {"quant_method": method, "activation_scheme": "dynamic", "weight_block_size": group_size, **fields}
    if method != "compressed-tensors":
        return {"quant_method": method, "bits": 4, "group_size": group_size, **fields}
    of_groups = {"strategy": "channel"} if group_size == -1 else {"strategy": "group", "group_size": group_size}
    rest = {name: fields[name] for name in ("symmetric", "actorder") if name in fields}
    return {
        "quant_method": method,
        "format": "pack-quantized",
        "quantization_status": "compressed",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 4, "type": "int", **of_groups, **rest}}},
        "ignore": fields["ignore"],
    }


def values(row):
    return [float(f"{x:.7g}") for x in row.tolist()]


def greedy(config, tensors, prompt):
    """A prompt and the tokens that follow it; nothing where one is drawn by a hair, which a rounding could turn."""
    tokens = list(prompt)
    for _ in range(STEPS):
        logits = forward(config, tensors, tokens)[-1]
        best, next_best = np.sort(logits)[[-1, -2]]
        if best - next_best < 0.03 * np.abs(logits).max():
            return None
        tokens.append(int(logits.argmax()))
    return tokens


def make(name, base, method, group_size, fields, dtype):
    config, tensors, golden = read(HERE / base)
    tokens = golden["prompt"] + [step["token"] for step in golden["steps"]]
    right = np.array(golden["prompt_logits"] + [step["logits"] for step in golden["steps"]])
    worst = np.abs(forward(config, tensors, tokens) - right).max() / np.abs(right).max()
    assert worst < 1e-5, f"{base}: the forward pass is off by {worst}"

    again = np.arange(WIDTH) % config["intermediate_size"]
    config["intermediate_size"] = WIDTH
    config["quantization_config"] = configuration(method, group_size, fields)
    random = np.random.default_rng(sum(map(ord, name)))
    scattered = fields.get("desc_act") or fields.get("actorder") == "group"
    symmetric = fields.get("sym", fields.get("symmetric", False))
    # Projections of the same inputs have their groups in common.
    group_of_inputs = {}
    written = {}
    for tensor, weight in sorted(tensors.items()):
        if "gate_proj" in tensor or "up_proj" in tensor:
            weight = weight[again]
        elif "down_proj" in tensor:
            weight = weight[:, again]
        projection = tensor.removesuffix(".weight")
        left = projection in fields.get("modules_to_not_convert", fields.get("ignore", ()))
        if left or not ("layers." in tensor and tensor.endswith("_proj.weight")):
            written[tensor] = ("F16", rounded(weight, "F16"))
            tensors[tensor] = written[tensor][1]
            continue
        if method == "fp8":
            bits, scales, tensors[tensor] = quantize_blocks(weight.copy(), group_size)
            written |= {tensor: ("F8_E4M3", bits), f"{tensor}_scale_inv": (dtype, scales)}
            continue
        outputs, inputs = weight.shape
        shared = tensor.replace("k_proj", "q_proj").replace("v_proj", "q_proj").replace("up_proj", "gate_proj")
        if shared not in group_of_inputs:
            groups = np.arange(inputs) // (inputs if group_size == -1 else group_size)
            group_of_inputs[shared] = random.permutation(groups) if scattered else groups
        of_input = group_of_inputs[shared]
        numbers, zeros, scales, tensors[tensor] = quantize(weight, of_input, symmetric, dtype)
        if method == "compressed-tensors":
            packed = {"packed": pack(numbers, 1)}
            if not symmetric:
                packed["zero_point"] = pack(zeros, 0)
            if scattered:
                packed["g_idx"] = of_input
            written |= {f"{tensor}_{kind}": ("I32", words) for kind, words in packed.items()}
            written |= {f"{tensor}_scale": (dtype, scales), f"{tensor}_shape": ("I64", np.array(weight.shape))}
            continue
        if method == "awq":
            order = (0, 2, 4, 6, 1, 3, 5, 7)
            packed = {"qweight": pack(numbers.T, 1, order), "qzeros": pack(zeros.T, 1, order)}
        else:
            stored = zeros if fields.get("checkpoint_format") == "gptq_v2" else (zeros - 1) & 15
            packed = {"qweight": pack(numbers.T, 0), "qzeros": pack(stored.T, 1), "g_idx": of_input}
            if f"{projection}.bias" not in tensors:
                written[f"{projection}.bias"] = ("F16", np.zeros(outputs))
        written |= {f"{projection}.{kind}": ("I32", words) for kind, words in packed.items()}
        written[f"{projection}.scales"] = (dtype, scales.T)

    directory = HERE / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    write(directory / "model.safetensors", written)
    prompts = (random.permutation(golden["prompt"]).tolist() for _ in range(1000))
    tokens = next(filter(None, (greedy(config, tensors, prompt) for prompt in prompts)))
    logits = forward(config, tensors, tokens)
    first = len(golden["prompt"])
    made = {
        "versions": {"numpy": np.__version__},
        "prompt": tokens[:first],
        "prompt_logits": [values(row) for row in logits[:first]],
        "steps": [{"token": tokens[at], "logits": values(logits[at])} for at in range(first, len(tokens))],
    }
    (directory / "golden.json").write_text(json.dumps(made, separators=(",", ":")) + "\n")
    print(f"{name:18} {sum(file.stat().st_size for file in directory.iterdir()) // 1024:4} KB", tokens[first])


for name, arguments in MODELS.items():
    make(name, *arguments)
