"""Random requests with tools, sent by the `openai` client; every answer is checked by `jsonschema`, which knows nothing of Jig.

Usage: python3 tool_stress.py http://127.0.0.1:8000 [--count 10000] [--schemas maskbench-dev.jsonl.gz] [--seed 0]

Each request has 1 to 60 tools whose parameters are random schemas, a random tool_choice, streamed or not, with max_tokens from tight to none.
Of every answer it holds that

- each call names a tool that was allowed, and its arguments are JSON that is valid under the tool's schema;
- there are calls where they are required, none where they are forbidden, one where more are forbidden or a tool is named;
- finish_reason is `length`, or `stop` for a named tool, or `tool_calls` with and `stop` without calls;
- what a stream brings, put together, is the answer that the same request gets as a whole.

A request may be refused for a schema that has no guide or an answer that does not fit; the codes are counted. Everything else is a failure.
"""

import argparse
import asyncio
import collections
import gzip
import json
import random
import re
import sys

import jsonschema
import openai

REFUSALS = {"invalid_json_schema", "context_length_exceeded", "invalid_value", "unsatisfiable"}
TRIGGER = "<tool_call>"
# Formats whose meaning the validator shares with their documents; its dates, for one, begin with the year 1.
FORMATS = jsonschema.FormatChecker(formats=("ipv4", "ipv6", "uuid"))

# What is used where no file of schemas is given.
SCHEMAS = [
    {},
    {"type": "object", "properties": {}},
    {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}}, "required": ["city"]},
    {"type": "object", "properties": {"unit": {"enum": ["km", "mi"]}, "on": {"type": "boolean"}, "note": {"type": ["string", "null"]}}},
    {
        "$defs": {"Point": {"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number"}}, "required": ["x", "y"]}},
        "type": "object",
        "properties": {"path": {"type": "array", "items": {"$ref": "#/$defs/Point"}, "maxItems": 3}},
        "required": ["path"],
    },
    {
        "$defs": {"Point": {"type": "string", "pattern": "^[A-Z]{3}$"}},
        "type": "object",
        "properties": {"at": {"$ref": "#/$defs/Point"}, "id": {"type": "string", "format": "uuid"}},
        "required": ["at", "id"],
    },
    {
        "type": "object",
        "properties": {"filter": {"anyOf": [{"type": "string", "maxLength": 8}, {"type": "integer"}, {"type": "null"}]}},
        "required": ["filter"],
    },
    {"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 3},
    {"type": "object", "properties": {"n": {"type": "integer", "multipleOf": 7, "minimum": 3, "maximum": 80}}, "required": ["n"]},
    {"type": "object", "properties": {"tags": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True}}, "required": ["tags"]},
]


def read_schemas(path):
    schemas = []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            schema = json.loads(line)["schema"]
            text = json.dumps(schema)
            if isinstance(schema, dict) and schema.get("type") == "object" and len(text) < 20_000 and '"http' not in text.replace('"$schema": "http', ""):
                schemas.append(schema)
    return schemas


def without(schema, pointers):
    """The schema without the keywords that the server says it left out."""
    schema = json.loads(json.dumps(schema))
    for pointer in pointers:
        *parents, last = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
        value = schema
        for step in parents:
            value = value[int(step)] if isinstance(value, list) else value[step]
        value.pop(last, None)
    return schema


def of_ecma(pattern):
    """A pattern of JSON Schema in Python's dialect: `$` is the end alone, and no end of a line is a `.`."""
    meanings = {"$": r"\Z", ".": r"[^\n\r\u2028\u2029]"}
    parts, in_class = [], False
    for part in re.findall(r"\\.|.", pattern, re.DOTALL):
        parts.append(part if in_class else meanings.get(part, part))
        in_class = part == "[" or in_class and part != "]"
    return "".join(parts)


def of_python(schema):
    """The schema with its patterns in the dialect of the validator."""
    if isinstance(schema, list):
        return [of_python(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    other = {}
    for name, value in schema.items():
        if name == "pattern" and isinstance(value, str):
            other[name] = of_ecma(value)
        elif name == "patternProperties" and isinstance(value, dict):
            other[name] = {of_ecma(pattern): of_python(entry) for pattern, entry in value.items()}
        else:
            other[name] = of_python(value)
    return other


def is_valid(schema, value):
    """Whether a value is valid; `None` where the validator can't tell."""
    schema = of_python(schema)
    validator = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    try:
        return next(validator(schema, format_checker=FORMATS).iter_errors(value), None) is None
    except Exception:  # noqa: BLE001 - patterns of another dialect, references that lead nowhere
        return None


class Stress:
    def __init__(self, options):
        self.random = random.Random(options.seed)
        self.client = openai.AsyncOpenAI(base_url=f"{options.address}/v1", api_key="x", timeout=600, max_retries=5)
        self.schemas = read_schemas(options.schemas) if options.schemas else SCHEMAS
        self.counts = collections.Counter()
        self.failures = []

    def request(self):
        pick = self.random
        count = pick.choice([1, 1, 2, 3, 5, 10, 30, 60])
        names = [f"{pick.choice(['get', 'set', 'find', 'ns.do', 'mcp/run', 'Run-It'])}_{number}" for number in range(count)]
        tools = []
        for name in names:
            function = {"name": name, "description": pick.choice(["", "Does \"it\".", "Grüße 🙂"]), "parameters": pick.choice(self.schemas)}
            if pick.random() < 0.2:
                function["strict"] = False
            tools.append({"type": "function", "function": function})
        some = pick.sample(names, pick.randint(1, count))
        entries = [{"type": "function", "function": {"name": name}} for name in some]
        choices = {
            "none": "none",
            "auto": "auto",
            "absent": None,
            "required": "required",
            "named": entries[0],
            "allowed_auto": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": entries}},
            "allowed_required": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": entries}},
        }
        mode = pick.choice(list(choices))
        body = {
            "model": "",
            "messages": [{"role": "user", "content": pick.choice(["Hello", "Use the tools.", "What is the weather in Wyk?"])}],
            "tools": tools,
            "temperature": 2,
            "seed": pick.randrange(1 << 30),
            "n": pick.choice([1, 1, 1, 2]),
        }
        if choices[mode] is not None:
            body["tool_choice"] = choices[mode]
        if pick.random() < 0.5:
            body["parallel_tool_calls"] = pick.random() < 0.5
        most = pick.choice([pick.randint(8, 60), pick.randint(60, 200), 400, None])
        if most is not None:
            body["max_tokens"] = most
        if pick.random() < 0.1:
            body["response_format"] = {"type": "json_object"}
        if mode in ("auto", "absent", "allowed_auto") and pick.random() < 0.5:
            # A model that has not learned to call calls where it may not write anything else.
            body["response_format"] = {"type": "json_object"}
            body["logit_bias"] = {self.first: 100}
        allowed = {"none": [], "named": some[:1], "allowed_auto": some, "allowed_required": some}.get(mode, names)
        return mode, body, allowed, pick.random() < 0.5

    async def one(self, number, semaphore):
        async with semaphore:
            mode, body, allowed, streamed = self.request_of[number]
            try:
                raw = await self.client.chat.completions.with_raw_response.create(**body)
            except openai.BadRequestError as error:
                code = (error.body or {}).get("code")
                self.counts[f"refused: {code}"] += 1
                if code not in REFUSALS:
                    self.fail(number, f"refused: {error}")
                return
            except openai.APIError as error:
                self.fail(number, f"{type(error).__name__}: {error}")
                return
            relaxed = [name.strip() for name in raw.headers.get("x-jig-relaxed", "").split(",") if name.strip()]
            answer = raw.parse()
            messages = [self.plain(choice) for choice in answer.choices]
            for message in messages:
                self.check(number, mode, body, allowed, relaxed, message)
            if streamed:
                self.counts["streamed"] += 1
                if (other := await self.streamed(number, body)) != messages:
                    self.fail(number, f"the stream differs: {other} and {messages}")

    @staticmethod
    def plain(choice):
        calls = [(call.function.name, call.function.arguments) for call in choice.message.tool_calls or []]
        return {"content": choice.message.content or "", "calls": calls, "finish": choice.finish_reason}

    async def streamed(self, number, body):
        messages = [{"content": "", "calls": [], "finish": None} for _ in range(body["n"])]
        ids = set()
        async for chunk in await self.client.chat.completions.create(**body, stream=True):
            for choice in chunk.choices:
                message = messages[choice.index]
                delta = choice.delta
                if delta.content and delta.tool_calls:
                    self.fail(number, "content and calls in one chunk")
                message["content"] += delta.content or ""
                for call in delta.tool_calls or []:
                    if call.index == len(message["calls"]):
                        if call.id in ids or call.type != "function" or not call.function.name or call.function.arguments != "":
                            self.fail(number, f"a call begins with {call}")
                        ids.add(call.id)
                        message["calls"].append((call.function.name, ""))
                    elif call.index != len(message["calls"]) - 1 or call.id or call.function.name:
                        self.fail(number, f"a call goes on with {call}")
                    else:
                        name, arguments = message["calls"][call.index]
                        message["calls"][call.index] = (name, arguments + (call.function.arguments or ""))
                if choice.finish_reason:
                    if message["finish"]:
                        self.fail(number, "a choice ends twice")
                    message["finish"] = choice.finish_reason
        return messages

    def check(self, number, mode, body, allowed, relaxed, message):
        calls, finish = message["calls"], message["finish"]
        self.counts[f"{mode}: {'calls' if calls else 'text'}, {finish}"] += 1
        self.counts["calls"] += len(calls)
        expected = "stop" if mode == "named" or not calls else "tool_calls"
        if finish not in ("length", expected):
            self.fail(number, f"{mode}: finish_reason {finish} with {len(calls)} calls")
        least = 1 if mode in ("required", "named", "allowed_required") else 0
        most = {"none": 0, "named": 1}.get(mode, 1 if body.get("parallel_tool_calls") is False else 10**9)
        if not least <= len(calls) <= most:
            self.fail(number, f"{mode}: {len(calls)} calls")
        if TRIGGER in message["content"]:
            self.fail(number, f"a call in the content: {message['content']!r}")
        for name, arguments in calls:
            if name not in allowed:
                self.fail(number, f"a call of {name}")
                continue
            at = next(index for index, tool in enumerate(body["tools"]) if tool["function"]["name"] == name)
            prefix = f"tools[{at}].function.parameters"
            pointers = [place.removeprefix(prefix) for place in relaxed if place.startswith(prefix)]
            schema = without(body["tools"][at]["function"]["parameters"], pointers)
            try:
                value = json.loads(arguments)
            except ValueError as error:
                self.fail(number, f"arguments that are no JSON ({error}): {arguments!r}")
                continue
            valid = is_valid(schema, value)
            self.counts["valid" if valid else "the validator can't tell"] += 1
            if valid is False:
                self.fail(number, f"arguments that are not valid: {arguments!r} under {json.dumps(schema)[:2000]}")

    def fail(self, number, why):
        self.failures.append((number, why))
        print(f"request {number}: {why[:1500]}", file=sys.stderr, flush=True)

    async def run(self, count, concurrency):
        tokens = await self.client.post("/tokenize", body={"prompt": TRIGGER[0], "add_special_tokens": False}, cast_to=object)
        self.first = str(tokens["tokens"][-1])
        # All are drawn first, so that a number names the same request whatever the order of the answers.
        self.request_of = [self.request() for _ in range(count)]
        semaphore = asyncio.Semaphore(concurrency)
        await asyncio.gather(*(self.one(number, semaphore) for number in range(count)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--schemas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--concurrency", type=int, default=16)
    options = parser.parse_args()
    stress = Stress(options)
    asyncio.run(stress.run(options.count, options.concurrency))
    for name, count in sorted(stress.counts.items()):
        print(f"{count:7} {name}")
    print(f"{options.count} requests, {len(stress.failures)} failures")
    sys.exit(1 if stress.failures else 0)


if __name__ == "__main__":
    main()
