"""Writes the schemas and regexes of the guides' tests as first inputs: seeds.py TABLES CORPUS"""

import json
import pathlib
import sys

tables, corpus = map(pathlib.Path, sys.argv[1:])
for table in sorted(tables.glob("*.json")):
    entries = json.loads(table.read_text(encoding="utf-8"))
    # Only the tables are lists; the directory also holds expected.json.
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        for target in ("schema", "regex"):
            if target in entry:
                source = entry[target]
                text = source if target == "regex" else json.dumps(source, ensure_ascii=False)
                directory = corpus / target
                directory.mkdir(parents=True, exist_ok=True)
                (directory / f"{table.stem}-{number}").write_text(text, encoding="utf-8", newline="")
