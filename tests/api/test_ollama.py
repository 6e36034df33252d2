"""Ollama's API, by hand and (where it is installed) through Ollama's own Python client."""
import http.client
import json
import re

import pytest

from api_server import running

HELLO = [{"role": "user", "content": "Who are you?"}]
GREEDY = {"temperature": 0, "num_predict": 24}


def lines(server, path, body):
    """A streamed answer's lines."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200 and answer.headers["content-type"] == "application/x-ndjson", answer.read()
    out = [json.loads(line) for line in answer.read().decode().splitlines()]
    connection.close()
    return out


def test_chat_streams_unless_told_otherwise(server):
    body = {"model": server.model, "messages": HELLO, "options": GREEDY}
    parts = lines(server, "/api/chat", body)
    assert all(not p["done"] for p in parts[:-1]) and parts[-1]["done"] and parts[-1]["done_reason"] in ("stop", "length")
    assert all(p["model"] == server.model and p["message"]["role"] == "assistant" for p in parts)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", parts[0]["created_at"])
    status, _, whole = server.post("/api/chat", body | {"stream": False})
    assert status == 200
    assert "".join(p["message"]["content"] for p in parts) == whole["message"]["content"]
    assert whole["eval_count"] == parts[-1]["eval_count"] > 0 and whole["prompt_eval_count"] > 0
    assert whole["total_duration"] >= whole["eval_duration"] >= 0


def test_names_may_have_the_latest_tag(fake):
    assert fake.post("/api/chat", {"model": "fake:latest", "messages": HELLO, "stream": False})[2]["model"] == "fake"


def test_generate_applies_the_template_unless_raw(fake):
    body = {"model": "fake", "prompt": "Hi", "stream": False, "options": GREEDY}
    chat = fake.post("/api/generate", body)[2]
    raw = fake.post("/api/generate", body | {"raw": True})[2]
    assert chat["prompt_eval_count"] > raw["prompt_eval_count"] == 2
    with_system = fake.post("/api/generate", body | {"system": "Be brief."})[2]
    assert with_system["prompt_eval_count"] > chat["prompt_eval_count"]
    parts = lines(fake, "/api/generate", {k: v for k, v in body.items() if k != "stream"})
    assert "".join(p["response"] for p in parts) == chat["response"]


def test_a_tool_call_and_thinking(fake):
    script = '@say{<think>Let me look.</think><tool_call>\n{"name": "f", "arguments": {"x": [1, "a"]}}\n</tool_call>}yas@'
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {}}}}}]
    body = {"model": "fake", "messages": [{"role": "user", "content": script}], "tools": tools}
    whole = fake.post("/api/chat", body | {"stream": False})[2]["message"]
    assert whole["thinking"].strip() == "Let me look."
    assert whole["tool_calls"][0]["function"] == {"name": "f", "arguments": {"x": [1, "a"]}}
    parts = [p["message"] for p in lines(fake, "/api/chat", body)]
    assert [c["function"] for p in parts for c in p.get("tool_calls", [])] == [whole["tool_calls"][0]["function"]]
    follow = body["messages"] + [{"role": "assistant", "content": "", "thinking": "x", "tool_calls": [
        {"function": {"name": "f", "arguments": {"x": 1}}}]}, {"role": "tool", "tool_name": "f", "content": "42"}]
    assert fake.post("/api/chat", {"model": "fake", "messages": follow, "stream": False})[0] == 200


def test_format_holds_the_answer(server):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
    answer = server.post("/api/chat", {"model": server.model, "messages": HELLO, "format": schema, "stream": False,
                                       "options": {"temperature": 0}})[2]
    assert isinstance(json.loads(answer["message"]["content"])["n"], int)
    answer = server.post("/api/chat", {"model": server.model, "messages": HELLO, "format": "json", "stream": False,
                                       "options": {"temperature": 0, "num_predict": 400}})[2]
    if answer["done_reason"] == "stop":
        assert isinstance(json.loads(answer["message"]["content"]), dict)


def test_an_empty_prompt_loads_and_keep_alive_0_unloads():
    with running("fake") as server:
        assert server.request("GET", "/api/ps")[2] == {"models": []}
        assert server.post("/api/generate", {"model": "fake"})[2]["done_reason"] == "load"
        assert [m["model"] for m in server.request("GET", "/api/ps")[2]["models"]] == ["fake"]
        assert server.post("/api/chat", {"model": "fake", "messages": [], "keep_alive": 0})[2]["done_reason"] == "unload"
        assert server.request("GET", "/api/ps")[2] == {"models": []}


def test_tags_and_show(server):
    models = {m["name"]: m for m in server.request("GET", "/api/tags")[2]["models"]}
    assert server.model in models and "broken" not in models
    shown = server.post("/api/show", {"model": server.model})[2]
    assert "completion" in shown["capabilities"] and shown["details"]["format"]
    assert server.request("GET", "/api/version")[2]["version"]


def test_embed(fake):
    answer = fake.post("/api/embed", {"model": "fake-embed", "input": ["a", "b"]})[2]
    assert len(answer["embeddings"]) == 2 and answer["prompt_eval_count"] > 0
    same = fake.post("/v1/embeddings", {"model": "fake-embed", "input": "a"})[2]["data"][0]["embedding"]
    assert answer["embeddings"][0] == pytest.approx(same, abs=1e-6)


@pytest.mark.parametrize("path, body, status", [
    ("/api/chat", {"model": "nobody", "messages": HELLO}, 404),
    ("/api/chat", {"messages": HELLO}, 400),
    ("/api/chat", {"model": "fake", "messages": [{"role": "user", "content": "a", "images": ["AAAA"]}]}, 400),
    ("/api/chat", {"model": "fake", "messages": HELLO, "options": {"num_gpu": 1}}, 400),
    ("/api/chat", {"model": "fake", "messages": HELLO, "options": {"num_ctx": 10**9}}, 400),
    ("/api/chat", {"model": "fake", "messages": HELLO, "colour": 1}, 400),
    ("/api/chat", {"model": "fake", "messages": HELLO, "think": "a lot"}, 400),
    ("/api/chat", {"model": "fake", "messages": HELLO, "keep_alive": "soon"}, 400),
    ("/api/chat", {"model": "fake", "messages": HELLO, "format": "xml"}, 400),
    ("/api/chat", {"model": "fake", "messages": HELLO, "top_logprobs": 3}, 400),
    ("/api/chat", {"model": "fake", "messages": HELLO, "options": {"seed": "seven"}}, 400),
    ("/api/generate", {"model": "fake", "prompt": "a", "context": [1]}, 400),
    ("/api/show", {"model": "nobody"}, 404),
    ("/api/embed", {"model": "fake-embed"}, 400),
])
def test_errors_are_a_message(fake, path, body, status):
    got, _, answer = fake.post(path, body)
    assert got == status and isinstance(answer["error"], str) and answer["error"], answer


def test_ollamas_own_client(server):
    ollama = pytest.importorskip("ollama")
    client = ollama.Client(host=server.url)
    assert server.model in [m.model for m in client.list().models]
    answer = client.chat(model=server.model, messages=HELLO, options=GREEDY)
    assert answer.done and answer.message.content
    streamed = list(client.chat(model=server.model, messages=HELLO, options=GREEDY, stream=True))
    assert "".join(p.message.content for p in streamed) == answer.message.content
    assert client.generate(model=server.model, prompt="Who are you?", options=GREEDY).response == answer.message.content
    assert server.model in [m.model for m in client.ps().models]
    assert client.show(server.model).details.format
    with pytest.raises(ollama.ResponseError) as caught:
        client.chat(model="nobody", messages=HELLO)
    assert caught.value.status_code == 404
    if server.kind == "fake":
        assert len(client.embed(model="fake-embed", input=["a", "b", "c"]).embeddings) == 3
