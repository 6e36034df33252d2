// The official Node client's audio calls against the fake engine: ALLM_URL, and ALLM_SOUND, a file of 2.5 s
// (tests/api/test_node.py). ALLM_NODE_MODULES: the folder that holds the `openai` package.
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(path.join(process.env.ALLM_NODE_MODULES, "x.js")));
const { default: OpenAI, toFile } = await import(pathToFileURL(require.resolve("openai")).href).then(
  (module) => (module.default?.default ? module.default : module));

const client = new OpenAI({ baseURL: process.env.ALLM_URL + "/v1", apiKey: "none", maxRetries: 0 });
const model = "fake-whisper";
const sound = () => fs.createReadStream(process.env.ALLM_SOUND);

test("transcriptions in every format", async () => {
  const answer = await client.audio.transcriptions.create({ model, file: sound() });
  assert.equal(answer.text, "one two three");
  assert.deepEqual(answer.usage, { type: "duration", seconds: 3 });
  const verbose = await client.audio.transcriptions.create(
    { model, file: sound(), response_format: "verbose_json", timestamp_granularities: ["word", "segment"], temperature: 0.5, language: "en" });
  assert.equal(verbose.language, "english");
  assert.deepEqual(verbose.words.map((word) => word.word), ["one", "two", "three"]);
  assert.deepEqual(verbose.segments.map((segment) => segment.end), [1, 2, 2.5]);
  for (const response_format of ["text", "srt", "vtt"])
    assert.match(await client.audio.transcriptions.create({ model, file: sound(), response_format }), /three\n/);
});

test("a file from memory, and one with a name beyond ASCII", async () => {
  const bytes = fs.readFileSync(process.env.ALLM_SOUND);
  assert.equal((await client.audio.transcriptions.create({ model, file: await toFile(bytes, "ü \"x\".wav") })).text, "one two three");
});

test("a streamed transcription", async () => {
  const types = [];
  let text = "";
  for await (const event of await client.audio.transcriptions.create({ model, file: sound(), stream: true })) {
    types.push(event.type);
    text += event.delta ?? "";
  }
  assert.equal(text, "one two three");
  assert.deepEqual(types, [...Array(3).fill("transcript.text.delta"), "transcript.text.done"]);
});

test("translations", async () => {
  assert.equal((await client.audio.translations.create({ model, file: sound() })).text, "ONE TWO THREE");
});

test("speech", async () => {
  for (const [response_format, type] of [["mp3", "audio/mpeg"], ["wav", "audio/wav"], ["pcm", "audio/pcm"]]) {
    const answer = await client.audio.speech.create({ model: "fake-voice", voice: "alloy", input: "Hello", response_format });
    assert.equal(answer.headers.get("content-type"), type);
    assert.ok((await answer.arrayBuffer()).byteLength > 1000);
  }
  const heard = await client.audio.speech.create({ model: "fake-voice", voice: "low", input: "x".repeat(30), response_format: "wav" });
  const text = await client.audio.transcriptions.create({ model, file: await toFile(await heard.arrayBuffer(), "speech.wav") });
  assert.equal(text.text, "one two");
});

test("errors", async () => {
  await assert.rejects(client.audio.transcriptions.create({ model: "nobody", file: sound() }),
                       (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found");
  await assert.rejects(client.audio.transcriptions.create({ model, file: await toFile(Buffer.from("text"), "a.wav") }),
                       (error) => error instanceof OpenAI.BadRequestError && error.code === "unknown_media" && error.param === "file");
  await assert.rejects(client.audio.transcriptions.create({ model, file: sound(), chunking_strategy: { type: "server_vad" } }),
                       (error) => error.param === "chunking_strategy");
  await assert.rejects(client.audio.speech.create({ model: "fake-voice", voice: "nobody", input: "x" }),
                       (error) => error.code === "unknown_voice" && error.param === "voice");
});
