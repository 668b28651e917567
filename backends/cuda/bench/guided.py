"""What guides cost: tokens a second of a server whose outputs all follow a JSON Schema, beside outputs without one.

Usage: python3 guided.py JIG MODEL [--sequences N] [--seconds S] [--rounds N] [-- FLAGS OF JIG]

As many clients as sequences ask again and again, so that the batch is always full. Rounds with and without a schema take turns at the
same server; tokens are counted by its metrics.
"""

import argparse
import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request

SCHEMA = {
    "type": "array",
    "minItems": 3,
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "amount": {"type": "number", "minimum": 0, "maximum": 100000},
            "tags": {"type": "array", "items": {"enum": ["new", "used", "gift", "other"]}},
            "note": {"type": ["string", "null"]},
        },
        "required": ["name", "amount"],
        "additionalProperties": False,
    },
}


def ask(address, path, body=None):
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(f"http://{address}{path}", data, timeout=600) as answer:
        return answer.read().decode()


def generated(address):
    return float(re.search(r"^vllm:generation_tokens_total\S* (\S+)$", ask(address, "/metrics"), re.M).group(1))


def rate(address, sequences, seconds, schema):
    """Tokens a second once all clients are at work."""
    over, failures = threading.Event(), []

    def client(seed):
        while not over.is_set():
            # Temperature 1 on random weights would end an unguided output at any time.
            body = {"prompt": f"Things, list {seed}:", "max_tokens": 200, "temperature": 1.0, "seed": seed, "ignore_eos": True}
            if schema:
                body.update(schema=SCHEMA, ignore_eos=False)
            try:
                ask(address, "/generate", body)
            except OSError as error:
                failures.append(getattr(error, "read", lambda: b"")() or error)
                return
            seed += sequences

    clients = [threading.Thread(target=client, args=(seed,)) for seed in range(sequences)]
    for one in clients:
        one.start()
    time.sleep(seconds / 4)
    before, start = generated(address), time.perf_counter()
    time.sleep(seconds)
    found = (generated(address) - before) / (time.perf_counter() - start)
    over.set()
    for one in clients:
        one.join()
    if failures:
        sys.exit(f"a request failed: {failures[0]}")
    return found


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("jig")
    arguments.add_argument("model")
    arguments.add_argument("--sequences", type=int, default=64)
    arguments.add_argument("--seconds", type=float, default=8)
    arguments.add_argument("--rounds", type=int, default=3)
    flags = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    chosen = arguments.parse_args(sys.argv[1 : len(sys.argv) - len(flags) - bool(flags)])
    address = f"127.0.0.1:{free_port()}"
    command = [chosen.jig, "--model", chosen.model, "--port", address.split(":")[1], "--log-level", "warn"]
    server = subprocess.Popen(command + ["--max-num-seqs", str(chosen.sequences)] + flags)
    try:
        for _ in range(600):
            try:
                ask(address, "/health")
                break
            except OSError:
                if server.poll() is not None:
                    sys.exit("the server did not start")
                time.sleep(0.5)
        print("| round | no guide, tokens/s | JSON guide, tokens/s | ratio |\n|---|---|---|---|")
        ratios = []
        for number in range(chosen.rounds):
            plain, guided = (rate(address, chosen.sequences, chosen.seconds, schema) for schema in (False, True))
            ratios.append(guided / plain)
            print(f"| {number + 1} | {plain:.0f} | {guided:.0f} | {guided / plain:.3f} |", flush=True)
        print(f"\nmedian ratio {sorted(ratios)[len(ratios) // 2]:.3f}, {chosen.sequences} sequences")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
