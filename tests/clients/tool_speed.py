"""What tools cost: times to the first token and for each token, with 60 tools and without, and what streams beside them feel.

Usage: python3 tool_speed.py http://127.0.0.1:8000 [--tools 60] [--turns 30] [--tokens 60] [--streams 4]

Needs nothing but Python. The server should run with a template that shows the model no tools, so that all prompts have the same length:

    jig serve --model MODEL --chat-template '{% if tools %}{% endif %}{{ messages[-1].content }}:{# <tool_call> "arguments" #}'

The kinds of requests take turns in a random order, so that all meet the same machine. Every request of a kind but the first finds its guide compiled; the first one is
told apart. "for each token" is the time from the first token to the last one, by the number of tokens after the first. With `forced_text` off,
each token is drawn by the model, as without tools; with it on, as it is where a request says nothing, texts that leave no choice come at once.
"""

import argparse
import http.client
import json
import random
import socket
import statistics
import threading
import time
import urllib.parse


def tool(number):
    properties = {
        f"path_{number}": {"type": "string", "description": "A path."},
        "unit": {"enum": ["km", "mi", "m"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 10_000},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 20}, "maxItems": 8},
        "at": {"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number"}}, "required": ["x", "y"]},
    }
    parameters = {"type": "object", "properties": properties, "required": [f"path_{number}", "unit", "tags", "at"]}
    return {"type": "function", "function": {"name": f"tool_{number}", "description": "Does it.", "parameters": parameters}}


class Server:
    def __init__(self, address):
        self.host = urllib.parse.urlsplit(address).netloc

    def stream(self, body, seen=None):
        """The times of the chunks that bring tokens, in seconds from the start, and the number of tokens; `seen` is called with each time."""
        connection = http.client.HTTPConnection(self.host, timeout=600)
        connection.connect()
        # Head and body are two writes: the second one must not wait until the first one is acknowledged.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        body = {"messages": [{"role": "user", "content": "Where is the harbour of Husum?"}], "stream": True, "return_token_ids": True, **body}
        data = json.dumps(body)
        start = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise SystemExit(f"{answer.status}: {answer.read().decode()}")
        times, tokens = [], 0
        for line in answer:
            if not line.startswith(b"data: {"):
                continue
            new = sum(len(choice.get("token_ids", [])) for choice in json.loads(line[6:])["choices"])
            if new:
                times.append(time.perf_counter() - start)
                tokens += new
                if seen:
                    seen(times[-1])
        connection.close()
        return times, tokens


def measured(server, body):
    times, tokens = server.stream(body)
    later = (times[-1] - times[0]) / max(tokens - 1, 1)
    return times[0] * 1e3, later * 1e3, tokens


def kinds(options):
    tools = [tool(number) for number in range(options.tools)]
    free = {"max_tokens": options.tokens, "ignore_eos": True, "temperature": 1}
    required = {"tools": tools, "tool_choice": "required", "max_tokens": max(options.tokens, 150), "temperature": 1}
    return {
        "no tools": free,
        "auto": {**free, "tools": tools},
        "required, every token drawn": {**required, "forced_text": False},
        "required": required,
    }


def alone(server, options):
    print(f"{'kind':30} {'first request':>14} {'first token':>12} {'for each token':>15} {'ratio':>12} {'tokens':>7}")
    bodies = kinds(options)
    measured(server, bodies["no tools"])
    first = {name: measured(server, {**body, "seed": 0})[0] for name, body in bodies.items()}
    # Each seed once: masks that a text was the first to need are in the cache from then on, as with any request.
    runs = {name: [] for name in bodies}
    shuffle = random.Random(0)
    for turn in range(options.turns):
        for name in shuffle.sample(list(bodies), len(bodies)):
            runs[name].append(measured(server, {**bodies[name], "seed": turn}))
    base = None
    for name, all_runs in runs.items():
        begin, later, tokens = (statistics.median(column) for column in zip(*all_runs))
        base = base or (begin, later)
        ratio = f"{begin / base[0]:.2f} {later / base[1]:.2f}"
        print(f"{name:30} {first[name]:11.1f} ms {begin:9.2f} ms {later:12.3f} ms {ratio:>12} {tokens:7.0f}")


def beside(server, options):
    """Gaps between the tokens of plain streams, while something else runs."""
    print(f"\n{f'beside {options.streams} plain streams':30} {'gap, median':>14} {'99 of 100':>12} {'longest':>15}")
    bodies = kinds(options)
    # A tool of another name is another guide, compiled while the streams run.
    new = [json.loads(json.dumps(bodies["required"]).replace("path_", f"way_{turn}_")) for turn in range(3)]
    others = {
        "nothing": [],
        "one more plain stream": [bodies["no tools"]] * 3,
        "required": [bodies["required"]] * 3,
        "required, not compiled yet": new,
    }
    for name, more in others.items():
        gaps, done = [], threading.Event()

        def plain():
            while not done.is_set():
                last = []

                def seen(at, last=last):
                    if last:
                        gaps.append((at - last[0]) * 1e3)
                    last[:] = [at]

                server.stream({**bodies["no tools"], "max_tokens": 120}, seen)

        threads = [threading.Thread(target=plain) for _ in range(options.streams)]
        for thread in threads:
            thread.start()
        end = time.perf_counter() + options.seconds
        while time.perf_counter() < end or more:
            if more:
                server.stream(more.pop())
            else:
                time.sleep(0.05)
            if time.perf_counter() >= end:
                break
        done.set()
        for thread in threads:
            thread.join()
        gaps.sort()
        print(f"{name:30} {statistics.median(gaps):11.2f} ms {gaps[int(len(gaps) * 0.99)]:9.2f} ms {gaps[-1]:12.2f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("--tools", type=int, default=60)
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--tokens", type=int, default=60)
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    server = Server(options.address)
    alone(server, options)
    beside(server, options)


if __name__ == "__main__":
    main()
