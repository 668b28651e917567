"""Writes the answers of Python's `re` that the guides of regexes are compared with: `classes.json` and `matches.json` in this folder.

    python3 make.py

The answers depend on the version of Unicode that this Python knows, which is in the file. Characters that it does not know are left out.
"""

import json
import random
import re
import sys
import unicodedata
from pathlib import Path

FOLDER = Path(__file__).parent
CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]


def ranges(characters):
    """Sorted characters as pairs of codes, in hexadecimal: "61-7a 5f-5f"."""
    found = []
    for code in map(ord, characters):
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return " ".join(f"{low:x}-{high:x}" for low, high in found)


def classes():
    known = [c for c in CHARACTERS if unicodedata.category(c) not in ("Cn", "Cs")]
    found = {"unicode": unicodedata.unidata_version, "known": ranges(known)}
    for name in (r"\w", r"\d", r"\s", r"(?a)\w", r"(?a)\d", r"(?a)\s"):
        found[name] = ranges(c for c in known if re.fullmatch(name, c))
    # Characters that a regex without regard to case takes for one.
    cased = [c for c in known if len({c, c.lower(), c.upper(), c.title(), c.casefold()}) > 1]
    text, groups = "".join(cased), set()
    for character in cased:
        equal = re.findall("(?i)" + re.escape(character), text)
        if len(equal) > 1:
            groups.add("".join(sorted(equal)))
    found["equal"] = sorted(groups)
    return found


ATOMS = [
    "a", "é", "Z", "_", "1", "٣", "-", ".", r"\w", r"\W", r"\d", r"\D", r"\s", r"\S", r"[\w-]", r"[^\w]", r"[^\s\d]", r"[\W\d]",
    r"[^a]", r"[à-ü]", r"[^\W\d_]", r"(?a:\w)", r"(?a:\W)", r"(?i:é)", r"(?i:[k-s])", r"\101", r"[\141-\143]", r"\012", r"\060", "(a|é)",
    r"(?:\w|-)",
]
ASSERTIONS = [r"\b", r"\B", r"(?a:\b)", r"(?a:\B)", r"(?=\w)", r"(?!\w)", r"(?=.*\d)", r"(?!.*é)", r"(?=.{1,3}$)", r"(?!\W\b)", r"(?=\B)", "^", "$"]
TIMES = ["", "", "", "", "*", "+", "?", "{2}", "{1,2}"]
LETTERS = "aéZ_1٣-.\u00a0\u2003\n\u001cK\u212aſß中AbcÉ0 "


def regex(chance):
    parts = []
    for _ in range(chance.randint(1, 4)):
        if chance.random() < 0.3:
            parts.append(chance.choice(ASSERTIONS))
        parts.append(chance.choice(ATOMS) + chance.choice(TIMES))
    if chance.random() < 0.2:
        parts.append(chance.choice(ASSERTIONS))
    return chance.choice(["", "", "", "", "(?a)", "(?i)", "(?u)", "(?ai)"]) + "".join(parts)


def matches():
    chance, found = random.Random(7), []
    while len(found) < 400:
        source = regex(chance)
        compiled, texts = re.compile(source), set()
        for _ in range(1500):
            texts.add("".join(chance.choice(LETTERS) for _ in range(chance.randint(0, 4))))
        # `$` of Python also holds before a last line break.
        texts = sorted(text for text in texts if not text.endswith("\n"))
        chance.shuffle(texts)
        yes = [text for text in texts if compiled.fullmatch(text)][:8]
        no = [text for text in texts if not compiled.fullmatch(text)][:8]
        if yes:
            found.append({"regex": source, "yes": yes, "no": no})
    return {"python": sys.version.split()[0], "unicode": unicodedata.unidata_version, "cases": found}


def write(name, value):
    (FOLDER / name).write_text(json.dumps(value, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


write("classes.json", classes())
write("matches.json", matches())
