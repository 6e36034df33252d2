"""Bodies that are wrong: each is answered with 400 and the field's name, never with 500, and the server goes on."""
import json
import socket

import pytest

COMPLETIONS = {"model": "fake", "prompt": "hi", "max_tokens": 2}
MESSAGES = {"model": "fake", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}
CHAT = {"model": "fake", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}
RESPONSES = {"model": "fake", "input": "hi", "max_output_tokens": 2}

NUMBER, STRING, BOOL, LIST, OBJECT = 7.5, "text", True, [1], {"a": 1}
NOT_A_NUMBER = [STRING, BOOL, LIST, OBJECT, "1"]
NOT_AN_INTEGER = [*NOT_A_NUMBER, 1.5]
NOT_A_BOOL = [NUMBER, STRING, LIST, OBJECT, 0, 1, "true"]
NOT_A_STRING = [NUMBER, BOOL, LIST, OBJECT]
NOT_AN_OBJECT = [NUMBER, STRING, BOOL, LIST]
NOT_A_LIST = [NUMBER, STRING, BOOL, OBJECT]
ANYTHING = [NUMBER, STRING, BOOL, LIST, OBJECT]

REALS = ["temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty",
         "dry_multiplier", "dry_base", "xtc_probability", "xtc_threshold", "mirostat_tau", "mirostat_eta"]
INTEGERS = ["seed", "top_k", "repeat_last_n", "dry_allowed_length", "dry_penalty_last_n", "mirostat"]
CORE = {
    **{name: [*NOT_A_NUMBER, -1e300, 1e300] for name in REALS},
    **{name: [*NOT_AN_INTEGER, -1e300, 1e300] for name in INTEGERS},
    "model": [*NOT_A_STRING, "", "..", "../x", "/x", "a/../b", "a//b", "a\u0000b", "a\nb", "x" * 600],
    "stream": NOT_A_BOOL, "ignore_eos": NOT_A_BOOL,
    "logit_bias": [*NOT_AN_OBJECT, {"a": 1}, {"-1": 1}, {"1": "x"}, {"1": 101}, {"99999999999": 1}, {"": 1}],
    "lora": [*NOT_A_LIST, [1], [{}], [{"model": 1}], [{"model": "../x"}], [{"model": "x", "scale": "1"}],
             [{"model": "x", "scale": 1e300}], [{"model": "x", "extra": 1}], [{"model": "x"}] * 17],
    "grammar": [*NOT_A_STRING, "root ::= [", "no rule", "root ::= missing", "x" * 300_000],
    "moderation": ANYTHING, "prompt_cache_options": ANYTHING, "unknown_field": ANYTHING, "Temperature": ANYTHING,
}
SHARED = {
    **CORE,
    "parallel_tool_calls": NOT_A_BOOL,
    "stop": [NUMBER, BOOL, OBJECT, "", [""], [1], [None], [["x"]], ["x"] * 17, "x\u0000"],
    "metadata": [*NOT_AN_OBJECT, {"a": 1}, {"k" * 65: "v"}, {"k": "v" * 513}, {str(i): "v" for i in range(17)}],
    "stream_options": [*NOT_AN_OBJECT, {"x": 1}, {"include_usage": 1}],
    "chat_template_kwargs": [*NOT_AN_OBJECT, {"messages": []}, {"tools": []}],
    "reasoning_format": [*NOT_A_STRING, "x"],
    "user": NOT_A_STRING, "safety_identifier": NOT_A_STRING, "prompt_cache_key": NOT_A_STRING,
    "service_tier": [*NOT_A_STRING, "flex"], "tools": [*NOT_A_LIST, [1], [{}], [{"type": 1}], [{"type": "function"}]],
}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CALL = {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}


def image(url):
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


CHAT_FIELDS = {
    **SHARED,
    "messages": [*NOT_A_LIST, [], [None], [[]], [{}], [{"role": "user"}], [{"role": 1, "content": "x"}],
                 [{"role": "user", "content": None}], [{"role": "user", "content": 1}],
                 [{"role": "user", "content": [1]}], [{"role": "user", "content": [{}]}],
                 [{"role": "user", "content": [{"type": 1}]}], [{"role": "user", "content": [{"type": "text"}]}],
                 [{"role": "user", "content": [{"type": "text", "text": 1}]}],
                 image("x"), image("data:image/png;base64,iVBORw0K"), image("https://example.com/a.png"), image(1),
                 [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}],
                 [{"role": "user", "content": "x", "extra": 1}], [{"role": "god", "content": "x"}],
                 [{"role": "user", "content": "x", "name": 1}],
                 [{"role": "assistant", "content": "x", "tool_calls": 1}],
                 [{"role": "assistant", "content": "x", "tool_calls": [1]}],
                 [{"role": "assistant", "content": "x", "tool_calls": [{"function": {"name": 1}}]}],
                 [{"role": "assistant"}], [{"role": "tool", "content": "x", "tool_call_id": 1}]],
    "max_tokens": [*NOT_AN_INTEGER, 0, -1, 1e300], "max_completion_tokens": [*NOT_AN_INTEGER, 0, -1, 3],
    "n": [*NOT_AN_INTEGER, 0, 129],
    "response_format": [*NOT_AN_OBJECT, {}, {"type": 1}, {"type": "x"}, {"type": "json_schema"},
                        {"type": "json_schema", "json_schema": {"name": "x"}},
                        {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "nothing"}}},
                        {"type": "json_schema", "json_schema": {"name": "x", "schema": {"minimum": "x"}}}],
    "functions": [*NOT_A_LIST, [1]], "tool_choice": [NUMBER, BOOL, LIST, "x", OBJECT, "required", TOOL],
    "function_call": [*NOT_A_STRING, "x"], "modalities": [*NOT_A_LIST, [1], ["audio"]], "logprobs": NOT_A_BOOL,
    "top_logprobs": [*NOT_AN_INTEGER, 3, -1, 21], "store": [*NOT_A_BOOL, True],
    "audio": ANYTHING, "prediction": ANYTHING, "web_search_options": ANYTHING,
    "reasoning_effort": [*NOT_A_STRING, "x"], "verbosity": [*NOT_A_STRING, "low"],
}
RESPONSES_FIELDS = {
    **SHARED,
    "input": [NUMBER, BOOL, OBJECT, [], [1], [None], [{}], [{"role": "user"}], [{"role": "user", "content": 1}],
              [{"role": "tool", "content": "x"}], [{"type": 1, "role": "user", "content": "x"}],
              [{"type": "function_call"}], [{"role": "user", "content": [{"type": "input_file"}]}],
              [{"role": "user", "content": "x", "extra": 1}]],
    "instructions": NOT_A_STRING, "max_output_tokens": [*NOT_AN_INTEGER, 0, -1], "max_tool_calls": [*NOT_AN_INTEGER, 0],
    "truncation": [*NOT_A_STRING, "x"], "text": [*NOT_AN_OBJECT, {"format": 1}, {"format": {}}, {"verbosity": 1}],
    "reasoning": [*NOT_AN_OBJECT, {"effort": 1}, {"effort": "x"}], "include": [*NOT_A_LIST, [1], ["x"]],
    "tool_choice": [NUMBER, BOOL, LIST, "required", OBJECT], "background": NOT_A_BOOL, "store": NOT_A_BOOL,
    "top_logprobs": [*NOT_AN_INTEGER, -1, 21], "previous_response_id": NOT_A_STRING,
    "conversation": ANYTHING, "prompt": ANYTHING,
}
COMPLETIONS_FIELDS = {
    **CORE,
    "stop": SHARED["stop"], "stream_options": SHARED["stream_options"],
    "prompt": [NUMBER, BOOL, OBJECT, [], [[]], [1.5], [-1], [1, "a"], ["a", 1], ["a", None], [{}], [[1], [2.5]], [2**31],
               ["a"] * 129],
    "suffix": NOT_A_STRING, "max_tokens": [*NOT_AN_INTEGER, 0, -1, 1e300], "n": [*NOT_AN_INTEGER, 0, 129],
    "best_of": [*NOT_AN_INTEGER, 0, 21], "logprobs": [*NOT_AN_INTEGER, -1, 6], "echo": NOT_A_BOOL,
    "metadata": ANYTHING, "chat_template_kwargs": ANYTHING, "tools": ANYTHING, "messages": ANYTHING, "user": NOT_A_STRING,
}
MESSAGES_FIELDS = {
    **CORE,
    "temperature": [*NOT_A_NUMBER, -0.1, 1.1],
    "messages": [*NOT_A_LIST, [], [None], [{}], [{"role": "user"}], [{"role": "tool", "content": "x"}],
                 [{"role": "user", "content": 1}], [{"role": "user", "content": [1]}],
                 [{"role": "user", "content": [{"type": "text"}]}], [{"role": "user", "content": "x", "extra": 1}],
                 [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://x/y"}}]}],
                 [{"role": "user", "content": [{"type": "image", "source": {
                     "type": "base64", "media_type": "image/png", "data": "iVBORw0K"}}]}],
                 [{"role": "user", "content": [{"type": "tool_result"}]}],
                 [{"role": "user", "content": "x"}, {"role": "assistant", "content": "x"}],
                 [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": "c"}]},
                  {"role": "user", "content": "x"}]],
    "max_tokens": [*NOT_AN_INTEGER, 0, -1, 1e300], "system": [NUMBER, BOOL, OBJECT, [1], [{"type": "image"}]],
    "stop_sequences": [*NOT_A_LIST, [1], [""], ["x"] * 17], "metadata": [*NOT_AN_OBJECT, {"user_id": 1}],
    "tools": [*NOT_A_LIST, [{"name": "f"}], [{"input_schema": {}}], [TOOL["function"]]],
    "tool_choice": [*NOT_AN_OBJECT, {"type": "x"}, {"type": "any"}, {"type": "tool"}, "auto"],
    "thinking": [*NOT_AN_OBJECT, {"type": "x"}, {"type": "enabled"}, {"type": "enabled", "budget_tokens": 1}],
    "output_config": [*NOT_AN_OBJECT, {"effort": "x"}, {"format": {"type": "json_object"}}],
    "service_tier": [*NOT_A_STRING, "flex"], "container": ANYTHING, "mcp_servers": [*NOT_A_LIST, [1]],
    "stop": ANYTHING, "stream_options": ANYTHING, "n": ANYTHING, "response_format": ANYTHING,
}
REQUIRED = {"/v1/chat/completions": ["model", "messages"], "/v1/responses": ["model", "input"],
            "/v1/completions": ["model", "prompt"], "/v1/messages": ["model", "messages", "max_tokens"]}
CORE_UNKNOWN = {"unknown_field", "Temperature"}  # whatever their value, null included
UNKNOWN = {"/v1/completions": ["tools", "messages"], "/v1/messages": ["n", "response_format"]}
ENDPOINTS = [("/v1/chat/completions", CHAT, CHAT_FIELDS), ("/v1/responses", RESPONSES, RESPONSES_FIELDS),
             ("/v1/completions", COMPLETIONS, COMPLETIONS_FIELDS), ("/v1/messages", MESSAGES, MESSAGES_FIELDS)]


@pytest.mark.parametrize("path,good,fields", ENDPOINTS, ids=[path for path, _, _ in ENDPOINTS])
def test_each_wrong_field_is_named(fake, path, good, fields):
    assert fake.post(path, good)[0] == 200
    n_sent = 0
    for field, values in fields.items():
        for value in values:
            status, _, body = fake.post(path, {**good, field: value})
            where = (field, value, status, body)
            assert status == 400, where
            error = body["error"]
            assert error["param"] is not None and error["message"] and error["code"], where
            # The path begins with the field: "messages[0].role", "metadata.a".
            rest = error["param"].removeprefix(field)
            assert error["param"].startswith(field) and (rest == "" or rest[0] in ".["), where
            assert error["type"] == "invalid_request_error", where
            n_sent += 1
    assert n_sent > 180
    assert fake.post(path, good)[0] == 200


@pytest.mark.parametrize("path,good,fields", ENDPOINTS, ids=[path for path, _, _ in ENDPOINTS])
def test_null_means_absent(fake, path, good, fields):
    nulls = {field: None for field in fields if field not in UNKNOWN.get(path, ()) and field not in CORE_UNKNOWN}
    status, _, body = fake.post(path, {**nulls, **good})
    assert status == 200, body
    for field in REQUIRED[path]:
        status, _, body = fake.post(path, {**good, field: None})
        assert status == 400 and body["error"]["param"] == field


NOT_JSON = [b"", b"{", b"}", b"nul", b"{\"a\":}", b"{'a':1}", b"[1,]", b"{\"a\":1,}", b"\xff\xfe{}", b"{\"a\":\"\xc3\x28\"}",
            b"{} {}", b"{\"model\":\"a\",\"model\":\"b\"}", b"[" * 100_000, b"{\"a\":" * 100_000, b"1" * 100_000,
            b"{\"temperature\":NaN}", b"{\"temperature\":1e999}", b"{\"a\":\"\\ud800\"}", b"[]", b"7", b"\"x\"", b"null"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/completions", "/v1/messages",
                                  "/v1/messages/count_tokens", "/load", "/unload"])
def test_bodies_that_are_no_object(fake, path):
    for body in NOT_JSON:
        status, _, answer = fake.request("POST", path, body)
        limit = 413 if path in ("/load", "/unload") and len(body) > 65_536 else 400
        assert status == limit, (body[:40], status, answer)
        assert answer["error"]["message"]


def test_only_json_is_read(fake):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        status, _, answer = fake.request("POST", "/v1/chat/completions", CHAT, {"Content-Type": kind})
        assert status == 415 and answer["error"]["code"] == "unsupported_media_type"
    for kind in ("application/json; charset=utf-8", "APPLICATION/JSON"):
        assert fake.request("POST", "/v1/chat/completions", CHAT, {"Content-Type": kind})[0] == 200


def test_too_large(fake):
    status, _, answer = fake.request("POST", "/v1/chat/completions", b" " * (17 << 20))
    assert status == 413 and answer["error"]["message"]
    big = {**CHAT, "messages": [{"role": "user", "content": "x" * (15 << 20)}]}
    status, _, answer = fake.post("/v1/chat/completions", big)
    assert status == 400 and answer["error"]["code"] == "context_length_exceeded"


def test_a_body_cut_short(fake):
    text = json.dumps(CHAT).encode()
    for cut in (0, 1, len(text) // 2, len(text) - 1):
        with socket.create_connection(("127.0.0.1", fake.port), timeout=10) as raw:
            raw.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                        b"Content-Length: %d\r\n\r\n" % len(text) + text[:cut])
            raw.shutdown(socket.SHUT_WR)
            answer = raw.recv(65_536)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:80]
    assert fake.post("/v1/chat/completions", CHAT)[0] == 200


def test_deep_but_legal(fake):
    deep = 1
    for _ in range(100):
        deep = {"a": deep}
    status, _, body = fake.post("/v1/chat/completions", {**CHAT, "chat_template_kwargs": deep})
    assert status == 200, body
    for _ in range(100):
        deep = [deep]
    assert fake.post("/v1/chat/completions", {**CHAT, "chat_template_kwargs": {"a": deep}})[0] == 400
