"""Which texts the Python package `lark` parses, with lexer="dynamic_complete": each way to cut a text into terminals is tried.

    lark_verdicts.py < CASES      CASES: [{"grammar": "...", "texts": ["...", ...]}, ...]; writes a list of verdicts for each
    lark_verdicts.py --damaged    writes damaged.json: the verdicts on documents of this folder with one damaged byte
"""

import json
import pathlib
import random
import sys

from lark import Lark
from lark.exceptions import LarkError

FOLDER = pathlib.Path(__file__).parent
# Of each document.
DAMAGED = 40
CHARACTERS = "(){}[]\"'\\,;.:*/+-=<>#0a_ \n"


def parser(grammar):
    # The forest says whether there is a parse; no tree is made of it.
    return Lark(grammar, parser="earley", lexer="dynamic_complete", ambiguity="forest")


def accepts(parser, text):
    try:
        parser.parse(text)
        return True
    except LarkError:
        return False


def twin(path):
    """The grammar in Lark, if it is in GBNF."""
    return path if path.suffix == ".lark" else FOLDER / "plain" / (path.stem + ".lark")


def damaged():
    chance, found = random.Random(11), {}
    for path in sorted(FOLDER.glob("*.*")):
        if path.suffix not in (".lark", ".gbnf"):
            continue
        document = (FOLDER / "documents" / (path.stem + ".txt")).read_text(encoding="utf-8")
        places = [at for at, character in enumerate(document) if character.isascii()]
        judge, cases = parser(twin(path).read_text(encoding="utf-8")), []
        while len(cases) < DAMAGED:
            at, character = chance.choice(places), chance.choice(CHARACTERS)
            if document[at] != character:
                text = document[:at] + character + document[at + 1 :]
                byte = len(document[:at].encode())
                cases.append({"byte": byte, "is": character, "accepted": accepts(judge, text)})
        found[path.name] = cases
    return found


if "--damaged" in sys.argv:
    lines = [
        json.dumps(name) + ": [\n" + ",\n".join(map(json.dumps, cases)) + "\n]" for name, cases in damaged().items()
    ]
    (FOLDER / "damaged.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
else:
    cases = json.load(sys.stdin)
    verdicts = []
    for case in cases:
        judge = parser(case["grammar"])
        verdicts.append([accepts(judge, text) for text in case["texts"]])
    json.dump(verdicts, sys.stdout)
