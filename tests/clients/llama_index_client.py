"""LlamaIndex. Usage: python3 llama_index_client.py http://127.0.0.1:8000

needs: llama_index.llms.openai_like, openai
"""

import asyncio
import sys
from typing import Literal

from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from openai import OpenAI
from pydantic import BaseModel, Field

ADDRESS = sys.argv[1]
BASE = f"{ADDRESS}/v1"
NAME = OpenAI(base_url=BASE, api_key="x").models.list().data[0].id


class Capital(BaseModel):
    """The capital of a country."""

    city: str = Field(max_length=20)
    continent: Literal["Africa", "America", "Asia", "Europe", "Oceania"]


def weather(city: Literal["Oslo", "Rome"]) -> str:
    """The weather of a city."""
    return f"sun in {city}"


def model(**settings):
    settings = {"is_chat_model": True, "is_function_calling_model": True, "max_tokens": 300, "max_retries": 0} | settings
    return OpenAILike(model=NAME, api_base=BASE, api_key="x", context_window=4096, **settings)


def plain():
    llm = model(max_tokens=16)
    assert isinstance(llm.complete("Hello").text, str)
    assert isinstance(llm.chat([ChatMessage(role="user", content="Hello")]).message.content, str)
    pieces = list(llm.stream_chat([ChatMessage(role="user", content="Hello")]))
    assert pieces and pieces[-1].message.content == "".join(piece.delta or "" for piece in pieces), pieces


def completions():
    llm = model(is_chat_model=False, is_function_calling_model=False, max_tokens=8)
    assert isinstance(llm.complete("Italy is").text, str)


def structured():
    prompt = PromptTemplate("The capital of {country}")
    for llm in (model(), model(should_use_structured_outputs=True)):
        assert isinstance(llm.structured_predict(Capital, prompt, country="Norway"), Capital)


def tools():
    tool = FunctionTool.from_defaults(fn=weather)
    answer = model().predict_and_call([tool], "How is the weather in Oslo?", tool_required=True)
    assert answer.response is not None, answer
    chat = asyncio.run(model().achat_with_tools([tool], user_msg="How is the weather in Oslo?", tool_required=True))
    assert model().get_tool_calls_from_response(chat), chat


if __name__ == "__main__":
    for part in (plain, completions, structured, tools):
        try:
            part()
        except Exception:
            print(f"failed: {part.__name__}", file=sys.stderr)
            raise
    print("llama-index: all as expected")
