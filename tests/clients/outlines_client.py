"""Outlines' clients of vLLM, OpenAI and SGLang. Usage: python3 outlines_client.py http://127.0.0.1:8000

needs: outlines, openai
"""

import asyncio
import json
import re
import sys
from typing import Literal

import outlines
from openai import AsyncOpenAI, OpenAI
from outlines.types import CFG, JsonSchema, Regex
from pydantic import BaseModel, Field

ADDRESS = sys.argv[1]
BASE = f"{ADDRESS}/v1"
CLIENT = OpenAI(base_url=BASE, api_key="x")
NAME = CLIENT.models.list().data[0].id
ARITHMETIC = """
start: sum
sum: product (("+" | "-") product)*
product: NUMBER (("*" | "/") NUMBER)*
NUMBER: /[0-9]{1,3}/
"""


class Capital(BaseModel):
    """The capital of a country."""

    city: str = Field(max_length=20)
    continent: Literal["Africa", "America", "Asia", "Europe", "Oceania"]


def vllm():
    model = outlines.from_vllm(CLIENT, NAME)
    answer = model("The capital of Norway: ", Capital, max_tokens=200)
    Capital.model_validate_json(answer)
    assert model("Yes or no? ", Literal["yes", "no"], max_tokens=20) in ("yes", "no")
    assert re.fullmatch(r"[0-9]{3}-[a-z]{2,5}", model("A code: ", Regex(r"[0-9]{3}-[a-z]{2,5}"), max_tokens=20))
    assert isinstance(int(model("A number: ", int, max_tokens=40)), int)
    schema = '{"type":"object","properties":{"a":{"type":"boolean"}},"required":["a"],"additionalProperties":false}'
    assert isinstance(json.loads(model("JSON: ", JsonSchema(schema), max_tokens=40))["a"], bool)
    text = model("A sum: ", CFG(ARITHMETIC), max_tokens=40)
    assert re.fullmatch(r"[0-9]{1,3}([-+*/][0-9]{1,3})*", text), text
    assert isinstance(model("Hello ", max_tokens=8), str)
    assert "".join(model.stream("A code: ", Regex("[a-z]{3}[0-9]{3}"), max_tokens=20)), "a stream has text"
    try:
        batch = model.batch(["Yes or no? "] * 2, Literal["yes", "no"], max_tokens=20)
    except NotImplementedError:
        # Outlines has no batches for servers.
        batch = []
    assert set(batch) <= {"yes", "no"}, batch


def vllm_async():
    async def ask():
        model = outlines.from_vllm(AsyncOpenAI(base_url=BASE, api_key="x"), NAME)
        return await model("Yes or no? ", Literal["yes", "no"], max_tokens=20)

    assert asyncio.run(ask()) in ("yes", "no")


def openai():
    Capital.model_validate_json(outlines.from_openai(CLIENT, NAME)("The capital of Norway: ", Capital, max_tokens=200))


def sglang():
    model = outlines.from_sglang(CLIENT, NAME)
    assert re.fullmatch("[0-9]{3}[a-z]{2}", model("A code: ", Regex("[0-9]{3}[a-z]{2}"), max_tokens=20))


if __name__ == "__main__":
    for part in (vllm, vllm_async, openai, sglang):
        try:
            part()
        except Exception:
            print(f"failed: {part.__name__}", file=sys.stderr)
            raise
    print("outlines: all as expected")
