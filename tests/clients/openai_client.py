"""The official Python client of OpenAI against the server: synchronous, asynchronous, parsed, streamed.

Usage: python3 openai_client.py http://127.0.0.1:8000

needs: openai, pydantic
"""

import asyncio
import json
import sys
from datetime import datetime
from decimal import Decimal
from typing import Literal, Optional

import openai
from pydantic import BaseModel, Field

ADDRESS = sys.argv[1]
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]

client = openai.OpenAI(base_url=f"{ADDRESS}/v1", api_key="EMPTY", max_retries=0)
CARD = next(iter(client.models.list()))
MODEL = CARD.id
# A conversation with tools and their answers takes more than the embedded model has.
HAS_ROOM = CARD.max_model_len >= 2048


class Leaf(BaseModel):
    kind: Literal["a", "b"]
    count: int
    note: Optional[str]


class Tree(BaseModel):
    name: str
    leaf: Leaf
    tags: list[Literal["x", "y"]]
    below: Optional["Tree"]


class Price(BaseModel):
    amount: float
    unit: Literal["EUR", "USD"] = "EUR"


class Invoice(BaseModel):
    at: datetime
    lines: list[Price] = Field(max_length=2)


class Total(BaseModel):
    amount: Decimal = Field(ge=0)


class Tides(BaseModel):
    """Tides of a harbour."""

    harbour: Literal["Husum", "Wyk"]
    days: int = Field(ge=1, le=9)


class Clock(BaseModel):
    """The time now."""


def chat(**fields):
    return client.chat.completions.create(model=MODEL, messages=QUESTION, **fields)


def models():
    assert client.models.retrieve(MODEL).id == MODEL
    try:
        client.models.retrieve("nope")
        raise AssertionError("a model that is not there")
    except openai.NotFoundError as error:
        assert error.code == "model_not_found", error


def answers():
    answer = chat(max_tokens=8, extra_body={"top_k": 5, "min_p": 0.1})
    choice = answer.choices[0]
    assert isinstance(choice.message.content, str) and choice.message.refusal is None
    assert choice.finish_reason in ("stop", "length") and answer._request_id
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=QUESTION, max_tokens=2, extra_body={"odd": 1})
    assert raw.headers["x-jig-ignored"] == "odd" and raw.parse().id
    # A dumped message, with its nulls, can be sent back.
    history = QUESTION + [choice.message.model_dump(), {"role": "user", "content": "And of Italy?"}]
    assert client.chat.completions.create(model=MODEL, messages=history, max_tokens=4).choices


def streams():
    fields = dict(n=3, seed=5, max_tokens=12)
    whole = chat(**fields)
    chunks = list(chat(stream=True, stream_options={"include_usage": True}, **fields))
    assert [chunk.choices[0].index for chunk in chunks[:3]] == [0, 1, 2]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage
    texts = [""] * 3
    for chunk in chunks[:-1]:
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts == [choice.message.content for choice in whole.choices], (texts, whole)
    # A stream that is closed early leaves the server free for the next request.
    with chat(stream=True, max_tokens=200) as stream:
        next(iter(stream))
    assert chat(max_tokens=2).choices


def parsed():
    for _ in range(3):
        for model, fields in [(Tree, {"max_tokens": 200}), (Leaf, {}), (Price, {"max_tokens": 60}), (Invoice, {"max_tokens": 250})]:
            answer = client.chat.completions.parse(model=MODEL, messages=QUESTION, response_format=model, **fields)
            assert isinstance(answer.choices[0].message.parsed, model), answer
    try:
        client.chat.completions.parse(model=MODEL, messages=QUESTION, response_format=Total, max_tokens=30)
    except ValueError as error:
        # Pydantic's schema of a decimal number allows any string beside numbers.
        assert "decimal" in str(error), error
    try:
        client.chat.completions.parse(model=MODEL, messages=QUESTION, response_format=Tree, max_tokens=3)
        raise AssertionError("three tokens are too few")
    except openai.BadRequestError as error:
        assert "at least" in error.message and error.param == "max_tokens", error
    fields = dict(model=MODEL, messages=QUESTION, response_format=Leaf, n=2)
    with client.chat.completions.stream(**fields) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds, kinds
    assert all(isinstance(choice.message.parsed, Leaf) for choice in final.choices)


def guided():
    schema = {"type": "object", "properties": {"a": {"type": "integer", "maximum": 99}}, "required": ["a"], "additionalProperties": False}
    for extra in [{"structured_outputs": {"json": schema}}, {"guided_json": schema}]:
        text = chat(extra_body=extra).choices[0].message.content
        assert list(json.loads(text)) == ["a"], text
    for extra in [{"structured_outputs": {"choice": ["yes", "no"]}}, {"guided_choice": ["yes", "no"]}, {"guided_regex": "yes|no"}]:
        assert chat(extra_body=extra).choices[0].message.content in ("yes", "no")


def tagged():
    """Free text and guided text in turns: structural tags, in both forms and both places."""
    schema = {"type": "integer", "minimum": 10, "maximum": 99}
    tag = {"type": "tag", "begin": "<n>", "content": {"type": "json_schema", "json_schema": schema}, "end": "</n>"}
    older = {"type": "structural_tag", "structures": [{"begin": "<n>", "schema": schema, "end": "</n>"}], "triggers": ["<n"]}
    separated = {"type": "tags_with_separator", "tags": [tag], "separator": "", "at_least_one": True, "stop_after_first": True}
    newer = {"type": "structural_tag", "format": separated}
    for extra in [{"response_format": newer}, {"structured_outputs": {"structural_tag": json.dumps(newer)}}]:
        text = chat(extra_body=extra).choices[0].message.content
        assert 10 <= int(text.removeprefix("<n>").removesuffix("</n>")) <= 99 and text[:3] == "<n>", text
    for extra in [{"response_format": older}, {"structured_outputs": {"structural_tag": json.dumps(older)}}]:
        assert isinstance(chat(extra_body=extra, max_tokens=12).choices[0].message.content, str)


def checked(calls, allowed):
    """Calls of a message, each of an allowed tool and with arguments that are valid."""
    for call in calls:
        assert call.type == "function" and call.id and call.function.name in allowed, call
        {"Tides": Tides, "Clock": Clock}[call.function.name].model_validate_json(call.function.arguments)
    return len(calls)


def tools():
    offered = [openai.pydantic_function_tool(Tides), openai.pydantic_function_tool(Clock)]
    named = {"type": "function", "function": {"name": "Clock"}}
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [named]}}
    settings = {"tools": offered, "max_tokens": 150, "temperature": 1.5, "seed": 7}
    for choice, names, least, most, ends in [
        ("auto", {"Tides", "Clock"}, 0, 99, {"stop", "tool_calls", "length"}),
        ("required", {"Tides", "Clock"}, 1, 99, {"tool_calls", "length"}),
        ("none", set(), 0, 0, {"stop", "length"}),
        (named, {"Clock"}, 1, 1, {"stop"}),
        (allowed, {"Clock"}, 1, 99, {"tool_calls", "length"}),
    ]:
        answer = chat(tool_choice=choice, **settings).choices[0]
        assert least <= checked(answer.message.tool_calls or [], names) <= most and answer.finish_reason in ends, (choice, answer)
    answer = chat(tool_choice="required", parallel_tool_calls=False, **settings).choices[0]
    assert checked(answer.message.tool_calls, {"Tides", "Clock"}) == 1 and answer.finish_reason == "tool_calls", answer
    # The message goes back as it came, with its nulls, and what the tool said.
    said = {"role": "tool", "tool_call_id": answer.message.tool_calls[0].id, "content": "04:01"}
    history = QUESTION + [answer.message.model_dump(), said]
    if HAS_ROOM:
        assert client.chat.completions.create(model=MODEL, messages=history, tools=offered, max_tokens=4).choices
    parsed = client.chat.completions.parse(model=MODEL, messages=QUESTION, tool_choice="required", parallel_tool_calls=False, **settings)
    call = parsed.choices[0].message.tool_calls[0]
    assert isinstance(call.function.parsed_arguments, (Tides, Clock)), call
    # Calls that the limit ends, so that there are no more of them, are an error to this client: one call does not reach it.
    fields = dict(model=MODEL, messages=QUESTION, tool_choice="required", parallel_tool_calls=False, n=2, **settings)
    whole = client.chat.completions.create(**fields)
    with client.chat.completions.stream(**fields) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"tool_calls.function.arguments.delta", "tool_calls.function.arguments.done"} <= kinds, kinds
    for ours, theirs in zip(whole.choices, final.choices):
        written = [[call.function.arguments for call in choice.message.tool_calls] for choice in (ours, theirs)]
        assert written[0] == written[1] and ours.finish_reason == theirs.finish_reason, written


def logprobs():
    choice = chat(logprobs=True, top_logprobs=5, max_tokens=12, seed=2).choices[0]
    content = choice.logprobs.content
    assert b"".join(bytes(entry.bytes) for entry in content) == choice.message.content.encode()
    assert all(len(entry.top_logprobs) == 5 for entry in content)


def completions():
    prompts = ["What is the capital of France?", "Iron"]
    answer = client.completions.create(model=MODEL, prompt=prompts, n=2, max_tokens=4, logprobs=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    for choice in answer.choices:
        lists = choice.logprobs
        assert len({len(lists.tokens), len(lists.token_logprobs), len(lists.top_logprobs), len(lists.text_offset)}) == 1
    # "Iron" by its tokens, which are asked for by the client's own way of posting.
    tokens = client.post(f"{ADDRESS}/tokenize", body={"prompt": "Iron"}, cast_to=object)["tokens"]
    fields = dict(model=MODEL, max_tokens=4, seed=1, temperature=0)
    by_text, by_ids, lists = (client.completions.create(prompt=prompt, **fields) for prompt in ("Iron", tokens, [tokens, tokens]))
    assert by_text.choices[0].text == by_ids.choices[0].text == lists.choices[1].text and len(lists.choices) == 2
    echoed = client.completions.create(model=MODEL, prompt="Iron", echo=True, max_tokens=2, stop=["zz"])
    assert echoed.choices[0].text.startswith("Iron")
    stream = client.completions.create(model=MODEL, prompt="Iron", max_tokens=4, seed=1, stream=True)
    text = "".join(chunk.choices[0].text for chunk in stream)
    assert text == client.completions.create(model=MODEL, prompt="Iron", max_tokens=4, seed=1).choices[0].text


def responses():
    answer = client.responses.create(model=MODEL, input="What is the capital of France?", max_output_tokens=8)
    assert answer.output_text and answer.usage.total_tokens > 0 and answer.status in ("completed", "incomplete")
    parsed = client.responses.parse(model=MODEL, input="A leaf: ", text_format=Leaf)
    assert isinstance(parsed.output_parsed, Leaf), parsed
    events = list(client.responses.create(model=MODEL, input="A leaf: ", stream=True, max_output_tokens=8))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created" and events[-1].type in ("response.completed", "response.incomplete")
    with client.responses.stream(model=MODEL, input="A leaf: ", text_format=Leaf) as stream:
        kinds = [event.type for event in stream]
        assert isinstance(stream.get_final_response().output_parsed, Leaf)
    assert "response.output_text.delta" in kinds, kinds


def response_tools():
    tool = {"type": "function", "name": "Tides", "parameters": Tides.model_json_schema(), "strict": True}
    fields = dict(model=MODEL, input="When is high tide?", tools=[tool], tool_choice="required", max_output_tokens=150)
    answer = client.responses.create(**fields)
    calls = [item for item in answer.output if item.type == "function_call"]
    assert calls and all(Tides.model_validate_json(call.arguments) for call in calls), answer
    events = list(client.responses.create(stream=True, **fields))
    kinds = [event.type for event in events]
    assert "response.function_call_arguments.delta" in kinds and "response.function_call_arguments.done" in kinds, kinds
    done = next(event for event in events if event.type == "response.function_call_arguments.done")
    deltas = [event.delta for event in events if event.type.endswith("arguments.delta") and event.item_id == done.item_id]
    assert "".join(deltas) == done.arguments and Tides.model_validate_json(done.arguments), done
    cut = client.responses.create(model=MODEL, input="A story: ", max_output_tokens=1, extra_body={"ignore_eos": True})
    assert cut.status == "incomplete" and cut.incomplete_details.reason == "max_output_tokens", cut


def errors():
    def refused(kind, **fields):
        try:
            client.chat.completions.create(**{"model": MODEL, "messages": QUESTION} | fields)
        except kind as error:
            return error
        raise AssertionError(f"{fields} is taken")

    assert refused(openai.NotFoundError, model="other").code == "model_not_found"
    assert refused(openai.BadRequestError, temperature="hot").param == "temperature"
    long = [{"role": "user", "content": "one two " * CARD.max_model_len}]
    assert refused(openai.BadRequestError, messages=long).code == "context_length_exceeded"


async def asynchronous():
    async with openai.AsyncOpenAI(base_url=f"{ADDRESS}/v1", api_key="EMPTY") as client:
        answers = [client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=8, seed=seed) for seed in range(8)]
        answers = await asyncio.gather(*answers)
        assert all(answer.choices[0].finish_reason for answer in answers)
        stream = await client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=8, seed=3, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        assert text == answers[3].choices[0].message.content, (text, answers[3])


if __name__ == "__main__":
    for check in [models, answers, streams, parsed, guided, tagged, tools, logprobs, completions, responses, response_tools, errors]:
        try:
            check()
        except Exception:
            print(f"failed: {check.__name__}", file=sys.stderr)
            raise
    asyncio.run(asynchronous())
    print("openai: all as expected")
