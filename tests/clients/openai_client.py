"""The official Python client of OpenAI against the server: synchronous, asynchronous, parsed, streamed.

Usage: python3 openai_client.py http://127.0.0.1:8000

needs: openai, pydantic
"""

import asyncio
import json
import sys
from typing import Literal, Optional

import openai
from pydantic import BaseModel

ADDRESS = sys.argv[1]
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]

client = openai.OpenAI(base_url=f"{ADDRESS}/v1", api_key="EMPTY", max_retries=0)
MODEL = next(iter(client.models.list())).id


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
        for model, fields in [(Tree, {"max_tokens": 200}), (Leaf, {}), (Price, {"max_tokens": 60})]:
            answer = client.chat.completions.parse(model=MODEL, messages=QUESTION, response_format=model, **fields)
            assert isinstance(answer.choices[0].message.parsed, model), answer
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


def errors():
    def refused(kind, **fields):
        try:
            client.chat.completions.create(**{"model": MODEL, "messages": QUESTION} | fields)
        except kind as error:
            return error
        raise AssertionError(f"{fields} is taken")

    assert refused(openai.NotFoundError, model="other").code == "model_not_found"
    assert refused(openai.BadRequestError, temperature="hot").param == "temperature"
    long = [{"role": "user", "content": "one two " * 600}]
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
    for check in [models, answers, streams, parsed, guided, logprobs, completions, responses, errors]:
        check()
    asyncio.run(asynchronous())
    print("openai: all as expected")
