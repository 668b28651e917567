"""Times XGrammar on the grammars in GBNF that `jig-bench grammars --tokens FILE` wrote, with the same tokens.

    pip install xgrammar==0.2.9 numpy
    xgrammar_grammars.py FILE [ROUNDS [NAME=GRAMMAR ...]]

NAME=GRAMMAR gives a file to read instead of the grammar with this name, such as json.gbnf=guides/tests/grammars/plain/json.gbnf.

Each round compiles each grammar anew, with another comment in it, and follows its document twice. Times are in microseconds. A process of
its own, so its figures are not taken in turns with those of the other engines: run it between two runs of these.
"""

import json
import sys
import time

import numpy
import xgrammar


def microseconds(action):
    wall, processor = time.perf_counter(), time.process_time()
    result = action()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    # What is missing in a long interval is the scheduler's.
    return (wall if wall < 50e-6 else min(wall, processor)) * 1e6, result


def follow(matcher, tokens, bitmask, times):
    for token in tokens:
        times.append(microseconds(lambda: matcher.fill_next_token_bitmask(bitmask))[0])
        if not int(bitmask[0, token // 32]) >> (token % 32) & 1 or not matcher.accept_token(token):
            raise SystemExit(f"token {token} is refused")


def row(times):
    times = sorted(times)
    return f"{sum(times) / len(times):.1f} | {times[-(len(times) // 100) - 1]:.1f} | {times[-1]:.0f}"


def main():
    data = json.load(open(sys.argv[1], encoding="utf-8"))
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    others = dict(argument.split("=", 1) for argument in sys.argv[3:])
    words = [b"" if word is None else word.encode("latin-1") for word in data["tokens"]]
    tokenizer = xgrammar.TokenizerInfo(words, xgrammar.VocabType.RAW, stop_token_ids=data["end"])
    compiler = xgrammar.GrammarCompiler(tokenizer, max_threads=1, cache_enabled=False)
    bitmask = numpy.zeros((1, (len(words) + 31) // 32), dtype=numpy.int32)
    print("| grammar | tokens | engine | compile | first masks: mean | p99 | max | once more: mean | p99 | max |")
    print("|---|---:|---|---:|---:|---:|---:|---:|---:|---:|")
    for grammar in data["grammars"]:
        if not grammar["name"].endswith(".gbnf"):
            continue
        if grammar["name"] in others:
            grammar["grammar"] = open(others[grammar["name"]], encoding="utf-8").read()
        compiles, first, again = [], [], []
        for number in range(rounds):
            text = f"{grammar['grammar']}\n# {number}\n"
            spent, compiled = microseconds(lambda: compiler.compile_grammar(text))
            compiles.append(spent)
            follow(xgrammar.GrammarMatcher(compiled), grammar["tokens"], bitmask, first)
            follow(xgrammar.GrammarMatcher(compiled), grammar["tokens"], bitmask, again)
        mean = sum(compiles) / len(compiles)
        print(f"| {grammar['name']} | {len(grammar['tokens'])} | xgrammar | {mean:.0f} | {row(first)} | {row(again)} |")


main()
