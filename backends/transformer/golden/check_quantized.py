"""Reads golden models that quantize.py made with the reference implementation, and compares its logits.

    pip install torch transformers accelerate compressed-tensors
    python check_quantized.py

Those of AWQ and GPTQ it can read with a GPU only, and those whose groups are scattered (g_idx) not any more. It computes weights in the type of their scales; here they are widened before, so that
nothing is rounded.
"""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, CompressedTensorsConfig, FineGrainedFP8Config

HERE = Path(__file__).parent / "values"
MODELS = {
    "llama2-compressed": CompressedTensorsConfig(dequantize=True),
    "qwen3-compressed": CompressedTensorsConfig(dequantize=True),
    "qwen3-fp8": FineGrainedFP8Config(weight_block_size=(16, 16), dequantize=True),
}

for name, config in MODELS.items():
    with TemporaryDirectory() as directory:
        shutil.copy(HERE / name / "config.json", directory)
        tensors = load_file(HERE / name / "model.safetensors")
        wide = {name: tensor.float() if "scale" in name else tensor for name, tensor in tensors.items()}
        save_file(wide, Path(directory) / "model.safetensors", {"format": "pt"})
        model = AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, quantization_config=config, attn_implementation="eager"
        )
    golden = json.loads((HERE / name / "golden.json").read_text())
    tokens = golden["prompt"] + [step["token"] for step in golden["steps"]]
    right = torch.tensor(golden["prompt_logits"] + [step["logits"] for step in golden["steps"]])
    with torch.no_grad():
        logits = model.float()(torch.tensor([tokens])).logits[0]
    apart = ((logits - right).abs().max() / right.abs().max()).item()
    print(f"{name:20} {apart:.2g}")
    assert apart < 1e-4, f"{name} differs"
