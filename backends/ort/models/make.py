"""Writes a Hugging Face decoder (config.json and safetensors) as ONNX, in the layouts that models come in.

    pip install onnx numpy safetensors
    python make.py SOURCE DESTINATION [--layout plain|merged|genai] [--dtype fp32|fp16|int8|q4] [--external]
                   [--implicit-positions] [--last-logits]

plain      as Hugging Face Optimum exports: model.onnx, `past_key_values.N.key/value`, `present.N.key/value`, cache grown by
           Concat; positions are an input (Llama and its kin) or counted from the attention mask (OPT)
merged     the same twice in one `If` (decoder_model_merged.onnx), chosen by `use_cache_branch`
genai      as onnxruntime-genai builds: GroupQueryAttention with the cache's past and present in one buffer, genai_config.json

It covers the families of the golden models: OPT, Llama (linear, llama3 and yarn scaling), Mistral, Qwen2 and Qwen3. The tokenizer's
files and config.json are copied.
"""

import argparse
import json
import math
import shutil
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors import safe_open

ONNX_FLOAT = {"fp32": (np.float32, TensorProto.FLOAT), "fp16": (np.float16, TensorProto.FLOAT16)}
LOWEST = {"fp32": -3.0e38, "fp16": -6.0e4}
BLOCK = 32
COPIED = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]


def read_weights(source):
    """All tensors as float32, by their names without the leading parts."""
    weights = {}
    for path in sorted(source.glob("*.safetensors")):
        with safe_open(path, "np") as file:
            for name in file.keys():
                short = name.removeprefix("model.").removeprefix("decoder.")
                weights[short] = np.asarray(file.get_tensor(name)).astype(np.float32)
    return weights


def rope_tables(config, head, positions):
    """Cosines and sines of positions x head/2, in float32, with the model's scaling."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = rope.get("rope_theta", config.get("rope_theta", 10000.0))
    kind = rope.get("rope_type", "default")
    frequency = 1.0 / theta ** (np.arange(0, head, 2, dtype=np.float64) / head)
    magnitude = 1.0
    original = rope.get("original_max_position_embeddings", config["max_position_embeddings"])
    if kind == "linear":
        frequency = frequency / rope["factor"]
    elif kind == "llama3":
        wavelength = 2 * math.pi / frequency
        low, high = original / rope["low_freq_factor"], original / rope["high_freq_factor"]
        smooth = (original / wavelength - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"])
        between = (1 - smooth) * frequency / rope["factor"] + smooth * frequency
        frequency = np.where(wavelength > low, frequency / rope["factor"], np.where(wavelength < high, frequency, between))
    elif kind == "yarn":
        def dimension(rotations):
            return head * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(theta))

        low = max(math.floor(dimension(rope.get("beta_fast") or 32)), 0)
        high = min(math.ceil(dimension(rope.get("beta_slow") or 1)), head - 1)
        ramp = np.clip((np.arange(head // 2) - low) / max(high - low, 0.001), 0, 1)
        frequency = frequency / rope["factor"] * ramp + frequency * (1 - ramp)
        magnitude = rope.get("attention_factor") or 0.1 * math.log(rope["factor"]) + 1.0
    elif kind != "default":
        raise SystemExit(f"rope_type {kind} has no fixed table")
    angles = np.arange(positions)[:, None] * frequency.astype(np.float32)[None, :]
    return (np.cos(angles) * magnitude).astype(np.float32), (np.sin(angles) * magnitude).astype(np.float32)


class Graph:
    """Collects nodes and initializers. Each operation returns the name of its result."""

    def __init__(self, dtype, prefix="", shared=None):
        self.quantized = dtype if dtype in ("int8", "q4") else None
        self.dtype = "fp32" if self.quantized else dtype
        self.numpy, self.onnx = ONNX_FLOAT[self.dtype]
        self.prefix, self.nodes = prefix, []
        self.initializers = {} if shared is None else shared.initializers
        self.count = 0

    def op(self, kind, *inputs, domain="", outputs=1, name=None, **attributes):
        self.count += 1
        results = [name] if name else [f"{self.prefix}{kind}_{self.count}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), results, f"{self.prefix}{kind}_{self.count}", domain=domain, **attributes))
        return results[0] if outputs == 1 else results

    def constant(self, name, values):
        values = np.array(values, order="C")
        self.initializers.setdefault(name, numpy_helper.from_array(values, name))
        return name

    def ints(self, *values):
        return self.constant("i_" + "_".join(map(str, values)), np.array(values, np.int64))

    def int(self, value):
        return self.constant(f"s_{value}".replace("-", "m"), np.array(value, np.int64))

    def float(self, value):
        return self.constant(f"f_{value}", np.array(value, self.numpy))

    def weight(self, name, values):
        return self.constant(name, values.astype(self.numpy))

    def linear(self, x, name, weights):
        """x W^T + b, with W as outputs x inputs."""
        matrix = weights[name + ".weight"]
        outputs, inputs = matrix.shape
        if self.quantized == "q4" and inputs % BLOCK == 0:
            blocks = matrix.reshape(outputs, inputs // BLOCK, BLOCK)
            extreme = np.take_along_axis(blocks, np.abs(blocks).argmax(2)[..., None], 2)
            scales = np.where(extreme == 0, 1, extreme / -8)
            codes = np.clip(np.round(blocks / scales) + 8, 0, 15).astype(np.uint8)
            packed = codes[..., 0::2] | codes[..., 1::2] << 4
            result = self.op(
                "MatMulNBits", x, self.constant(name + ".q4", packed), self.constant(name + ".scale", scales[..., 0]),
                domain="com.microsoft", K=inputs, N=outputs, bits=4, block_size=BLOCK)
        elif self.quantized:
            scales = np.abs(matrix).max(1) / 127
            codes = np.round(matrix / scales[:, None]).astype(np.int8)
            dense = self.op("DequantizeLinear", self.constant(name + ".int8", codes.T), self.constant(name + ".scale", scales), axis=1)
            result = self.op("MatMul", x, dense)
        else:
            result = self.op("MatMul", x, self.weight(name + ".transposed", matrix.T))
        if name + ".bias" in weights:
            result = self.op("Add", result, self.weight(name + ".bias", weights[name + ".bias"]))
        return result

    def size(self, x, axis):
        return self.op("Gather", self.op("Shape", x), self.int(axis), axis=0)

    def heads(self, x, count, head):
        """batch x tokens x count*head -> batch x count x tokens x head"""
        return self.op("Transpose", self.op("Reshape", x, self.ints(0, 0, count, head)), perm=[0, 2, 1, 3])

    def attention(self, inputs, presents, decoder, window):
        """GroupQueryAttention: past and present may be one buffer."""
        self.count += 1
        name = f"{self.prefix}GroupQueryAttention_{self.count}"
        inside = {"do_rotary": 1} if decoder.rotates_inside else {}
        outside = {"local_window_size": window} if window else {}
        self.nodes.append(helper.make_node(
            "GroupQueryAttention", inputs, [name + "_output", *presents], name, domain="com.microsoft",
            num_heads=decoder.query_heads, kv_num_heads=decoder.heads, scale=decoder.head**-0.5, **inside, **outside))
        return name + "_output"


class Decoder:
    """The forward pass of one model in one layout."""

    def __init__(self, config, weights, arguments):
        self.config, self.weights, self.arguments = config, weights, arguments
        self.is_opt = config["model_type"] == "opt"
        self.layers = config["num_hidden_layers"]
        self.query_heads = config["num_attention_heads"]
        self.heads = config.get("num_key_value_heads") or self.query_heads
        self.head = config.get("head_dim") or config["hidden_size"] // self.query_heads
        self.context = config["max_position_embeddings"]
        self.vocabulary = weights["embed_tokens.weight"].shape[0]
        self.genai = arguments.layout == "genai"
        # The operator rotates heads whose width is a multiple of 16; others are rotated before it.
        self.rotates_inside = self.genai and self.head % 16 == 0
        self.position_input = not (self.is_opt or self.rotates_inside or arguments.implicit_positions)
        if not self.is_opt:
            self.cos, self.sin = rope_tables(config, self.head, self.context)

    def window(self, layer):
        config = self.config
        if not config.get("sliding_window") or config.get("use_sliding_window") is False:
            return None
        kinds = config.get("layer_types")
        return config["sliding_window"] if kinds is None or kinds[layer] == "sliding_attention" else None

    def norm(self, graph, x, name):
        if self.is_opt:
            width = self.weights["layers.0.fc1.weight"].shape[1]
            scale = graph.weight(name + ".weight", self.weights.get(name + ".weight", np.ones(width)))
            shift = graph.weight(name + ".bias", self.weights.get(name + ".bias", np.zeros(width)))
            return graph.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=1e-5)
        weight = graph.weight(name + ".weight", self.weights[name + ".weight"])
        epsilon = self.config["rms_norm_eps"]
        if self.genai:
            return graph.op("SimplifiedLayerNormalization", x, weight, axis=-1, epsilon=epsilon, stash_type=1)
        wide = x if graph.dtype == "fp32" else graph.op("Cast", x, to=TensorProto.FLOAT)
        two, small = graph.constant("two", np.array(2, np.float32)), graph.constant("epsilon", np.array(epsilon, np.float32))
        mean = graph.op("ReduceMean", graph.op("Pow", wide, two), axes=[-1], keepdims=1)
        normed = graph.op("Div", wide, graph.op("Sqrt", graph.op("Add", mean, small)))
        return graph.op("Mul", weight, normed if graph.dtype == "fp32" else graph.op("Cast", normed, to=graph.onnx))

    def rotate(self, graph, x, cos, sin):
        half = self.head // 2
        first = graph.op("Slice", x, graph.ints(0), graph.ints(half), graph.ints(3))
        second = graph.op("Slice", x, graph.ints(half), graph.ints(self.head), graph.ints(3))
        turned = graph.op("Concat", graph.op("Neg", second), first, axis=3)
        return graph.op("Add", graph.op("Mul", x, cos), graph.op("Mul", turned, sin))

    def rotate_flat(self, graph, x, count, tables):
        """As rotate, for batch x tokens x count*head."""
        turned = graph.op("Transpose", self.rotate(graph, graph.heads(x, count, self.head), *tables), perm=[0, 2, 1, 3])
        return graph.op("Reshape", turned, graph.ints(0, 0, count * self.head))

    def forward(self, graph, with_past):
        """Adds everything and gives the names of logits and of present keys and values, in their order."""
        weights, config, arguments = self.weights, self.config, self.arguments
        tokens = graph.size("input_ids", 1)
        total = graph.size("attention_mask", 1)
        past = graph.op("Sub", total, tokens)
        slots = graph.op("Range", past, total, graph.int(1))
        x = graph.op("Gather", graph.weight("embed_tokens.weight", weights["embed_tokens.weight"]), "input_ids")
        if "project_in.weight" in weights:
            x = graph.linear(x, "project_in", weights)
        if self.is_opt:
            counted = graph.op("Mul", graph.op("CumSum", "attention_mask", graph.int(1)), "attention_mask")
            end = graph.op("Unsqueeze", total, graph.ints(0))
            positions = graph.op("Slice", counted, graph.op("Unsqueeze", past, graph.ints(0)), end, graph.ints(1))
            positions = graph.op("Add", positions, graph.int(1))
            x = graph.op("Add", x, graph.op("Gather", graph.weight("embed_positions.weight", weights["embed_positions.weight"]), positions))
        elif self.genai:
            length = graph.op("Sub", graph.op("ReduceSum", "attention_mask", graph.ints(1), keepdims=0), graph.int(1))
            lengths = graph.op("Cast", length, to=TensorProto.INT32)
            total32 = graph.op("Cast", total, to=TensorProto.INT32)
        if self.rotates_inside:
            tables = graph.weight("cos_cache", self.cos), graph.weight("sin_cache", self.sin)
        elif not self.is_opt:
            positions = "position_ids" if self.position_input else graph.op("Unsqueeze", slots, graph.ints(0))
            tables = [
                graph.op("Unsqueeze", graph.op("Gather", graph.weight(name, np.tile(table, 2)), positions), graph.ints(1))
                for name, table in (("cos_table", self.cos), ("sin_table", self.sin))
            ]
        biases = {}

        def bias(window):
            """0 where a query sees a key, the lowest number elsewhere."""
            if window not in biases:
                query = graph.op("Unsqueeze", slots, graph.ints(1))
                keys = graph.op("Unsqueeze", graph.op("Range", graph.int(0), total, graph.int(1)), graph.ints(0))
                seen = graph.op("LessOrEqual", keys, query)
                if window:
                    seen = graph.op("And", seen, graph.op("Greater", keys, graph.op("Sub", query, graph.int(window))))
                real = graph.op("Cast", graph.op("Unsqueeze", "attention_mask", graph.ints(1, 2)), to=TensorProto.BOOL)
                biases[window] = graph.op("Where", graph.op("And", seen, real), graph.float(0.0), graph.float(LOWEST[graph.dtype]))
            return biases[window]

        presents = []
        before = config.get("do_layer_norm_before", True)
        for layer in range(self.layers):
            at = f"layers.{layer}."
            names = (at + "self_attn_layer_norm", at + "final_layer_norm") if self.is_opt else (at + "input_layernorm", at + "post_attention_layernorm")
            y = self.norm(graph, x, names[0]) if before else x
            q, k, v = (graph.linear(y, f"{at}self_attn.{part}_proj", weights) for part in "qkv")
            past_key, past_value = f"past_key_values.{layer}.key", f"past_key_values.{layer}.value"
            present = [f"{graph.prefix}present.{layer}.key", f"{graph.prefix}present.{layer}.value"]
            presents += present
            if self.genai:
                if not self.rotates_inside:
                    q, k = self.rotate_flat(graph, q, self.query_heads, tables), self.rotate_flat(graph, k, self.heads, tables)
                inside = tables if self.rotates_inside else ()
                inputs = [q, k, v, past_key, past_value, lengths, total32, *inside]
                y = graph.attention(inputs, present, self, self.window(layer))
            else:
                q, k, v = graph.heads(q, self.query_heads, self.head), graph.heads(k, self.heads, self.head), graph.heads(v, self.heads, self.head)
                if at + "self_attn.q_norm.weight" in weights:
                    q, k = self.norm(graph, q, at + "self_attn.q_norm"), self.norm(graph, k, at + "self_attn.k_norm")
                if not self.is_opt:
                    q, k = self.rotate(graph, q, *tables), self.rotate(graph, k, *tables)
                if with_past:
                    k = graph.op("Concat", past_key, k, axis=2, name=present[0])
                    v = graph.op("Concat", past_value, v, axis=2, name=present[1])
                else:
                    k, v = graph.op("Identity", k, name=present[0]), graph.op("Identity", v, name=present[1])
                if self.heads != self.query_heads:
                    k, v = (self.repeat(graph, x) for x in (k, v))
                scores = graph.op("MatMul", q, graph.op("Transpose", k, perm=[0, 1, 3, 2]))
                scores = graph.op("Add", graph.op("Mul", scores, graph.float(self.head**-0.5)), bias(self.window(layer)))
                y = graph.op("MatMul", graph.op("Softmax", scores, axis=-1), v)
                y = graph.op("Reshape", graph.op("Transpose", y, perm=[0, 2, 1, 3]), graph.ints(0, 0, self.query_heads * self.head))
            output = "out_proj" if self.is_opt else "o_proj"
            x = graph.op("Add", x, graph.linear(y, f"{at}self_attn.{output}", weights))
            if not before:
                x = self.norm(graph, x, names[0])
            y = self.norm(graph, x, names[1]) if before else x
            if self.is_opt:
                y = graph.linear(y, at + "fc1", weights)
                y = graph.op("Relu", y) if config["activation_function"] == "relu" else self.gelu(graph, y)
                y = graph.linear(y, at + "fc2", weights)
            else:
                gate = graph.linear(y, at + "mlp.gate_proj", weights)
                y = graph.op("Mul", graph.op("Mul", gate, graph.op("Sigmoid", gate)), graph.linear(y, at + "mlp.up_proj", weights))
                y = graph.linear(y, at + "mlp.down_proj", weights)
            x = graph.op("Add", x, y)
            if not before:
                x = self.norm(graph, x, names[1])
        if self.is_opt and before and not config.get("_remove_final_layer_norm"):
            x = self.norm(graph, x, "final_layer_norm")
        elif not self.is_opt:
            x = self.norm(graph, x, "norm")
        if "project_out.weight" in weights:
            x = graph.linear(x, "project_out", weights)
        if arguments.last_logits:
            x = graph.op("Slice", x, graph.ints(-1), graph.ints(2**31), graph.ints(1))
        matrix = weights.get("lm_head.weight", weights["embed_tokens.weight"])
        logits = f"{graph.prefix}logits"
        x = graph.op("MatMul", x, graph.weight("lm_head.transposed", matrix.T), name=logits)
        return [logits, *presents]

    def repeat(self, graph, x):
        """Each head as often as query heads share it."""
        group = self.query_heads // self.heads
        batch, length = (graph.op("Unsqueeze", graph.size(x, axis), graph.ints(0)) for axis in (0, 2))
        shape = graph.op("Concat", batch, graph.ints(self.heads, group), length, graph.ints(self.head), axis=0)
        wide = graph.op("Expand", graph.op("Unsqueeze", x, graph.ints(2)), shape)
        return graph.op("Reshape", wide, graph.op("Concat", batch, graph.ints(self.query_heads), length, graph.ints(self.head), axis=0))

    def gelu(self, graph, x):
        erf = graph.op("Erf", graph.op("Mul", x, graph.float(0.5**0.5)))
        return graph.op("Mul", graph.op("Mul", x, graph.op("Add", erf, graph.float(1.0))), graph.float(0.5))

    def inputs(self, graph):
        value = helper.make_tensor_value_info
        yield value("input_ids", TensorProto.INT64, ["batch_size", "sequence_length"])
        yield value("attention_mask", TensorProto.INT64, ["batch_size", "total_sequence_length"])
        if self.position_input:
            yield value("position_ids", TensorProto.INT64, ["batch_size", "sequence_length"])
        for layer in range(self.layers):
            for part in ("key", "value"):
                shape = ["batch_size", self.heads, "past_sequence_length", self.head]
                yield value(f"past_key_values.{layer}.{part}", graph.onnx, shape)
        if self.arguments.layout == "merged":
            yield value("use_cache_branch", TensorProto.BOOL, [1])

    def outputs(self, graph, prefix=""):
        value = helper.make_tensor_value_info
        length = 1 if self.arguments.last_logits else "sequence_length"
        yield value(prefix + "logits", graph.onnx, ["batch_size", length, self.vocabulary])
        for layer in range(self.layers):
            for part in ("key", "value"):
                shape = ["batch_size", self.heads, "total_sequence_length", self.head]
                yield value(f"{prefix}present.{layer}.{part}", graph.onnx, shape)

    def build(self):
        graph = Graph(self.arguments.dtype)
        if self.arguments.layout == "merged":
            branches = {}
            for name, with_past in (("then", True), ("else", False)):
                part = Graph(self.arguments.dtype, name + "_", graph)
                self.forward(part, with_past)
                branches[name + "_branch"] = helper.make_graph(part.nodes, name, [], list(self.outputs(part, name + "_")))
            names = [output.name for output in self.outputs(graph)]
            graph.nodes.append(helper.make_node("If", ["use_cache_branch"], names, "branch", **branches))
        else:
            self.forward(graph, True)
        body = helper.make_graph(graph.nodes, "decoder", list(self.inputs(graph)), list(self.outputs(graph)), list(graph.initializers.values()))
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(body, opset_imports=opsets, ir_version=8, producer_name="jig")


def genai_config(decoder, file):
    config = decoder.config
    names = {"past_key_names": "past_key_values.%d.key", "past_value_names": "past_key_values.%d.value"}
    presents = {"present_key_names": "present.%d.key", "present_value_names": "present.%d.value"}
    return {
        "model": {
            "type": config["model_type"],
            "context_length": decoder.context,
            "vocab_size": decoder.vocabulary,
            "bos_token_id": config.get("bos_token_id"),
            "eos_token_id": config.get("eos_token_id"),
            "decoder": {
                "filename": file,
                "head_size": decoder.head,
                "hidden_size": config["hidden_size"],
                "num_attention_heads": decoder.query_heads,
                "num_key_value_heads": decoder.heads,
                "num_hidden_layers": decoder.layers,
                "inputs": {"input_ids": "input_ids", "attention_mask": "attention_mask", **names},
                "outputs": {"logits": "logits", **presents},
            },
        },
        "search": {"past_present_share_buffer": True, "max_length": decoder.context},
    }


def write(arguments):
    """Makes one model and gives its file."""
    config = json.loads((arguments.source / "config.json").read_text())
    decoder = Decoder(config, read_weights(arguments.source), arguments)
    if decoder.genai and (decoder.is_opt or "layers.0.self_attn.q_norm.weight" in decoder.weights):
        raise SystemExit("the layout genai is for Llama and its kin without norms of heads")
    stem = "decoder_model_merged" if arguments.layout == "merged" else "model"
    suffix = {"fp32": "", "fp16": "_fp16", "int8": "_int8", "q4": "_q4"}[arguments.dtype]
    file = f"{stem}{'' if decoder.genai else suffix}.onnx"
    arguments.destination.mkdir(parents=True, exist_ok=True)
    # Small ones stay inside: ONNX looks for shapes among them.
    external = {"save_as_external_data": True, "location": file + "_data", "size_threshold": 1024}
    path = arguments.destination / file
    (arguments.destination / (file + "_data")).unlink(missing_ok=True)
    onnx.save(decoder.build(), path, **(external if arguments.external else {}))
    if decoder.genai:
        text = json.dumps(genai_config(decoder, file), indent=1)
        (arguments.destination / "genai_config.json").write_text(text + "\n")
    if arguments.source.resolve() != arguments.destination.resolve():
        for name in COPIED:
            if (arguments.source / name).is_file():
                shutil.copy(arguments.source / name, arguments.destination / name)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("destination", type=Path)
    parser.add_argument("--layout", choices=["plain", "merged", "genai"], default="plain")
    parser.add_argument("--dtype", choices=["fp32", "fp16", "int8", "q4"], default="fp32")
    parser.add_argument("--external", action="store_true", help="weights in a file of their own, as beyond 2 GB they must be")
    parser.add_argument("--implicit-positions", action="store_true", help="count positions by the slots of the cache")
    parser.add_argument("--last-logits", action="store_true", help="logits of the last position only")
    # For tests: a JSON list of argument lists.
    many = sys.argv[1:2] == ["--many"]
    for arguments in json.loads(sys.argv[2]) if many else [sys.argv[1:]]:
        print(write(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
