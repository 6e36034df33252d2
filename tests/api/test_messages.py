"""Anthropic's Messages over plain HTTP, held against the documented shapes; their client is in node/anthropic.mjs."""
import http.client
import json

from api_server import running, wait_until

HELLO = [{"role": "user", "content": "Who are you?"}]
USAGE = {"input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens", "output_tokens_details",
         "server_tool_use"}
MESSAGE = {"id", "type", "role", "model", "container", "content", "stop_reason", "stop_sequence", "stop_details", "usage"}


def ask(server, **more):
    return {"model": server.model, "messages": HELLO, "max_tokens": 12, **more}


def events_of(server, body):
    """[(event, data)] of a stream, whose framing is checked."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("POST", "/v1/messages", json.dumps({**body, "stream": True}),
                           {"Content-Type": "application/json", "anthropic-version": "2023-06-01"})
        answer = connection.getresponse()
        assert answer.status == 200 and answer.headers["content-type"] == "text/event-stream"
        text = answer.read().decode()
    finally:
        connection.close()
    assert text.endswith("\n\n")
    events = []
    for block in text[:-2].split("\n\n"):
        first, second = block.split("\n")
        assert first.startswith("event: ") and second.startswith("data: ")
        data = json.loads(second[6:])
        assert data["type"] == first[7:]
        events.append(data)
    return events


def test_whole(server):
    status, headers, body = server.post("/v1/messages", ask(server))
    assert status == 200 and headers["request-id"] == headers["x-request-id"]
    assert set(body) == MESSAGE and body["type"] == "message" and body["role"] == "assistant"
    assert set(body["usage"]) == USAGE | {"cache_creation", "service_tier", "inference_geo"}
    assert body["stop_reason"] in ("end_turn", "max_tokens") and body["stop_sequence"] is None
    block, = body["content"]
    assert set(block) == {"type", "text", "citations"} and block["text"]
    assert 1 <= body["usage"]["output_tokens"] <= 12


def test_stream(server):
    whole = server.post("/v1/messages", ask(server, temperature=0))[2]
    events = events_of(server, ask(server, temperature=0))
    start = events[0]["message"]
    assert set(start) == MESSAGE and start["content"] == [] and start["stop_reason"] is None
    assert start["usage"]["output_tokens"] == 0 and start["usage"]["input_tokens"] > 0
    assert [event["type"] for event in events[:2]] == ["message_start", "content_block_start"]
    assert events[1] == {"type": "content_block_start", "index": 0,
                         "content_block": {"type": "text", "text": "", "citations": None}}
    deltas = events[2:-3]
    assert all(set(event) == {"type", "index", "delta"} and set(event["delta"]) == {"type", "text"} for event in deltas)
    assert "".join(event["delta"]["text"] for event in deltas) == whole["content"][0]["text"]
    assert events[-3] == {"type": "content_block_stop", "index": 0}
    assert events[-2]["delta"]["stop_reason"] == whole["stop_reason"] and set(events[-2]["usage"]) == USAGE
    assert events[-2]["usage"]["output_tokens"] == whole["usage"]["output_tokens"]
    assert events[-1] == {"type": "message_stop"}


def test_a_streamed_call(server):
    add = {"name": "add", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"],
                                           "additionalProperties": False}}
    body = ask(server, max_tokens=400, tools=[add], temperature=0,
               tool_choice={"type": "tool", "name": "add", "disable_parallel_tool_use": True})
    whole = server.post("/v1/messages", body)[2]
    assert whole["stop_reason"] == "tool_use"
    call = whole["content"][-1]
    assert set(call) == {"type", "id", "name", "input"} and call["id"].startswith("toolu_")
    events = events_of(server, body)
    opened = next(event for event in events if event["type"] == "content_block_start"
                  and event["content_block"]["type"] == "tool_use")
    assert opened["content_block"]["input"] == {}
    pieces = [event["delta"]["partial_json"] for event in events if event["type"] == "content_block_delta"
              and event["delta"]["type"] == "input_json_delta"]
    assert json.loads("".join(pieces)) == call["input"]


def test_errors(server):
    no_model = {"model": "no/such", "messages": HELLO}
    long = ask(server, messages=[{"role": "user", "content": "word " * 60_000}])
    for path, body, status, kind in [("/v1/messages", {**no_model, "max_tokens": 1}, 404, "not_found_error"),
                                     ("/v1/messages/count_tokens", no_model, 404, "not_found_error"),
                                     ("/v1/messages", {"model": server.model, "messages": HELLO}, 400,
                                      "invalid_request_error"),
                                     ("/v1/messages", long, 400, "invalid_request_error"),
                                     ("/v1/messages", [], 400, "invalid_request_error")]:
        got, headers, answer = server.post(path, body)
        assert got == status and set(answer) == {"type", "error", "request_id"} and answer["type"] == "error"
        assert answer["error"]["type"] == kind and answer["request_id"] == headers["request-id"]


def test_the_key():
    with running("fake", "--api-key", "secret") as locked:
        for headers, status in [({}, 401), ({"x-api-key": "wrong"}, 401), ({"x-api-key": "secret"}, 200),
                                ({"Authorization": "Bearer secret"}, 200)]:
            got, _, answer = locked.request("POST", "/v1/messages", ask(locked), headers)
            assert got == status, answer
            if status == 401:
                assert answer["type"] == "error" and answer["error"]["type"] == "authentication_error"


def test_conversations_of_every_block(server):
    history = [
        {"role": "user", "content": [{"type": "text", "text": "Add 1 and 2.", "cache_control": {"type": "ephemeral"}}]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "I should add.", "signature": "x"}, {"type": "text", "text": "I add."},
            {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1, "b": 2}},
            {"type": "tool_use", "id": "toolu_2", "name": "add", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "3"}]},
            {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": True, "content": "nothing to add"},
            {"type": "text", "text": "Well?"}]},
        {"role": "user", "content": "Say it."}]
    status, _, body = server.post("/v1/messages", ask(server, messages=history))
    assert status == 200, body
    counted = server.post("/v1/messages/count_tokens", {"model": server.model, "messages": history})[2]["input_tokens"]
    assert counted == body["usage"]["input_tokens"] + body["usage"]["cache_read_input_tokens"]


def test_leaving_stops_the_work():
    with running("fake", "--decode-ms", "20") as slow:
        connection = http.client.HTTPConnection("127.0.0.1", slow.port, timeout=60)
        connection.request("POST", "/v1/messages", json.dumps(ask(slow, max_tokens=3000, stream=True, ignore_eos=True)),
                           {"Content-Type": "application/json"})
        connection.getresponse().read(20)
        connection.close()
        wait_until(lambda: slow.status()["active_requests"] == 0, 5, "the work goes on after the client has left")
