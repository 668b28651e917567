"""Pydantic AI's client of OpenAI's API. Usage: python3 pydantic_ai_client.py http://127.0.0.1:8000

needs: pydantic_ai, openai
"""

import asyncio
import os
import sys
from typing import Literal

from openai import OpenAI as Client
from pydantic import BaseModel, Field
from pydantic_ai import Agent, NativeOutput, PromptedOutput, ToolOutput, UnexpectedModelBehavior
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.vllm import VLLMProvider
from pydantic_ai.usage import UsageLimits

ADDRESS = sys.argv[1]
BASE = f"{ADDRESS}/v1"
CARD = Client(base_url=BASE, api_key="x").models.list().data[0]
NAME = CARD.id
# Two turns with tools and a schema take more than the embedded model has.
HAS_ROOM = CARD.max_model_len >= 2048
SETTINGS = {"max_tokens": 200, "temperature": 1.0, "seed": 2}


class Capital(BaseModel):
    """The capital of a country."""

    city: str = Field(max_length=20)
    continent: Literal["Africa", "America", "Asia", "Europe", "Oceania"]


def models():
    yield OpenAIChatModel(NAME, provider=OpenAIProvider(base_url=BASE, api_key="x"))
    os.environ["VLLM_BASE_URL"] = BASE
    yield OpenAIChatModel(NAME, provider=VLLMProvider())


def plain(model):
    result = Agent(model, system_prompt=("Be brief.", "Be kind.")).run_sync(
        "Hello", model_settings=SETTINGS | {"max_tokens": 16}
    )
    usage = result.usage() if callable(result.usage) else result.usage
    assert isinstance(result.output, str) and usage.input_tokens > 0 and usage.output_tokens > 0, result


def structured(model):
    for output in (ToolOutput(Capital), NativeOutput(Capital)):
        result = Agent(model, output_type=output, retries=0).run_sync("The capital of Norway", model_settings=SETTINGS)
        assert isinstance(result.output, Capital), (output, result)
    # The prompt names the schema, and the server is only asked for an object: a small model may write another one.
    if not HAS_ROOM:
        return
    try:
        agent = Agent(model, output_type=PromptedOutput(Capital), retries=1)
        assert isinstance(agent.run_sync("The capital of Norway", model_settings=SETTINGS).output, Capital)
    except UnexpectedModelBehavior as error:
        assert "output retries" in str(error), error


def tools(model):
    asked = []
    agent = Agent(model, output_type=NativeOutput(Capital), retries=1)

    @agent.tool_plain
    def weather(city: Literal["Oslo", "Rome"]) -> str:
        """The weather of a city."""
        asked.append(city)
        return "sun"

    # A small model may ask for ever.
    question = "How is the weather in Oslo? Then give its country's capital."
    result = agent.run_sync(question, model_settings=SETTINGS, usage_limits=UsageLimits(request_limit=4))
    assert isinstance(result.output, Capital) and set(asked) <= {"Oslo", "Rome"}, (result, asked)


def stream(model):
    async def run():
        async with Agent(model).run_stream("Tell me of Italy", model_settings=SETTINGS | {"max_tokens": 24}) as result:
            pieces = [piece async for piece in result.stream_text(delta=True)]
        return pieces

    assert "".join(asyncio.run(run())), "a stream has text"


if __name__ == "__main__":
    for model in models():
        for part in (plain, structured, tools, stream) if HAS_ROOM else (plain, structured, stream):
            try:
                part(model)
            except Exception as error:
                if part is tools and type(error).__name__ in ("UsageLimitExceeded",):
                    continue
                print(f"failed: {part.__name__}", file=sys.stderr)
                raise
    print("pydantic-ai: all as expected")
