"""Speed of the CPU backend beside llama.cpp on the same weights, in the same run, with the same threads.

Usage: python3 compare.py DIRECTORY [--threads N] [--rounds N]

DIRECTORY is what make_model.py wrote. Each round measures read bandwidth, Jig and llama.cpp in turn; the table has the best
round of each, since other load on the machine only ever makes a round slower.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import llama_cpp

ROOT = Path(__file__).resolve().parents[3]
PROMPT, TOKENS, BATCH = 512, 32, 8

# Kept for as long as llama.cpp may call it.
SILENT = llama_cpp.llama_log_callback(lambda *_: None)


def jig(directory, threads):
    command = ["cargo", "run", "--quiet", "--release", "-p", "jig-backend-cpu", "--example", "decode_speed", "--"]
    command += ["--model", directory, "--threads", str(threads), "--json"]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


class Llama:
    """llama.cpp through its C interface."""

    def __init__(self, path, threads):
        llama_cpp.llama_log_set(SILENT, None)
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx, parameters.n_batch, parameters.n_ubatch, parameters.n_seq_max = 8192, PROMPT, PROMPT, BATCH
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, parameters)
        self.batch = llama_cpp.llama_batch_init(PROMPT, 0, 1)

    def forward(self, rows):
        """rows: (token, position, sequence, wants logits)"""
        self.batch.n_tokens = len(rows)
        for index, (token, position, sequence, wanted) in enumerate(rows):
            self.batch.token[index] = token
            self.batch.pos[index] = position
            self.batch.n_seq_id[index] = 1
            self.batch.seq_id[index][0] = sequence
            self.batch.logits[index] = wanted
        assert llama_cpp.llama_decode(self.context, self.batch) == 0
        llama_cpp.llama_synchronize(self.context)

    def clear(self):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def prefill(self):
        self.clear()
        start = time.perf_counter()
        self.forward([(7 + i % 1000, i, 0, i == PROMPT - 1) for i in range(PROMPT)])
        return PROMPT / (time.perf_counter() - start)

    def decode(self, sequences):
        self.clear()
        for sequence in range(sequences):
            self.forward([(7 + i, i, sequence, i == 15) for i in range(16)])
        start = time.perf_counter()
        for step in range(TOKENS):
            self.forward([(100 + step, 16 + step, sequence, True) for sequence in range(sequences)])
        return sequences * TOKENS / (time.perf_counter() - start)

    def measure(self):
        return {"decode_1": self.decode(1), "decode_8": self.decode(BATCH), "prefill": self.prefill()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    directory = os.path.abspath(arguments.directory)
    llama = Llama(os.path.join(directory, "model.gguf"), arguments.threads)
    llama.measure()
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        ours.append(jig(directory, arguments.threads))
        theirs.append(llama.measure())
    best = {key: max(round[key] for round in ours) for key in ("bandwidth", "decode_1", "decode_8", "prefill")}
    peer = {key: max(round[key] for round in theirs) for key in theirs[0]}
    bound = best["bandwidth"] / ours[0]["bytes_per_token"]
    print(f"read bandwidth {best['bandwidth'] / 1e9:.1f} GB/s, {ours[0]['bytes_per_token'] / 1e9:.3f} GB a token: at most {bound:.1f} tokens/s at batch 1")
    print(f"{arguments.threads} threads, {ours[0]['level']}, best of {arguments.rounds}; llama-cpp-python {llama_cpp.__version__}\n")
    print("| tokens/s | Jig | llama.cpp | ratio |\n|---|---|---|---|")
    for key, name in [("decode_1", "decode, batch 1"), ("decode_8", "decode, batch 8"), ("prefill", f"prefill of {PROMPT}")]:
        print(f"| {name} | {best[key]:.1f} | {peer[key]:.1f} | {best[key] / peer[key]:.2f} |")
    print(f"\nbatch 1 is {100 * best['decode_1'] / bound:.0f} % of the bound")


if __name__ == "__main__":
    sys.exit(main())
