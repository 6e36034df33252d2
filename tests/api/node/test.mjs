// The official Node client against a running server: ALLM_URL and ALLM_MODEL say which (tests/api/test_node.py starts it).
// ALLM_NODE_MODULES: the folder that holds the `openai` package.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(path.join(process.env.ALLM_NODE_MODULES, "x.js")));
const { default: OpenAI } = await import(pathToFileURL(require.resolve("openai")).href).then(
  (module) => (module.default?.default ? module.default : module));

const model = process.env.ALLM_MODEL;
const client = new OpenAI({ baseURL: process.env.ALLM_URL + "/v1", apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "Who are you?" }];

async function activeRequests() {
  const status = await (await fetch(process.env.ALLM_URL + "/status")).json();
  return status.active_requests;
}

test("models", async () => {
  const ids = [];
  for await (const item of client.models.list()) ids.push(item.id);
  assert.ok(ids.includes(model));
  assert.equal((await client.models.retrieve(model)).object, "model");
});

test("chat, whole and streamed, is the same", async () => {
  const common = { model, messages, temperature: 0, max_tokens: 24 };
  const whole = await client.chat.completions.create(common);
  assert.ok(whole.choices[0].message.content.length > 0);
  assert.equal(whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens);
  let text = "";
  let usage = null;
  const stream = await client.chat.completions.create(
    { ...common, stream: true, stream_options: { include_usage: true } });
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
});

test("the chat stream helper", async () => {
  const stream = client.chat.completions.stream({ model, messages, temperature: 0 });
  const final = await stream.finalChatCompletion();
  assert.ok(final.choices[0].message.content.length > 0);
});

test("a tool must be called, and its arguments are put together from a stream", async () => {
  const parameters = { type: "object", properties: { a: { type: "integer" } }, required: ["a"], additionalProperties: false };
  const common = { model, messages, tools: [{ type: "function", function: { name: "f", parameters } }], max_tokens: 600,
                   tool_choice: "required", parallel_tool_calls: false, temperature: 0 };
  const whole = await client.chat.completions.create(common);
  assert.equal(whole.choices[0].finish_reason, "tool_calls");
  const call = whole.choices[0].message.tool_calls[0].function;
  assert.ok(Number.isInteger(JSON.parse(call.arguments).a));
  const final = await client.chat.completions.stream(common).finalChatCompletion();
  assert.equal(final.choices[0].message.tool_calls[0].function.arguments, call.arguments);
});

test("structured output", async () => {
  const schema = { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"], additionalProperties: false };
  const answer = await client.chat.completions.parse(
    { model, messages, max_tokens: 200, response_format: { type: "json_schema", json_schema: { name: "x", schema, strict: true } } });
  assert.equal(typeof answer.choices[0].message.parsed.ok, "boolean");
});

test("completions", async () => {
  const answer = await client.completions.create({ model, prompt: ["Once", "upon"], n: 2, max_tokens: 4, logprobs: 1, echo: true });
  assert.deepEqual(answer.choices.map((choice) => choice.index), [0, 1, 2, 3]);
  assert.ok(answer.choices[2].text.startsWith("upon"));
  let text = "";
  const common = { model, prompt: "Once", max_tokens: 4, temperature: 0 };
  for await (const chunk of await client.completions.create({ ...common, stream: true })) text += chunk.choices[0]?.text ?? "";
  assert.equal(text, (await client.completions.create(common)).choices[0].text);
});

test("responses, whole and streamed, is the same", async () => {
  const common = { model, input: "Who are you?", temperature: 0, max_output_tokens: 24 };
  const whole = await client.responses.create(common);
  assert.ok(whole.output_text.length > 0);
  const types = [];
  let text = "";
  for await (const event of await client.responses.create({ ...common, stream: true })) {
    assert.equal(event.sequence_number, types.length);
    types.push(event.type);
    if (event.type === "response.output_text.delta") text += event.delta;
  }
  assert.equal(text, whole.output_text);
  assert.equal(types[0], "response.created");
  assert.match(types.at(-1), /^response\.(completed|incomplete)$/);
});

test("the responses stream helper", async () => {
  const stream = client.responses.stream({ model, input: "Hi", temperature: 0 });
  const final = await stream.finalResponse();
  assert.ok(final.output_text.length > 0);
});

test("errors", async () => {
  await assert.rejects(client.chat.completions.create({ model: "no/such", messages }),
                       (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found");
  await assert.rejects(client.chat.completions.create({ model, messages, temperature: "hot" }),
                       (error) => error instanceof OpenAI.BadRequestError && error.param === "temperature");
  await assert.rejects(client.responses.create({ model, input: "x", conversation: "conv_1" }),
                       (error) => error instanceof OpenAI.BadRequestError && error.param === "conversation");
  await assert.rejects(client.responses.create({ model, input: "word ".repeat(60_000) }),
                       (error) => error.code === "context_length_exceeded");
});

test("aborting a stream stops the work", async () => {
  const stream = await client.chat.completions.create(
    { model, messages, stream: true, max_tokens: 1500, ignore_eos: true });
  for await (const _ of stream) break; // leaves the loop: the client closes the connection
  stream.controller.abort();
  const end = Date.now() + 10_000;
  while ((await activeRequests()) > 0) assert.ok(Date.now() < end, "the work goes on after the client has left");
});
