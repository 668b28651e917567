"""LangChain's client of OpenAI's API. Usage: python3 langchain_client.py http://127.0.0.1:8000

needs: langchain, langchain_openai, jsonschema
"""

import asyncio
import sys
from typing import Literal, Optional

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI
from openai import OpenAI as Client
from pydantic import BaseModel, Field

ADDRESS = sys.argv[1]
BASE = f"{ADDRESS}/v1"
NAME = Client(base_url=BASE, api_key="x").models.list().data[0].id


def model(**settings):
    settings = {"temperature": 1.0, "seed": 1, "max_tokens": 160} | settings
    return ChatOpenAI(base_url=BASE, model=NAME, api_key="x", **settings)


class Capital(BaseModel):
    """The capital of a country."""

    city: str = Field(max_length=20)
    continent: Literal["Africa", "America", "Asia", "Europe", "Oceania"]
    population: Optional[int] = Field(default=None, ge=0, le=40_000_000)


@tool
def weather(city: Literal["Oslo", "Rome"], days: Literal[1, 2, 3] = 1) -> str:
    """The weather of a city."""
    return f"sun in {city} for {days} days"


@tool
def clock() -> str:
    """The time now."""
    return "noon"


def plain():
    answer = model(max_tokens=12).invoke([SystemMessage("Be brief."), HumanMessage("Hello")])
    assert isinstance(answer.content, str), answer
    usage = answer.usage_metadata
    assert usage["input_tokens"] > 0 and 0 < usage["output_tokens"] <= 12, usage
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"], usage
    assert answer.response_metadata["finish_reason"] in ("stop", "length"), answer
    assert len(model(max_tokens=4).batch(["one", "two", "three"])) == 3


def streams():
    whole = model(max_tokens=24).invoke("Tell me of Italy")
    chunks = list(model(max_tokens=24, stream_usage=True).stream("Tell me of Italy"))
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    assert total.content == whole.content, (total, whole)
    assert total.usage_metadata["output_tokens"] == whole.usage_metadata["output_tokens"], (total, whole)

    async def collect():
        return "".join([chunk.content async for chunk in model(max_tokens=24).astream("Tell me of Italy")])

    assert asyncio.run(collect()) == whole.content


def logprobs():
    answer = model(max_tokens=6, logprobs=True, top_logprobs=2).invoke("Hello")
    entries = answer.response_metadata["logprobs"]["content"]
    assert 0 < len(entries) <= 6 and all(len(entry["top_logprobs"]) == 2 for entry in entries), entries
    assert b"".join(bytes(entry["bytes"]) for entry in entries).decode(errors="replace") == answer.content, answer


def structured():
    for method in ("json_schema", "function_calling"):
        chain = model(max_tokens=300).with_structured_output(Capital, method=method, include_raw=True)
        answer = chain.invoke("The capital of Norway")
        assert answer["parsing_error"] is None and isinstance(answer["parsed"], Capital), (method, answer)
    answer = model(max_tokens=60).with_structured_output(None, method="json_mode").invoke("A JSON object")
    assert isinstance(answer, dict), answer


def tools():
    free = model(max_tokens=200)
    answer = free.bind_tools([weather, clock], tool_choice="any").invoke("How is the weather in Oslo?")
    assert answer.tool_calls and not answer.invalid_tool_calls, answer
    assert {call["name"] for call in answer.tool_calls} <= {"weather", "clock"}, answer
    answer = free.bind_tools([weather, clock], tool_choice="weather").invoke("How is the weather in Oslo?")
    assert [call["name"] for call in answer.tool_calls] == ["weather"], answer
    assert answer.tool_calls[0]["args"]["city"] in ("Oslo", "Rome"), answer
    chunks = list(free.bind_tools([weather, clock], tool_choice="any").stream("How is the weather in Oslo?"))
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    assert total.tool_calls and not total.invalid_tool_calls, total
    answer = free.bind_tools([weather, clock]).invoke("Hello")
    assert not answer.invalid_tool_calls, answer
    # The answer of a tool goes back with the message that called it.
    call = {"name": "weather", "args": {"city": "Oslo"}, "id": "call_1", "type": "tool_call"}
    history = [HumanMessage("The weather?"), AIMessage("", tool_calls=[call]), ToolMessage("sun", tool_call_id="call_1")]
    answer = model(max_tokens=8).bind_tools([weather]).invoke(history)
    assert isinstance(answer, AIMessage), answer


def agent():
    graph = create_agent(model(max_tokens=120), tools=[weather, clock])
    state = graph.invoke({"messages": [HumanMessage("How is the weather in Oslo?")]}, {"recursion_limit": 12})
    assert state["messages"][-1].type == "ai", state


def completions():
    llm = OpenAI(base_url=BASE, model=NAME, api_key="x", max_tokens=12, seed=1)
    whole = llm.invoke("Italy is")
    assert "".join(llm.stream("Italy is")) == whole, whole


def responses():
    answer = model(max_tokens=16, use_responses_api=True, seed=None).invoke("Hello")
    assert answer.text is not None and answer.usage_metadata["output_tokens"] > 0, answer


if __name__ == "__main__":
    for part in (plain, streams, logprobs, structured, tools, agent, completions, responses):
        try:
            part()
        except Exception as error:
            # An agent on a model without sense may turn in circles: its limit is not the server's fault.
            if part is agent and type(error).__name__ == "GraphRecursionError":
                continue
            print(f"failed: {part.__name__}", file=sys.stderr)
            raise
    print("langchain: all as expected")
