// Vercel's AI SDK, by its clients of compatible servers and of OpenAI. Usage: node ai.mjs http://127.0.0.1:8000
import assert from "node:assert/strict";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, isStepCount, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const baseURL = `${process.argv[2]}/v1`;
const name = (await (await fetch(`${baseURL}/models`)).json()).data[0].id;
const compatible = createOpenAICompatible({
  name: "jig",
  baseURL,
  apiKey: "x",
  supportsStructuredOutputs: true,
  includeUsage: true,
});
const openai = createOpenAI({ baseURL, apiKey: "x" });
const prompt = "The capital of Norway";
const Capital = z.object({
  city: z.string().max(20),
  continent: z.enum(["Africa", "America", "Asia", "Europe", "Oceania"]),
});
const weather = tool({
  description: "The weather of a city.",
  inputSchema: jsonSchema({
    type: "object",
    properties: { city: { enum: ["Oslo", "Rome"] } },
    required: ["city"],
    additionalProperties: false,
  }),
  execute: async ({ city }) => `sun in ${city}`,
});
const steps = stepCountIs ?? isStepCount;

async function text(model) {
  const answer = await generateText({ model, prompt, maxOutputTokens: 16 });
  assert.equal(typeof answer.text, "string");
  assert.ok(answer.usage.outputTokens > 0);
  assert.ok(["stop", "length"].includes(answer.finishReason));
}

async function stream(model) {
  const answer = streamText({ model, prompt, maxOutputTokens: 16 });
  let joined = "";
  for await (const part of answer.fullStream) {
    assert.notEqual(part.type, "error", JSON.stringify(part));
    if (part.type === "text-delta") joined += part.text;
  }
  assert.equal(joined, await answer.text);
}

async function object(model) {
  const answer = await generateText({ model, prompt, maxOutputTokens: 200, output: Output.object({ schema: Capital }) });
  Capital.parse(answer.output);
}

async function streamedObject(model) {
  const answer = streamText({ model, prompt, maxOutputTokens: 200, output: Output.object({ schema: Capital }) });
  let last;
  for await (const partial of answer.partialOutputStream) last = partial;
  Capital.parse(last);
}

async function tools(model) {
  const answer = await generateText({
    model,
    prompt,
    maxOutputTokens: 120,
    tools: { weather },
    toolChoice: "required",
    stopWhen: steps(2),
  });
  assert.ok(answer.steps[0].toolCalls.every((call) => ["Oslo", "Rome"].includes(call.input.city)));
  assert.ok(answer.steps[0].toolCalls.length > 0);
}

const models = { compatible: compatible(name), chat: openai.chat(name), responses: openai(name) };
for (const [kind, model] of Object.entries(models)) {
  for (const part of [text, stream, object, streamedObject, tools]) {
    try {
      await part(model);
    } catch (error) {
      console.error(`failed: ${part.name} by ${kind}`);
      throw error;
    }
  }
}
// Without structured outputs this client asks for any object, and checks it against the schema itself.
const loose = createOpenAICompatible({ name: "jig", baseURL, apiKey: "x", includeUsage: true })(name);
const answer = await generateText({ model: loose, prompt, maxOutputTokens: 60, output: Output.json() });
assert.equal(typeof answer.output, "object");
console.log("ai: all as expected");
