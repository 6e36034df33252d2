"""Models, health, status, load and unload, keys."""
import openai
import pytest

from api_server import running, wait_until


def test_models(server):
    models = server.client.models.list().data
    assert server.model in [model.id for model in models]
    model = server.client.models.retrieve(server.model)
    assert model.object == "model" and model.id == server.model and model.created > 0 and model.owned_by
    assert "chat" in model.capabilities and model.context_length > 0


def test_a_name_with_a_slash(fake):
    assert fake.client.models.retrieve("org/fake").owned_by == "org"
    assert fake.request("GET", "/v1/models/org%2Ffake")[2]["id"] == "org/fake"


def test_unknown_and_evil_names(server):
    with pytest.raises(openai.NotFoundError) as error:
        server.client.models.retrieve("no-such-model")
    assert error.value.code == "model_not_found"
    for name in ("..%2f..%2fetc%2fpasswd", "%2e%2e/x", "a//b", "a%00b"):
        status, _, body = server.request("GET", "/v1/models/" + name)
        assert status in (400, 404), (name, status)
        assert "passwd" not in body["error"]["message"] or "etc/" not in body["error"]["message"]


def test_what_cannot_run_is_left_out_and_status_says_why(fake):
    assert "broken" not in [model.id for model in fake.client.models.list().data]
    problem = next(m for m in fake.status()["models"] if m["id"] == "broken")["problem"]
    assert problem["code"] == "MODEL_CORRUPT" and problem["message"] == "broken.gguf ends after 7 bytes"
    status, _, body = fake.request("GET", "/v1/models/broken")
    assert status == 422 and body["error"]["code"] == "model_corrupt"


def test_health(server):
    for path in ("/health", "/health/live"):
        assert server.request("GET", path)[::2] == (200, {"status": "ok"})
    assert server.request("GET", "/health/ready")[::2] == (200, {"status": "ready"})


def test_status(server):
    status = server.status()
    assert status["version"] and status["uptime_s"] > 0 and status["machine"]["cores"] >= 1
    assert 0 < status["machine"]["available_bytes"] <= status["machine"]["memory_bytes"]
    assert status["connections"]["open"] >= 1 and status["state"] == "ready"
    assert {"id", "state", "running", "waiting", "problem", "memory_bytes", "audio_seconds"} <= set(status["models"][0])


def test_load_and_unload(server):
    def state():
        return next(m for m in server.status()["models"] if m["id"] == server.model)["state"]

    status, _, body = server.post("/load", {"model": server.model})
    assert status == 200 and body["state"] == "ready" and state() == "ready"
    status, _, body = server.post("/unload", {"model": server.model})
    assert status == 200 and body["state"] == "unloaded" and state() == "unloaded"
    assert server.client.chat.completions.create(model=server.model, max_tokens=1,
                                                 messages=[{"role": "user", "content": "x"}]).choices
    assert state() == "ready"
    for path in ("/load", "/unload"):
        assert server.post(path, {"model": "no/such"})[0] == 404
        assert server.post(path, {})[2]["error"]["param"] == "model"
        assert server.post(path, {"model": server.model, "x": 1})[2]["error"]["code"] == "unknown_parameter"


def test_no_such_path_and_wrong_method(server):
    status, _, body = server.request("GET", "/v1/nothing")
    assert status == 404 and body["error"]["message"]
    status, headers, body = server.request("GET", "/v1/chat/completions")
    assert status == 405 and "POST" in headers["allow"] and body["error"]["message"]


def test_a_key_guards_everything_but_health():
    with running("fake", "--api-key", "secret-key", key="secret-key") as guarded:
        assert guarded.client.models.list().data
        stranger = guarded.client.with_options(api_key="secret-kez")
        with pytest.raises(openai.AuthenticationError) as error:
            stranger.models.list()
        assert error.value.code == "invalid_api_key"
        body = {"model": "fake", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
        for method, path in [("GET", "/v1/models"), ("GET", "/v1/models/fake"), ("GET", "/status"), ("POST", "/load"),
                             ("POST", "/unload"), ("POST", "/v1/chat/completions"), ("POST", "/v1/responses"),
                             ("GET", "/nowhere")]:
            status, headers, answer = guarded.request(method, path, body if method == "POST" else None)
            if path == "/nowhere":
                assert status in (401, 404)
                continue
            assert status == 401 and headers["www-authenticate"].startswith("Bearer"), (method, path, status)
            assert answer["error"]["code"] == "missing_api_key"
        assert guarded.request("GET", "/health")[0] == 200
        assert guarded.request("POST", "/v1/chat/completions", body, {"x-api-key": "secret-key"})[0] == 200
        assert "secret-key" not in str(guarded.request("GET", "/status", None, {"x-api-key": "secret-key"}))


def test_a_running_stream_outlives_the_order_to_end():
    """A stream that is open when the server is told to end goes on to its end."""
    with running("fake", "--decode-ms", "20") as slow:
        stream = slow.client.chat.completions.create(model="fake", stream=True, max_tokens=30,
                                                     messages=[{"role": "user", "content": "x"}],
                                                     extra_body={"ignore_eos": True})
        next(stream)
        slow.process.terminate()
        chunks = list(stream)
        assert chunks[-1].choices[0].finish_reason == "length"
