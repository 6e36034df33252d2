// Stored responses and the WebSocket, by OpenAI's Node client and by Node's own WebSocket.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const require = createRequire(process.env.ALLM_NODE_MODULES + "/");
const { default: OpenAI } = require(process.env.ALLM_NODE_MODULES + "/openai");
const url = process.env.ALLM_URL;
const model = process.env.ALLM_MODEL;
const client = new OpenAI({ baseURL: url + "/v1", apiKey: "none", maxRetries: 0 });
const common = { model, input: "Hi", temperature: 0, max_output_tokens: 12 };

test("made, read, continued, listed, deleted", async () => {
  const made = await client.responses.create(common);
  const read = await client.responses.retrieve(made.id);
  assert.equal(read.output_text, made.output_text);
  const next = await client.responses.create({ ...common, input: "Again", previous_response_id: made.id });
  assert.equal(next.previous_response_id, made.id);
  assert.ok(next.usage.input_tokens > made.usage.input_tokens);
  const items = await client.responses.inputItems.list(next.id);
  assert.equal(items.data[0].content[0].text, "Again");
  await client.responses.delete(made.id);
  await assert.rejects(client.responses.retrieve(made.id), { status: 404 });
  await assert.rejects(client.responses.create({ ...common, previous_response_id: made.id }),
    { status: 404, code: "previous_response_not_found" });
});

test("in the background, streamed and read again", async () => {
  const stream = await client.responses.create({ ...common, background: true, stream: true });
  const events = [];
  for await (const event of stream) events.push(event);
  assert.deepEqual(events.slice(0, 3).map((event) => event.type),
    ["response.created", "response.queued", "response.in_progress"]);
  const id = events[0].response.id;
  const again = [];
  for await (const event of await client.responses.retrieve(id, { stream: true, starting_after: 2 })) again.push(event);
  assert.deepEqual(again, events.slice(3));
});

test("counted and compacted", async () => {
  const counted = await client.responses.inputTokens.count({ model, input: "Hi" });
  assert.ok(counted.input_tokens > 0);
  const compacted = await client.responses.compact({ model, input: "Hi" });
  const made = await client.responses.create({ ...common, input: [...compacted.output, { role: "user", content: "Go on" }] });
  assert.ok(made.usage.input_tokens > counted.input_tokens);
});

test("a WebSocket of Node's own", async () => {
  const socket = new WebSocket(url.replace("http", "ws") + "/v1/responses");
  const events = [];
  const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
  await new Promise((resolve, reject) => {
    socket.addEventListener("error", reject);
    socket.addEventListener("open", () => socket.send(JSON.stringify({ type: "response.create", ...common })));
    socket.addEventListener("message", ({ data }) => {
      events.push(JSON.parse(data));
      if (["response.completed", "response.incomplete", "error"].includes(events.at(-1).type)) resolve();
    });
  });
  assert.equal(events[0].type, "response.created");
  assert.notEqual(events.at(-1).type, "error");
  assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, i) => i));
  socket.close(1000, "done");
  const { code, wasClean } = await closed;
  assert.equal(code, 1000);
  assert.ok(wasClean);
});
