"""A Python client of the server, built on `requests`. The package `jsonschema` validates the answers independently of Jig.

Usage: python3 user.py http://127.0.0.1:8000
"""

import json
import sys

import jsonschema
import requests

ADDRESS = sys.argv[1]

RECORD = {
    "type": "object",
    "properties": {
        "capital": {"type": "string", "maxLength": 24},
        "currency": {"type": "string", "maxLength": 24},
        "landlocked": {"type": "boolean"},
    },
    "required": ["capital", "currency"],
    "additionalProperties": False,
}


def generate(**body):
    return requests.post(f"{ADDRESS}/generate", json=body, timeout=120)


def whole_answers():
    prompt = "Give me a JSON record of Italy: "
    answer = generate(prompt=prompt, schema=RECORD, n=4, seed=1, temperature=1.5)
    answer.raise_for_status()
    texts = answer.json()["text"]
    assert len(texts) == 4, texts
    for text in texts:
        jsonschema.validate(json.loads(text.removeprefix(prompt)), RECORD)
    # A schema may also be a JSON text, and takes precedence over a regex.
    again = generate(prompt=prompt, schema=json.dumps(RECORD), regex="x", n=4, seed=1, temperature=1.5)
    assert again.json() == answer.json(), again.text


def streams():
    body = {"prompt": "Give me a JSON record of Italy: ", "schema": RECORD, "seed": 3}
    whole = generate(**body).json()
    with requests.post(f"{ADDRESS}/generate", json=body | {"stream": True}, stream=True, timeout=120) as answer:
        answer.raise_for_status()
        rest, chunks = b"", []
        for piece in answer.iter_content(chunk_size=None):
            *ended, rest = (rest + piece).split(b"\0")
            chunks += [json.loads(chunk) for chunk in ended]
    assert rest == b"", rest
    assert chunks[-1] == whole, (chunks[-1], whole)
    texts = [chunk["text"][0] for chunk in chunks]
    assert all(later.startswith(earlier) for earlier, later in zip(texts, texts[1:])), texts
    assert len(texts) > 3, texts


def refusals():
    for body, param in [
        ({"prompt": "x", "temprature": 1}, "temprature"),
        ({"prompt": "x", "temperature": -1}, "temperature"),
        ({"schema": True}, "prompt"),
        ({"prompt": "x", "regex": "("}, "regex"),
        ({"prompt": "x", "schema": {"type": "strin"}}, "schema"),
    ]:
        answer = generate(**body)
        assert answer.status_code == 400, answer.text
        error = answer.json()["error"]
        assert error["param"] == param and error["message"], error


if __name__ == "__main__":
    whole_answers()
    streams()
    refusals()
    print("all answers, streams and errors are as expected")
