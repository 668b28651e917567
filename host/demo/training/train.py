"""Makes the demo model: `python train.py` writes tokenizer, configuration and weights to `host/demo/`."""

import argparse
import json
import math
import os
import random
import time
from pathlib import Path

# Threads that wait leave the processor to others: on a busy machine that is several times faster.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from safetensors.torch import save_file
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

import tokenizer as tokenizer_module
from decoding import Decoder
from texts import Texts
from tokenizer import BEGIN, CONTEXT, END, VOCABULARY, Segmenter

HERE = Path(__file__).parent
SEED = 20

STEPS = 3600
BATCH_TOKENS = 4096
POOL = 2048
"""Texts that are sorted by length together before they are cut into batches."""
PEAK_RATE = 3e-3
WARMUP = 100
WEIGHT_DECAY = 0.02

ROPE_THETA = 10000.0
CONFIG = LlamaConfig(
    vocab_size=VOCABULARY,
    hidden_size=256,
    intermediate_size=512,
    num_hidden_layers=4,
    num_attention_heads=8,
    num_key_value_heads=2,
    head_dim=32,
    max_position_embeddings=CONTEXT,
    rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
    rms_norm_eps=1e-5,
    tie_word_embeddings=True,
    bos_token_id=0,
    eos_token_id=1,
)
WRITTEN = ["vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
           "num_key_value_heads", "head_dim", "hidden_act", "attention_bias", "mlp_bias", "max_position_embeddings",
           "rms_norm_eps", "initializer_range", "tie_word_embeddings"]
"""What `config.json` says of it, in the names that every reader of Llama configurations knows."""


def batches(texts: Texts, segmenter: Segmenter, shuffler: random.Random):
    """Endless batches `(ids, weights)`, both of shape [texts, length], padded at the right."""
    begin, end = (segmenter.tokenizer.token_to_id(token) for token in (BEGIN, END))
    while True:
        pool = []
        for _ in range(POOL):
            ids, weights = [begin], [0.0]
            for text, weight in texts.sample():
                part = segmenter(text)
                ids += part
                weights += [weight] * len(part)
            if len(ids) < CONTEXT:
                pool.append((ids + [end], weights + [weight]))
        pool.sort(key=lambda text: len(text[0]))
        cuts, start = [], 0
        while start < len(pool):
            stop = start + 1
            while stop < len(pool) and (stop + 1 - start) * len(pool[stop][0]) <= BATCH_TOKENS:
                stop += 1
            cuts.append(pool[start:stop])
            start = stop
        shuffler.shuffle(cuts)
        for cut in cuts:
            width = max(len(ids) for ids, _ in cut)
            yield (torch.tensor([ids + [end] * (width - len(ids)) for ids, _ in cut]),
                   torch.tensor([weights + [0.0] * (width - len(weights)) for _, weights in cut]))


def rate(step: int, steps: int) -> float:
    """Share of the peak learning rate: linear warm-up, then a cosine down to nothing."""
    if step < WARMUP:
        return (step + 1) / WARMUP
    return 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (steps - WARMUP)))


def loss_of(model: LlamaForCausalLM, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(input_ids=ids[:, :-1]).last_hidden_state
        counted = weights[:, 1:] > 0
        logits = model.lm_head(hidden[counted])
    losses = functional.cross_entropy(logits.float(), ids[:, 1:][counted], reduction="none")
    counting = weights[:, 1:][counted]
    return (losses * counting).sum() / counting.sum()


def optimizers(model: LlamaForCausalLM) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for the embeddings and the norms."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [
        torch.optim.Muon(matrices, lr=PEAK_RATE, weight_decay=WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def sampled_accuracy(decoder: Decoder, texts: Texts, number: int, seed: int) -> float:
    chooser = random.Random(seed)
    facts = chooser.sample(texts.facts, number)
    prompts = [chooser.choice(fact.questions) for fact in facts]
    answers = decoder.free(prompts)
    return sum(answer.strip() == fact.plain for fact, (answer, _) in zip(facts, answers)) / number


def save(model: LlamaForCausalLM, tokenizer, folder: Path) -> None:
    """The files of a Hugging Face model folder; the weights rounded to bfloat16."""
    folder.mkdir(parents=True, exist_ok=True)
    rounded = LlamaForCausalLM(CONFIG).to(torch.bfloat16)
    rounded.load_state_dict(model.state_dict())
    tensors = {name: tensor for name, tensor in rounded.state_dict().items() if name != "lm_head.weight"}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    ends = {"bos_token_id": CONFIG.bos_token_id, "eos_token_id": CONFIG.eos_token_id}
    for name, content in {
        "config.json": {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            **{key: getattr(CONFIG, key) for key in WRITTEN},
            "rope_theta": ROPE_THETA,
            **ends,
            "dtype": "bfloat16",
        },
        "generation_config.json": {**ends, "do_sample": False},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": BEGIN,
            "eos_token": END,
            "clean_up_tokenization_spaces": False,
            "model_max_length": CONTEXT,
        },
    }.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE.parent, help="folder for the model (default: host/demo)")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(SEED)

    tokenizer = tokenizer_module.train()
    texts = Texts(SEED)
    source = batches(texts, Segmenter(tokenizer, SEED), random.Random(SEED))
    model = LlamaForCausalLM._from_config(CONFIG, attn_implementation="eager")
    decoder = Decoder(model, tokenizer)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)

    steppers = optimizers(model)
    started, seen, running = time.monotonic(), 0, None
    for step in range(arguments.steps):
        for stepper in steppers:
            for group in stepper.param_groups:
                group["lr"] = PEAK_RATE * rate(step, arguments.steps)
        ids, weights = next(source)
        loss = loss_of(model, ids, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for stepper in steppers:
            stepper.step()
            stepper.zero_grad()
        seen += ids.numel()
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if (step + 1) % 50 == 0:
            passed = time.monotonic() - started
            print(f"step {step + 1} loss {running:.4f} tokens {seen / 1e6:.2f}M "
                  f"{seen / passed:.0f}/s {passed / 60:.1f} min", flush=True)
        if (step + 1) % 500 == 0:
            model.eval()
            print(f"  right answers of 200: {sampled_accuracy(decoder, texts, 200, step):.3f}", flush=True)
            model.train()
            save(model, tokenizer, arguments.out)
    save(model, tokenizer, arguments.out)


if __name__ == "__main__":
    main()
