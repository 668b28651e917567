"""Speed of the ONNX Runtime backend beside plain onnxruntime in Python: the same library, graph, threads and prompts, in one run.

Usage: python3 compare.py DIRECTORY [--threads N] [--turns N] [--sequences N ...]

DIRECTORY holds a model.onnx of ../models/make.py, in its layout `plain` or `genai`. Python has its tensors bound too (IoBinding):
keys and values stay where ONNX Runtime put them and are bound as the next step's past, or are one buffer where the graph is
made for it; the tokens are drawn by argmax in numpy. Both hold their model all the time and decode in short turns, so that a
minute in which the machine is slow is slow for both. The first ratio is the median of the ratios of neighbouring turns, the second
that of the ninth deciles of the speeds: on a machine with neighbours the fast turns are those that nobody disturbed.
"""

import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np
import onnxruntime

ROOT = Path(__file__).resolve().parents[3]
# Sequences, and the tokens that each of them gets in a turn.
TURNS = ((1, 6), (8, 4), (32, 3))
PROMPT, ROOM = 128, 1024


class Jig:
    """The backend, in a process of its own."""

    def __init__(self, directory, threads):
        command = ["cargo", "run", "--quiet", "--release", "-p", "jig-backend-ort", "--example", "onnx_speed", "--"]
        command += ["--model", directory, "--threads", str(threads), "--turns"]
        library = Path(onnxruntime.__file__).parent / "capi" / f"libonnxruntime.so.{onnxruntime.__version__}"
        environment = dict(os.environ, ORT_DYLIB_PATH=str(library))
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True, env=environment)

    def decode(self, rows, tokens):
        self.process.stdin.write(f"{rows} {tokens}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


class Plain:
    """A decoder in onnxruntime, with everything bound."""

    def __init__(self, directory, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(os.path.join(directory, "model.onnx"), options, ["CPUExecutionProvider"])
        self.inputs = {value.name: value for value in self.session.get_inputs()}
        self.pasts = [name for name in self.inputs if name.startswith("past_key_values")]
        self.shared = os.path.exists(os.path.join(directory, "genai_config.json"))
        self.batches = {}

    def open(self, rows):
        cache = {}
        for name in self.pasts:
            _, heads, _, width = self.inputs[name].shape
            empty = np.zeros((rows, heads, ROOM if self.shared else 0, width), np.float32)
            cache[name] = onnxruntime.OrtValue.ortvalue_from_numpy(empty)
        tokens = np.array([[7 + (place * 31 + row) % 1000 for place in range(PROMPT)] for row in range(rows)], np.int64)
        self.batches[rows] = (0, cache, tokens)
        for _ in range(2):
            self.step(rows)

    def step(self, rows):
        length, cache, tokens = self.batches[rows]
        binding, count = self.session.io_binding(), tokens.shape[1]
        binding.bind_cpu_input("input_ids", tokens)
        if "attention_mask" in self.inputs:
            binding.bind_cpu_input("attention_mask", np.ones((rows, length + count), np.int64))
        if "position_ids" in self.inputs:
            positions = np.arange(length, length + count, dtype=np.int64)
            binding.bind_cpu_input("position_ids", np.ascontiguousarray(np.broadcast_to(positions, (rows, count))))
        binding.bind_output("logits", "cpu")
        for name in self.pasts:
            binding.bind_ortvalue_input(name, cache[name])
            present = name.replace("past_key_values", "present")
            if self.shared:
                binding.bind_ortvalue_output(present, cache[name])
            else:
                binding.bind_output(present, "cpu")
        self.session.run_with_iobinding(binding)
        outputs = dict(zip([value.name for value in self.session.get_outputs()], binding.get_outputs()))
        if not self.shared:
            cache = {name: outputs[name.replace("past_key_values", "present")] for name in self.pasts}
        tokens = outputs["logits"].numpy()[:, -1, :].argmax(-1).astype(np.int64).reshape(rows, 1)
        self.batches[rows] = (length + count, cache, tokens)

    def decode(self, rows, tokens):
        if rows not in self.batches:
            self.open(rows)
        start = time.perf_counter()
        for _ in range(tokens):
            self.step(rows)
        return rows * tokens / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--sequences", type=int, nargs="*", help="only these of 1, 8 and 32")
    arguments = parser.parse_args()
    directory = os.path.abspath(arguments.directory)
    ours, plain = Jig(directory, arguments.threads), Plain(directory, arguments.threads)
    print(f"{arguments.threads} threads, onnxruntime {onnxruntime.__version__}, medians of {arguments.turns} turns each\n")
    print("| sequences | Jig, tokens/s | plain onnxruntime, tokens/s | ratio | middle half of the ratios | ratio of fast turns |")
    print("|---|---|---|---|---|---|")
    for rows, tokens in TURNS:
        if arguments.sequences and rows not in arguments.sequences:
            continue
        for side in (ours, plain):
            side.decode(rows, tokens)
        pairs = []
        for turn in range(arguments.turns):
            # Each side is first in every other turn.
            first, second = (ours, plain) if turn % 2 == 0 else (plain, ours)
            speeds = {side: side.decode(rows, tokens) for side in (first, second)}
            pairs.append((speeds[ours], speeds[plain]))
        ratios = [own / peer for own, peer in pairs]
        own, peer, ratio = (statistics.median(values) for values in (*zip(*pairs), ratios))
        low, _, high = statistics.quantiles(ratios, n=4)
        fast = [statistics.quantiles(speeds, n=10)[-1] for speeds in zip(*pairs)]
        row = f"| {rows} | {own:.1f} | {peer:.1f} | {ratio:.3f} | {low:.3f} to {high:.3f} | {fast[0] / fast[1]:.3f} |"
        print(row, flush=True)


if __name__ == "__main__":
    main()
