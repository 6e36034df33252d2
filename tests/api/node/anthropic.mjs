// Anthropic's Node client against a running server: ALLM_URL and ALLM_MODEL say which, ALLM_TAUGHT whether the model was
// taught to use tools and to think (tests/api/test_node.py starts it). ALLM_NODE_MODULES: the folder that holds the package.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(path.join(process.env.ALLM_NODE_MODULES, "x.js")));
const { default: Anthropic } = await import(pathToFileURL(require.resolve("@anthropic-ai/sdk")).href).then(
  (module) => (module.default?.default ? module.default : module));

const model = process.env.ALLM_MODEL;
const taught = process.env.ALLM_TAUGHT === "1";
const client = new Anthropic({ baseURL: process.env.ALLM_URL, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "Who are you?" }];
const sum = [{ role: "user", content: "What is 2 plus 3?" }];
const add = { name: "add", description: "Adds two numbers.",
              input_schema: { type: "object", properties: { a: { type: "integer" }, b: { type: "integer" } },
                              required: ["a", "b"], additionalProperties: false } };

function textOf(message) {
  return message.content.filter((block) => block.type === "text").map((block) => block.text).join("");
}

test("messages, whole and streamed, is the same", async () => {
  const common = { model, messages, temperature: 0, max_tokens: 24, system: [{ type: "text", text: "Be brief." }] };
  const whole = await client.messages.create(common);
  assert.equal(whole.type, "message");
  assert.ok(whole.id.startsWith("msg_") && whole._request_id.startsWith("req_"));
  assert.ok(textOf(whole).length > 0);
  let text = "";
  const stream = client.messages.stream(common).on("text", (delta) => (text += delta));
  const final = await stream.finalMessage();
  assert.equal(text, textOf(whole));
  assert.deepEqual(final.content.map((block) => block.type), whole.content.map((block) => block.type));
  assert.equal(final.stop_reason, whole.stop_reason);
  assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
  assert.equal(final.usage.input_tokens + final.usage.cache_read_input_tokens,
               whole.usage.input_tokens + whole.usage.cache_read_input_tokens);
});

test("events come in their order", async () => {
  const types = [];
  for await (const event of await client.messages.create({ model, messages, max_tokens: 4, stream: true })) types.push(event.type);
  assert.equal(types[0], "message_start");
  assert.deepEqual(types.slice(-2), ["message_delta", "message_stop"]);
  assert.match(types.slice(1, -2).join(" "), /^(content_block_start( content_block_delta)* content_block_stop ?)*$/);
});

test("tokens are counted as they are used", async () => {
  const counted = await client.messages.countTokens({ model, messages, tools: [add], system: "Be brief." });
  const { usage } = await client.messages.create({ model, messages, tools: [add], system: "Be brief.", max_tokens: 1 });
  assert.equal(counted.input_tokens, usage.input_tokens + usage.cache_read_input_tokens);
});

test("a stop sequence", async () => {
  const common = { model, messages, temperature: 0, max_tokens: 24 };
  const text = textOf(await client.messages.create(common));
  const cut = await client.messages.create({ ...common, stop_sequences: [text.slice(3, 5)] });
  assert.equal(textOf(cut), text.slice(0, text.indexOf(text.slice(3, 5))));
  assert.equal(cut.stop_reason, "stop_sequence");
  assert.equal(cut.stop_sequence, text.slice(3, 5));
  assert.equal((await client.messages.create({ ...common, max_tokens: 2 })).stop_reason, "max_tokens");
});

test("a tool must be called", async () => {
  for (const tool_choice of [{ type: "any" }, { type: "tool", name: "add" }]) {
    const common = { model, messages: sum, tools: [add], max_tokens: 600, temperature: 0,
                     tool_choice: { ...tool_choice, disable_parallel_tool_use: true } };
    const whole = await client.messages.create(common);
    assert.equal(whole.stop_reason, "tool_use");
    const call = whole.content.at(-1);
    assert.equal(call.type, "tool_use");
    assert.ok(Number.isInteger(call.input.a) && Number.isInteger(call.input.b));
    const streamed = (await client.messages.stream(common).finalMessage()).content.at(-1);
    assert.deepEqual(streamed.input, call.input); // put together from pieces of JSON
  }
});

test("a tool, its result, and the answer", { skip: !taught }, async () => {
  for (const ask of [(body) => client.messages.create(body), (body) => client.messages.stream(body).finalMessage()]) {
    const common = { model, tools: [add], max_tokens: 120, temperature: 0 };
    const called = await ask({ ...common, messages: sum });
    const call = called.content.find((block) => block.type === "tool_use");
    assert.deepEqual(call.input, { a: 2, b: 3 });
    const answer = await ask({ ...common, messages: [
      ...sum, { role: "assistant", content: called.content },
      { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "5" }] }] });
    assert.equal(answer.stop_reason, "end_turn");
    assert.match(textOf(answer), /5/);
  }
});

test("thinking", { skip: !taught }, async () => {
  const common = { model, messages: [{ role: "user", content: "What is 2 + 3?" }], max_tokens: 1200, temperature: 0 };
  const thinking = { type: "enabled", budget_tokens: 1024 };
  const whole = await client.messages.create({ ...common, thinking });
  assert.equal(whole.content[0].type, "thinking");
  assert.ok(whole.content[0].thinking.length > 0 && whole.content[0].signature.length > 0);
  const streamed = await client.messages.stream({ ...common, thinking }).finalMessage();
  assert.equal(streamed.content[0].thinking, whole.content[0].thinking);
  assert.ok(streamed.content[0].signature.length > 0);
  const again = await client.messages.create({ ...common, thinking, messages: [
    ...common.messages, { role: "assistant", content: whole.content }, { role: "user", content: "Who are you?" }] });
  assert.ok(textOf(again).length > 0);
  assert.ok((await client.messages.create(common)).content.every((block) => block.type !== "thinking"));
});

test("errors", async () => {
  await assert.rejects(client.messages.create({ model: "no/such", messages, max_tokens: 1 }),
                       (error) => error instanceof Anthropic.NotFoundError && error.error.error.type === "not_found_error");
  await assert.rejects(client.messages.create({ model, messages, max_tokens: 1, temperature: 7 }),
                       (error) => error instanceof Anthropic.BadRequestError && error.error.error.param === "temperature");
  const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" } };
  await assert.rejects(client.messages.create({ model, max_tokens: 1, messages: [{ role: "user", content: [image] }] }),
                       (error) => error instanceof Anthropic.BadRequestError && /no vision/.test(error.message));
  await assert.rejects(client.messages.create({ model, max_tokens: 1, messages: [{ role: "user", content: "word ".repeat(60_000) }] }),
                       (error) => error.error.error.code === "context_length_exceeded");
});
