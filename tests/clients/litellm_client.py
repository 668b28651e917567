"""LiteLLM's client of OpenAI's API. Usage: python3 litellm_client.py http://127.0.0.1:8000

needs: litellm, jsonschema, openai
"""

import json
import os
import sys
from typing import Literal

# Without it LiteLLM asks the network for prices when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import jsonschema
import litellm
from openai import OpenAI as Client
from pydantic import BaseModel, Field

ADDRESS = sys.argv[1]
BASE = f"{ADDRESS}/v1"
NAME = Client(base_url=BASE, api_key="x").models.list().data[0].id
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Oslo", "Rome"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
HELLO = [{"role": "user", "content": "Hello"}]


class Capital(BaseModel):
    """The capital of a country."""

    city: str = Field(max_length=20)
    continent: Literal["Africa", "America", "Asia", "Europe", "Oceania"]


def ask(provider, **rest):
    rest = {"messages": HELLO, "max_tokens": 200, "temperature": 1.0} | rest
    return litellm.completion(model=f"{provider}/{NAME}", api_base=BASE, api_key="x", **rest)


def plain(provider):
    answer = ask(provider, max_tokens=12)
    assert isinstance(answer.choices[0].message.content, str) and answer.usage.completion_tokens > 0, answer
    # The health check of LiteLLM's proxy.
    assert ask(provider, max_tokens=1).usage.completion_tokens == 1
    chunks = list(ask(provider, max_tokens=12, stream=True, stream_options={"include_usage": True}))
    assert any(chunk.choices and chunk.choices[0].finish_reason for chunk in chunks), chunks
    assert any(getattr(chunk, "usage", None) for chunk in chunks), chunks


def structured(provider):
    answer = ask(provider, response_format=Capital)
    assert Capital.model_validate_json(answer.choices[0].message.content), answer


def tools(provider):
    answer = ask(provider, tools=[TOOL], tool_choice="required", max_tokens=300)
    calls = answer.choices[0].message.tool_calls
    assert calls and answer.choices[0].finish_reason in ("tool_calls", "length"), answer
    for call in calls:
        jsonschema.validate(json.loads(call.function.arguments), TOOL["function"]["parameters"])
    chunks = list(ask(provider, tools=[TOOL], tool_choice="required", max_tokens=300, stream=True))
    built = litellm.stream_chunk_builder(chunks, messages=HELLO)
    for call in built.choices[0].message.tool_calls:
        jsonschema.validate(json.loads(call.function.arguments), TOOL["function"]["parameters"])


def errors(provider):
    try:
        ask(provider, messages=[{"role": "user", "content": "x " * 200_000}])
    except litellm.ContextWindowExceededError:
        pass
    else:
        raise AssertionError("an overlong prompt is an error")
    try:
        litellm.completion(model=f"{provider}/no-such-model", api_base=BASE, api_key="x", messages=HELLO)
    except litellm.NotFoundError:
        pass
    else:
        raise AssertionError("an unknown model is an error")


def text(provider):
    if provider == "openai":
        answer = litellm.text_completion(
            model=f"text-completion-openai/{NAME}", api_base=BASE, api_key="x", prompt="Italy is", max_tokens=8
        )
        assert isinstance(answer.choices[0].text, str), answer


def responses(provider):
    answer = litellm.responses(
        model=f"{provider}/{NAME}", api_base=BASE, api_key="x", input="Hello", max_output_tokens=16
    )
    assert answer.status in ("completed", "incomplete") and answer.usage.output_tokens > 0, answer


if __name__ == "__main__":
    for provider in ("openai", "hosted_vllm"):
        for part in (plain, structured, tools, errors, text, responses):
            try:
                part(provider)
            except Exception:
                print(f"failed: {part.__name__} as {provider}", file=sys.stderr)
                raise
    print("litellm: all as expected")
