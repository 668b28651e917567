"""Speed of the ONNX Runtime backend beside plain onnxruntime in Python: the same library, graph, threads and prompts, in one run.

Usage: python3 compare.py DIRECTORY [--threads N] [--rounds N]

DIRECTORY holds a model.onnx of ../models/make.py, in its layout `plain` or `genai`. Python has its tensors bound too (IoBinding):
keys and values stay where ONNX Runtime put them and are bound as the next step's past, or are one buffer where the graph is
made for it; the tokens are drawn by argmax in numpy. The table has the best round of each, since other load on the machine
only ever makes a round slower.
"""

import argparse
import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import onnxruntime

ROOT = Path(__file__).resolve().parents[3]
PROMPT, TOKENS, BATCHES, ROOM = 128, 32, (1, 8, 32), 1024


def jig(directory, threads):
    command = ["cargo", "run", "--quiet", "--release", "-p", "jig-backend-ort", "--example", "decode_speed", "--"]
    command += ["--model", directory, "--threads", str(threads), "--json"]
    library = Path(onnxruntime.__file__).parent / "capi" / f"libonnxruntime.so.{onnxruntime.__version__}"
    environment = dict(os.environ, ORT_DYLIB_PATH=str(library))
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, env=environment).stdout)


class Plain:
    """A decoder in onnxruntime, with everything bound."""

    def __init__(self, directory, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(os.path.join(directory, "model.onnx"), options, ["CPUExecutionProvider"])
        self.inputs = {value.name: value for value in self.session.get_inputs()}
        self.pasts = [name for name in self.inputs if name.startswith("past_key_values")]
        self.shared = os.path.exists(os.path.join(directory, "genai_config.json"))

    def decode(self, rows):
        length, cache = 0, {}
        for name in self.pasts:
            _, heads, _, width = self.inputs[name].shape
            empty = np.zeros((rows, heads, ROOM if self.shared else 0, width), np.float32)
            cache[name] = onnxruntime.OrtValue.ortvalue_from_numpy(empty)
        tokens = np.array([[7 + (place * 31 + row) % 1000 for place in range(PROMPT)] for row in range(rows)], np.int64)
        start = None
        for _ in range(TOKENS + 2):
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
            length += count
            first = start is None and count == 1
            tokens = outputs["logits"].numpy()[:, -1, :].argmax(-1).astype(np.int64).reshape(rows, 1)
            if first:
                start = time.perf_counter()
        return rows * TOKENS / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    directory = os.path.abspath(arguments.directory)
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        ours.append(jig(directory, arguments.threads))
        # Made anew, so that only one of the two holds the weights.
        plain = Plain(directory, arguments.threads)
        theirs.append({str(rows): plain.decode(rows) for rows in BATCHES})
        del plain
    print(f"{arguments.threads} threads, onnxruntime {onnxruntime.__version__}, best of {arguments.rounds}\n")
    print("| sequences | Jig, tokens/s | plain onnxruntime, tokens/s | ratio |\n|---|---|---|---|")
    for rows in map(str, BATCHES):
        own, peer = max(round[rows] for round in ours), max(round[rows] for round in theirs)
        print(f"| {rows} | {own:.1f} | {peer:.1f} | {own / peer:.2f} |")


if __name__ == "__main__":
    main()
