"""Instructor. Usage: python3 instructor_client.py http://127.0.0.1:8000

needs: instructor, openai
"""

import sys
from collections.abc import Iterable
from typing import Literal

import instructor
from openai import OpenAI
from pydantic import BaseModel, Field, field_validator

ADDRESS = sys.argv[1]
BASE = f"{ADDRESS}/v1"
CARD = OpenAI(base_url=BASE, api_key="x").models.list().data[0]
NAME = CARD.id
# The second request, with the first answer in it, takes more than the embedded model has.
HAS_ROOM = CARD.max_model_len >= 2048
ASK = [{"role": "user", "content": "The capital of Norway"}]


class Capital(BaseModel):
    """The capital of a country."""

    city: str = Field(max_length=20)
    continent: Literal["Africa", "America", "Asia", "Europe", "Oceania"]


class Weather(BaseModel):
    """The weather of a city."""

    city: Literal["Oslo", "Rome"]


def client(mode):
    return instructor.from_openai(OpenAI(base_url=BASE, api_key="x"), mode=mode)


def ask(mode, response_model, **rest):
    rest = {"messages": ASK, "max_tokens": 300, "max_retries": 0, "seed": 1} | rest
    return client(mode).chat.completions.create(model=NAME, response_model=response_model, **rest)


def models():
    for mode in (instructor.Mode.TOOLS, instructor.Mode.TOOLS_STRICT, instructor.Mode.JSON_SCHEMA):
        assert isinstance(ask(mode, Capital), Capital), mode


def json_mode():
    # An object of no schema: what it holds is up to the model, so the validation may fail, and nothing else.
    try:
        ask(instructor.Mode.JSON, Capital)
    except Exception as error:
        assert "validation error" in str(error).lower(), error


def json_in_prose():
    # A text without any form, of which this client looks for JSON: that the model writes some is its own business.
    try:
        ask(instructor.Mode.MD_JSON, Capital, max_tokens=30)
    except Exception as error:
        assert type(error).__name__ in ("InstructorRetryException", "IncompleteOutputException"), error


def lists():
    items = ask(instructor.Mode.TOOLS, list[Weather])
    assert all(isinstance(item, Weather) for item in items), items


def partial():
    pieces = list(
        client(instructor.Mode.TOOLS).chat.completions.create_partial(
            model=NAME, response_model=Capital, messages=ASK, max_tokens=300
        )
    )
    assert pieces[-1].city is not None and pieces[-1].continent is not None, pieces


def several():
    items = list(
        client(instructor.Mode.TOOLS).chat.completions.create_iterable(
            model=NAME, response_model=Weather, messages=ASK, temperature=0
        )
    )
    assert all(isinstance(item, Weather) for item in items), items
    # Here the model is free to answer without a call, or at length, and this client takes both for errors.
    try:
        calls = list(ask(instructor.Mode.PARALLEL_TOOLS, Iterable[Weather | Capital]))
    except Exception as error:
        assert "No tool calls in response" in str(error) or "max_tokens length limit" in str(error), error
    else:
        assert calls and all(isinstance(call, Weather | Capital) for call in calls), calls


def asked_again():
    seen = []

    class Picky(Capital):
        @field_validator("city")
        @classmethod
        def second_time(cls, city):
            seen.append(city)
            if len(seen) == 1:
                raise ValueError("once more")
            return city

    assert isinstance(ask(instructor.Mode.TOOLS, Picky, max_retries=2), Picky) and len(seen) == 2, seen


if __name__ == "__main__":
    for part in (models, json_mode, json_in_prose, lists, partial, several) + ((asked_again,) if HAS_ROOM else ()):
        try:
            part()
        except Exception:
            print(f"failed: {part.__name__}", file=sys.stderr)
            raise
    print("instructor: all as expected")
