"""Checks the demo model as it was saved: files, tokenizer, answers free and guided.

`python check.py` prints what it measures, and fails where the model falls short of what its README says.
"""

import argparse
import json
import random
import re
import sys
from collections import Counter
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from decoding import Decoder
from facts import Fact
from texts import Texts
from tokenizer import Segmenter, token_bytes

HERE = Path(__file__).parent
FILES = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
LARGEST = 8_000_000

# White space as Jig's guides have it: an optional single space where JSON allows any.
STRING = r'"([^"\\\x00-\x1f]|\\["\\/bfnrt])*"'
SHORT_STRING = r'"([^"\\\x00-\x1f]|\\["\\/bfnrt]){0,5}"'
NUMBER = r"(-)?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-][0-9]+)?"
INTEGER = r"-?(0|[1-9][0-9]*)"
BOOLEAN = r"(true|false)"

GUIDED = [
    ("What is the capital of France?", SHORT_STRING, '"Paris"'),
    ("What is the capital of France?", STRING, '"Paris"'),
    ("What is the capital of France? ", STRING, '"Paris"'),
    ("What is the capital of France?", r"(London|Paris|Rome|Berlin)", "Paris"),
    ("What is Pi? Give me the first 15 digits: ", NUMBER, "3.14159265358979"),
    ("What is Pi? Give me the first 15 digits:", " ?" + NUMBER, " 3.14159265358979"),
    ("What is the atomic number of gold?", INTEGER, "79"),
    ("Is Nepal landlocked?", BOOLEAN, "true"),
    ("Is Paris the capital of France?", BOOLEAN, "true"),
    ("Is Paris the capital of Spain?", BOOLEAN, "false"),
]


def literal_guide(literal: str) -> str:
    """The pattern that a schema of the literal's type comes to."""
    value = json.loads(literal)
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, str):
        return STRING
    if isinstance(value, list):
        item = literal_guide(json.dumps(value[0]))
        return rf"\[ ?({item}( ?, ?{item})*)? ?\]"
    return NUMBER + "|null"


def object_guide(members: list[tuple[str, str]]) -> str:
    inner = " ?, ?".join(f'"{re.escape(key)}" ?: ?({literal_guide(value)})' for key, value in members)
    return rf"\{{ ?{inner} ?\}}"


def phrasings(fact: Fact) -> dict[str, tuple[str, str]]:
    """Prompts for a fact, by the name of their form, with the answer that is right."""
    first, *others = fact.questions
    answer = fact.plain
    found = {
        "plain question": (first, answer),
        "space behind": (first + " ", answer),
        "lower case": (first.lower(), answer),
        "upper case": (first.upper(), answer),
        "Q and A": (f"Q: {first}\nA:", answer),
        "Question and Answer": (f"Question: {first}\nAnswer:", answer),
    }
    if others:
        found["second phrasing"] = (others[0], answer)
        found["last phrasing"] = (others[-1], answer)
    if fact.stems:
        found["sentence"] = (fact.stems[0], answer + ".")
    return found


# Shares of right answers that a form of the question has to reach; capital letters are another language to the tokenizer.
LEAST = {"lower case": 0.92, "upper case": 0.5}
LEAST_OTHERWISE = 0.95
LEAST_OF_ALL = 0.92
LEAST_ODDLY_SPLIT = 0.7


class Check:
    def __init__(self, folder: Path):
        self.folder = folder
        self.faults: list[str] = []
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.decoder = Decoder(self.model, self.tokenizer)
        self.texts = Texts(seed=0)
        self.random = random.Random(7)

    def must(self, holds: bool, what: str) -> None:
        if not holds:
            self.faults.append(what)
            print(f"  FAULT: {what}")

    def share(self, what: str, right: int, number: int, least: float) -> None:
        print(f"  {what}: {right} of {number} right, {right / number:.2%}")
        self.must(right >= least * number, f"{what}: less than {least:.0%} right")

    def files(self) -> None:
        print("files")
        sizes = {name: (self.folder / name).stat().st_size for name in FILES}
        for name, size in sizes.items():
            print(f"  {name}: {size:,} bytes")
        print(f"  together: {sum(sizes.values()):,} bytes")
        self.must(sum(sizes.values()) <= LARGEST, "the files are too large")

    def tokens(self) -> None:
        print("tokenizer")
        spelled = token_bytes(self.tokenizer)
        self.must({data for data in spelled if len(data) == 1} == {bytes([b]) for b in range(256)},
                  "every byte is a token")
        self.must(all(len(data) == 1 for data in spelled if any(48 <= b <= 57 for b in data)), "digits stand alone")
        text = 'São Tomé: {"π": 3.14159}\n\t日本 \U0001f642'
        ids = self.tokenizer.encode(text).ids
        self.must(ids[0] == self.decoder.begin, "a text begins with <s>")
        self.must(self.tokenizer.decode(ids) == text, "decoding gives back what was encoded")
        self.must(AutoTokenizer.from_pretrained(self.folder)(text).input_ids == ids,
                  "transformers reads the same tokenizer")

    def examples(self) -> None:
        print("guided examples")
        for prompt, pattern, expected in GUIDED:
            found = self.decoder.guided(prompt, pattern)
            print(f"  {prompt!r} -> {found}")
            self.must(found == expected, f"{prompt!r} gave {found!r}, not {expected!r}")

    def questions(self) -> None:
        print("free answers, every fact")
        asked = [(fact, form, prompt, answer) for fact in self.texts.facts
                 for form, (prompt, answer) in phrasings(fact).items()]
        answers = self.decoder.free([prompt for _, _, prompt, _ in asked])
        right, number, kinds, kind_numbers, unended, wrong = Counter(), Counter(), Counter(), Counter(), 0, []
        for (fact, form, prompt, answer), (found, ended) in zip(asked, answers):
            good = ended and found.strip() == answer
            number[form] += 1
            right[form] += good
            kind_numbers[fact.kind] += 1
            kinds[fact.kind] += good
            unended += not ended
            if not good:
                wrong.append((prompt, found, answer))
        for form in number:
            self.share(form, right[form], number[form], LEAST.get(form, LEAST_OTHERWISE))
        print("  by kind: " + ", ".join(f"{kind} {kinds[kind] / kind_numbers[kind]:.1%}" for kind in kind_numbers))
        self.share("all forms", right.total(), number.total(), LEAST_OF_ALL)
        print(f"  without an end token: {unended}")
        self.must(unended <= number.total() // 1000, "free answers end")
        for prompt, found, answer in self.random.sample(wrong, min(12, len(wrong))):
            print(f"    {prompt!r} -> {found!r}, right is {answer!r}")

    def free_records(self) -> None:
        print("free JSON records")
        prompts = [f"Give me a JSON record of {record.titles[0]}: " for record in self.texts.records]
        right = 0
        for record, (found, ended) in zip(self.texts.records, self.decoder.free(prompts, limit=120)):
            usual = {keys[0]: json.loads(value) for keys, value in record.members[: record.usual]}
            try:
                right += ended and json.loads(found) == usual
            except json.JSONDecodeError:
                pass
        self.share("records", right, len(prompts), 0.95)

    def guided_answers(self, number: int) -> None:
        print("guided answers to a question without a space behind it")
        facts = self.random.sample(self.texts.facts, min(number, len(self.texts.facts)))
        right = 0
        for fact in facts:
            found = self.decoder.guided(fact.questions[0], literal_guide(fact.json))
            right += json.loads(found) in (json.loads(fact.json), fact.plain)
        self.share("scalars and arrays", right, len(facts), 0.95)

    def guided_records(self, number: int) -> None:
        print("guided records, members in any order, after a prompt that names none")
        right = total = 0
        for record in self.random.sample(self.texts.records, min(number, len(self.texts.records))):
            members = self.random.sample(record.members, self.random.randint(1, len(record.members)))
            chosen = [(self.random.choice(keys), value) for keys, value in members]
            found = json.loads(self.decoder.guided(f"Give me a JSON record of {record.titles[0]}:", object_guide(chosen)))
            total += len(chosen)
            right += sum(found[key] == json.loads(value) for key, value in chosen)
        self.share("members", right, total, 0.95)

    def odd_splits(self, number: int) -> None:
        print("questions split into odd tokens")
        segmenter = Segmenter(self.tokenizer, seed=3)
        facts = self.random.sample(self.texts.facts, min(number, len(self.texts.facts)))
        answers = self.decoder.free(
            [fact.questions[0] for fact in facts],
            encode=lambda prompt: [self.decoder.begin, *segmenter.split_anywhere(prompt, cut=0.2)])
        right = sum(found.strip() == fact.plain for fact, (found, _) in zip(facts, answers))
        self.share("answers", right, len(facts), LEAST_ODDLY_SPLIT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=HERE.parent, help="folder of the model (default: host/demo)")
    parser.add_argument("--guided", type=int, default=300, help="how many facts and records to ask for under a guide")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    check = Check(arguments.model)
    check.files()
    check.tokens()
    check.examples()
    check.guided_answers(arguments.guided)
    check.guided_records(arguments.guided)
    check.odd_splits(1000)
    check.free_records()
    check.questions()
    if check.faults:
        sys.exit(f"{len(check.faults)} faults:\n" + "\n".join(check.faults))
    print("all holds")


if __name__ == "__main__":
    main()
