"""The encodings in the tests of legacy.rs: a small GPT-2 vocabulary, read by transformers (5.23.0).

    python legacy_golden.py
"""

import json
import pathlib
import tempfile

import transformers

seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
characters = [chr(code) for code in seen + list(range(256, 512 - len(seen)))]
merges = ["h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or", "l d", "Ġwor ld"]
tokens = ["<s>", "<pad>", "</s>", *characters, *(merge.replace(" ", "") for merge in merges)]


def token(text):
    return {"__type": "AddedToken", "content": text, "normalized": True}


end = token("</s>")
settings = {
    "opt": {"add_bos_token": True, "add_prefix_space": False, "bos_token": end, "eos_token": end, "unk_token": end,
            "pad_token": token("<pad>")},
    "gpt2": {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>"},
}
for model_type, values in settings.items():
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        (directory / "vocab.json").write_text(json.dumps({text: index for index, text in enumerate(tokens)}))
        (directory / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
        (directory / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer", **values}))
        (directory / "config.json").write_text(json.dumps({"model_type": model_type}))
        tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
        for text in ["hello world", "hello</s> world ü", "", "  hello\nworld", " <pad>x"]:
            print(model_type, repr(text), tokenizer.encode(text))
