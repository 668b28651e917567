"""Speed of the CUDA backend on a model of Mistral-7B's shape with random weights, beside what the GPU can do and beside Hugging
Face transformers, in the same run.

Usage: python3 compare.py CHECK_GPU DIRECTORY [--layers N]

CHECK_GPU is the program check_gpu; DIRECTORY is made if it is not there (14.5 GB in bf16). Needs torch with CUDA and transformers.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import torch
from transformers import MistralConfig, MistralForCausalLM, StaticCache

PROMPT, PREFILL, STEPS = 512, 8192, 64


def seconds(work, rounds=20):
    """The median time of a piece of work on the GPU."""
    times = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def bandwidth():
    """Bytes a second that the GPU reads."""
    values = torch.zeros(2**30, dtype=torch.float32, device="cuda")
    return values.numel() * 4 / seconds(lambda: values.sum())


def matrix_rate():
    """Floating-point operations a second of a large product in bf16."""
    size = 8192
    a, b = (torch.randn(size, size, dtype=torch.bfloat16, device="cuda") for _ in range(2))
    return 2 * size**3 / seconds(lambda: a @ b)


def model(directory, layers):
    torch.set_default_dtype(torch.bfloat16)
    config = MistralConfig(
        sliding_window=None, rope_theta=1e6, max_position_embeddings=32768, num_hidden_layers=layers, head_dim=128
    )
    if not (directory / "config.json").is_file():
        torch.manual_seed(0)
        with torch.device("cuda"):
            made = MistralForCausalLM(config)
        made.save_pretrained(directory)
        del made
        torch.cuda.empty_cache()
    return MistralForCausalLM.from_pretrained(directory, dtype=torch.bfloat16, device_map="cuda").eval()


@torch.inference_mode()
def reference(directory, layers):
    """Seconds of a decode step and of a prefill of transformers, with a static cache and compiled."""
    net = model(directory, layers)
    step = torch.compile(net, mode="reduce-overhead", fullgraph=True)
    found = {}
    for count in (1, 64):
        cache = StaticCache(config=net.config, max_cache_len=PROMPT + 3 * STEPS)
        ids = torch.full((count, PROMPT), 7, device="cuda")
        net(ids, past_key_values=cache, cache_position=torch.arange(PROMPT, device="cuda"))
        position = torch.tensor([PROMPT], device="cuda")
        token = torch.full((count, 1), 7, device="cuda")

        def one():
            nonlocal token
            logits = step(token, past_key_values=cache, cache_position=position).logits
            token = logits[:, -1:].argmax(-1).clone()
            position.add_(1)

        for _ in range(8):
            one()
        found[f"decode_{count}"] = seconds(one, STEPS)
        del cache
    ids = torch.arange(PREFILL, device="cuda")[None] % 1000 + 5
    found["prefill"] = seconds(lambda: net(ids, use_cache=True, logits_to_keep=1), 5)
    return found


def speed(chosen, options):
    """What check_gpu measures, with options of the backend."""
    command = [chosen.check_gpu, *options, "speed", "--model", str(chosen.directory)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("check_gpu")
    arguments.add_argument("directory", type=Path)
    arguments.add_argument("--layers", type=int, default=32)
    chosen = arguments.parse_args()
    read, rate = bandwidth(), matrix_rate()
    torch.cuda.empty_cache()
    model(chosen.directory, chosen.layers)
    torch.cuda.empty_cache()
    jig = speed(chosen, [])
    # Without overlap: what it is worth.
    apart = speed(chosen, ["--option", "overlap=off"])
    try:
        peer = reference(chosen.directory, chosen.layers)
    except Exception as error:  # noqa: BLE001: the other figures stand without it
        print(f"transformers: {error}", file=sys.stderr)
        peer = {}
    name = torch.cuda.get_device_name()
    print(f"{name}: reads {read / 1e12:.2f} TB/s, {rate / 1e12:.0f} TFLOP/s in bf16 (8192 x 8192 x 8192)")
    weights = jig["weight_bytes"]
    print(f"weights {weights / 1e9:.2f} GB, loaded in {jig['load_seconds']:.1f} s\n")
    print("| | Jig | share of the bound | transformers | ratio |\n|---|---|---|---|---|")
    for case, alone in zip(jig["decode"], apart["decode"]):
        count, prompt, step = case["sequences"], case["prompt"], case["step_seconds"]
        # The embedding table is not read; keys and values are, once in each layer.
        bound = (weights - 32000 * 4096 * 2 + count * (prompt + 2 * STEPS) * jig["kv_bytes_per_token"]) / read
        other = peer.get(f"decode_{count}") if prompt == PROMPT else None
        beside = f"{count / other:.0f} tokens/s | {other / step:.2f}" if other else " | "
        print(f"| decode {count} at {prompt} | {count / step:.0f} tokens/s | {bound / step:.1%} | {beside} |")
        slower = alone["step_seconds"]
        print(f"| ... kernels one after the other | {count / slower:.0f} tokens/s | {bound / slower:.1%} | | |")
        masked = case["step_seconds_with_masks"]
        print(f"| ... a mask on every row | {count / masked:.0f} tokens/s | {step / masked:.1%} of no mask | | |")
    # Two operations for each weight and token, and attention to half of the prompt on average.
    work = 2 * (weights / 2 - 32000 * 4096 * 2) * PREFILL + chosen.layers * 2 * PREFILL**2 * 4096
    step = jig["prefill_seconds"]
    other = peer.get("prefill")
    beside = f"{PREFILL / other:.0f} tokens/s | {other / step:.2f}" if other else " | "
    print(f"| prefill {PREFILL} | {PREFILL / step:.0f} tokens/s | {work / step / rate:.1%} | {beside} |")


if __name__ == "__main__":
    main()
