"""docs/openapi.json held against the server: it is up to date, every parameter in it is read and no other one is, and
what the server answers is what it says."""
import json
import pathlib
import subprocess

import pytest

from audio_kit import form, send, wav

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = json.loads((ROOT / "docs" / "openapi.json").read_text())
BODIES = [(path, *next(iter(operation["requestBody"]["content"].items())))
          for path, methods in DOCUMENT["paths"].items() for operation in methods.values() if "requestBody" in operation]
REQUESTS = [(path, body["schema"]) for path, kind, body in BODIES if kind == "application/json"]
FORMS = [(path, body["schema"]) for path, kind, body in BODIES if kind == "multipart/form-data"]
HELLO = [{"role": "user", "content": "Hi"}]
CALLS = [
    ("POST", "/v1/chat/completions", {"messages": HELLO, "max_tokens": 4, "logprobs": True, "top_logprobs": 1}),
    ("POST", "/v1/responses", {"input": "Hi", "max_output_tokens": 4}),
    ("POST", "/v1/responses/input_tokens", {"input": "Hi"}),
    ("POST", "/v1/responses/compact", {"input": "Hi"}),
    ("POST", "/v1/completions", {"prompt": "Hi", "max_tokens": 4}),
    ("POST", "/v1/messages", {"messages": HELLO, "max_tokens": 4}),
    ("POST", "/v1/messages/count_tokens", {"messages": HELLO}),
    ("POST", "/v1/embeddings", {"model": "fake-embed", "input": ["a", "b"]}),
    ("POST", "/v1/rerank", {"model": "fake-rerank", "query": "a", "documents": ["a", "b"], "return_documents": True}),
    ("POST", "/tokenize", {"content": "Hi"}), ("POST", "/tokenize", {"content": "é", "with_pieces": True}),
    ("POST", "/detokenize", {"tokens": [72, 105]}), ("POST", "/apply-template", {"messages": HELLO}),
    ("POST", "/api/chat", {"messages": HELLO, "stream": False, "options": {"num_predict": 4}}),
    ("POST", "/api/generate", {"prompt": "Hi", "stream": False, "options": {"num_predict": 4}}),
    ("POST", "/api/embed", {"model": "fake-embed", "input": "a"}), ("POST", "/api/show", {}),
    ("GET", "/api/tags", None), ("GET", "/api/ps", None), ("GET", "/api/version", None), ("GET", "/v1/models", None),
    ("GET", "/health", None), ("GET", "/health/live", None), ("GET", "/health/ready", None), ("GET", "/status", None), ("GET", "/openapi.json", None),
    ("POST", "/load", {}), ("GET", "/v1/audio/voices", None),
]


def test_the_document_is_up_to_date():
    subprocess.run(["/usr/bin/python3", ROOT / "tools" / "openapi.py", "--check"], check=True)


@pytest.mark.parametrize("path, schema", REQUESTS, ids=[path for path, _ in REQUESTS])
def test_parameters_are_known_and_no_others(fake, path, schema):
    """null means absent, but of a name that is unknown the server says so."""
    assert len(schema["properties"]) >= 1
    body = json.dumps({**dict.fromkeys(schema["properties"]), "model": "nobody"})
    assert "nknown parameter" not in body and "nknown parameter" not in json.dumps(fake.post(path, json.loads(body))[2])
    for stranger in ("colour", "Model", "max_tokenz"):
        answer = json.dumps(fake.post(path, {"model": "fake", stranger: None})[2])
        assert f"Unknown parameter: '{stranger}'" in answer, answer


@pytest.mark.parametrize("path, schema", FORMS, ids=[path for path, _ in FORMS])
def test_fields_of_forms_are_known_and_no_others(fake, path, schema):
    """A field that is known, but has such a value, is told to be wrong, or the model is."""
    assert "file" in schema["properties"] and len(schema["properties"]) > 5
    for name in schema["properties"]:
        body = send(fake, form((name, "no such value"), ("model", "nobody")) if name != "model" else form((name, "nobody")), path)[2]
        assert b"nknown parameter" not in body, (name, body)
    for stranger in ("colour", "Model", "temperature_", "prompt[x][y]"):
        assert f"Unknown parameter: '{stranger}'".encode() in send(fake, form((stranger, "x")), path)[2]


@pytest.mark.parametrize("path", [path for path, _ in FORMS])
def test_transcriptions_are_as_described(fake, path):
    jsonschema = pytest.importorskip("jsonschema")
    described = DOCUMENT["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    for name in ("json", "verbose_json"):
        status, _, body = send(fake, form(("model", "fake-whisper"), ("file", wav(1.5), "a.wav"), ("response_format", name)), path)
        assert status == 200, body
        jsonschema.Draft202012Validator({**described, "components": DOCUMENT["components"]}).validate(json.loads(body))


@pytest.mark.parametrize("method, path, body", CALLS, ids=[f"{method} {path}" for method, path, _ in CALLS])
def test_answers_are_as_described(fake, method, path, body):
    jsonschema = pytest.importorskip("jsonschema")
    status, _, answer = fake.request(method, path, {"model": "fake", **body} if body is not None else None)
    assert status == 200, answer
    described = DOCUMENT["paths"][path][method.lower()]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator({**described, "components": DOCUMENT["components"]}).validate(answer)


def test_every_endpoint_has_been_asked():
    asked = {(method.lower(), path) for method, path, _ in CALLS}
    told = {(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods if "{" not in path}
    asked |= {("post", path) for path, _ in FORMS} | {("post", "/v1/audio/speech")}  # above, and in test_audio_speech.py
    assert told - asked == {("post", "/unload")}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/chat", "/v1/messages"])
def test_errors_are_as_described(fake, path):
    jsonschema = pytest.importorskip("jsonschema")
    status, _, answer = fake.post(path, {"model": "nobody", "messages": HELLO, "max_tokens": 3, "stream": False}
                                  if path != "/api/chat" else {"model": "nobody", "messages": HELLO})
    assert status == 404
    described = DOCUMENT["paths"][path]["post"]["responses"]["default"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator({**described, "components": DOCUMENT["components"]}).validate(answer)
