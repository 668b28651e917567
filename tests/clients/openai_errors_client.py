"""OpenAI's client against a server that has a key and little room: what is refused, and what is tried again.

Usage: python3 openai_errors_client.py http://127.0.0.1:8000, the server having the flags --api-key right --max-num-seqs 1 --max-queue 1

needs: openai
"""

import asyncio
import sys

import openai

ADDRESS = sys.argv[1]
BASE = f"{ADDRESS}/v1"
MODEL = openai.OpenAI(base_url=BASE, api_key="right").models.list().data[0].id
FIELDS = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}


def keys():
    for key in ["wrong", "", "righ"]:
        try:
            openai.OpenAI(base_url=BASE, api_key=key or "EMPTY", max_retries=0).chat.completions.create(**FIELDS)
        except openai.AuthenticationError as error:
            assert error.code == "invalid_api_key", error
        else:
            raise AssertionError(f"the key {key!r} is taken")


async def queue():
    # One runs and one waits: further ones are told to come again.
    body = {"max_tokens": 60, "ignore_eos": True}
    async with openai.AsyncOpenAI(base_url=BASE, api_key="right", max_retries=0) as client:
        asked = [client.chat.completions.create(**FIELDS, extra_body=body) for _ in range(12)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
    full = [answer for answer in answers if isinstance(answer, openai.RateLimitError)]
    assert full and all(error.status_code == 429 and error.code == "overloaded" for error in full), answers
    assert all(int(error.response.headers["retry-after"]) >= 1 for error in full)
    assert len(full) < len(answers), "some were answered"
    async with openai.AsyncOpenAI(base_url=BASE, api_key="right", max_retries=30) as client:
        asked = [client.chat.completions.create(**FIELDS, extra_body=body) for _ in range(6)]
        answers = await asyncio.gather(*asked)
    assert all(answer.usage.completion_tokens == 60 for answer in answers), "all were answered after they came again"


if __name__ == "__main__":
    keys()
    asyncio.run(queue())
    print("openai errors: all as expected")
