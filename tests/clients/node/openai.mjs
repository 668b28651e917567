// OpenAI's own client for Node. Usage: node openai.mjs http://127.0.0.1:8000
import assert from "node:assert/strict";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "x", maxRetries: 0 });
const model = (await client.models.list()).data[0].id;
const messages = [{ role: "user", content: "The capital of Norway" }];
const Capital = z.object({
  city: z.string().max(20),
  continent: z.enum(["Africa", "America", "Asia", "Europe", "Oceania"]),
});
const parameters = {
  type: "object",
  properties: { city: { enum: ["Oslo", "Rome"] } },
  required: ["city"],
  additionalProperties: false,
};
const tools = [{ type: "function", function: { name: "weather", description: "The weather of a city.", parameters } }];

async function plain() {
  const answer = await client.chat.completions.create({ model, messages, max_tokens: 12 });
  assert.equal(typeof answer.choices[0].message.content, "string");
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
}

async function stream() {
  const body = { model, messages, max_tokens: 16, seed: 1, n: 3 };
  const whole = await client.chat.completions.create(body);
  const runner = client.chat.completions.stream({ ...body, stream_options: { include_usage: true } });
  const final = await runner.finalChatCompletion();
  assert.deepEqual(
    final.choices.map((choice) => choice.message.content),
    whole.choices.map((choice) => choice.message.content),
  );
  assert.deepEqual(final.usage, whole.usage);
}

async function parse() {
  const response_format = zodResponseFormat(Capital, "capital");
  const answer = await client.chat.completions.parse({ model, messages, max_tokens: 200, response_format });
  Capital.parse(answer.choices[0].message.parsed);
}

async function calls() {
  for (const tool_choice of ["required", { type: "function", function: { name: "weather" } }]) {
    const body = { model, messages, max_tokens: 200, tools, tool_choice };
    const whole = await client.chat.completions.create(body);
    const streamed = await client.chat.completions.stream(body).finalChatCompletion();
    for (const answer of [whole, streamed]) {
      const written = answer.choices[0].message.tool_calls;
      assert.ok(written.length > 0);
      for (const call of written) assert.ok(["Oslo", "Rome"].includes(JSON.parse(call.function.arguments).city));
    }
  }
}

async function loop() {
  const asked = [];
  const runner = client.chat.completions.runTools(
    {
      model,
      messages,
      max_tokens: 120,
      // This client takes an answer that the limit cuts for an error.
      tool_choice: "required",
      parallel_tool_calls: false,
      tools: [
        {
          type: "function",
          function: {
            name: "weather",
            description: "The weather of a city.",
            parameters,
            parse: JSON.parse,
            function: ({ city }) => (asked.push(city), `sun in ${city}`),
          },
        },
      ],
    },
    { maxChatCompletions: 2 },
  );
  await runner.done();
  assert.ok(asked.every((city) => ["Oslo", "Rome"].includes(city)));
}

async function abort() {
  const answer = await client.chat.completions.create({ model, messages, max_tokens: 200, stream: true });
  for await (const chunk of answer) {
    assert.equal(chunk.object, "chat.completion.chunk");
    answer.controller.abort();
    break;
  }
}

for (const part of [plain, stream, parse, calls, loop, abort]) {
  try {
    await part();
  } catch (error) {
    console.error(`failed: ${part.name}`);
    throw error;
  }
}
console.log("openai for Node: all as expected");
