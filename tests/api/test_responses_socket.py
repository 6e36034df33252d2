"""/v1/responses on a WebSocket, through an independent client (websockets) and the official one on top of it."""
import json
import ssl
import subprocess
import tempfile

import openai
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from api_server import running, wait_until


@pytest.fixture
def socket(server):
    with connect(server.url.replace("http", "ws") + "/v1/responses") as opened:
        opened.model = server.model
        yield opened


def ask(socket, text="Hi", **fields):
    socket.send(json.dumps({"type": "response.create", "model": socket.model, "input": text, "max_output_tokens": 8,
                            "temperature": 0, **fields}))


def events(socket):
    """All events of one response, or the one error."""
    seen = []
    while not seen or seen[-1]["type"] not in ("response.completed", "response.incomplete", "response.failed", "error"):
        seen.append(json.loads(socket.recv(timeout=60)))
    return seen


def test_the_same_events_as_in_a_stream(server, socket):
    ask(socket)
    seen = events(socket)
    stream = list(server.client.responses.create(model=server.model, input="Hi", max_output_tokens=8, temperature=0,
                                                 stream=True))
    assert [event["type"] for event in seen] == [event.type for event in stream]
    assert [event["sequence_number"] for event in seen] == list(range(len(seen)))
    assert seen[-1]["response"]["output"][0]["content"] == [
        part.model_dump() for part in stream[-1].response.output[0].content]
    stored = server.client.responses.retrieve(seen[-1]["response"]["id"])
    assert stored.output_text == stream[-1].response.output_text


def test_a_conversation_that_is_not_stored(server, socket):
    ask(socket, "My name is Ada.", store=False)
    first = events(socket)[-1]["response"]
    ask(socket, "Who am I?", store=False, previous_response_id=first["id"])
    second = events(socket)[-1]["response"]
    assert first["store"] is False and second["previous_response_id"] == first["id"]
    ask(socket, "And now?", store=False, previous_response_id=second["id"])
    third = events(socket)[-1]["response"]
    assert third["usage"]["input_tokens"] > second["usage"]["input_tokens"] > first["usage"]["input_tokens"]
    with connect(server.url.replace("http", "ws") + "/v1/responses") as other:
        other.model = server.model
        ask(other, "Who am I?", previous_response_id=first["id"])
        error, = events(other)
        assert error["status"] == 404 and error["error"]["code"] == "previous_response_not_found"
        assert error["error"]["param"] == "previous_response_id"
        ask(other)  # an error ends the turn, not the connection
        assert events(other)[-1]["response"]["status"] in ("completed", "incomplete")


def test_what_http_has_stored_goes_on_here(server, socket):
    made = server.client.responses.create(model=server.model, input="Hi", max_output_tokens=4)
    ask(socket, "more", previous_response_id=made.id)
    assert events(socket)[-1]["response"]["previous_response_id"] == made.id


def test_preparing_without_an_answer(socket):
    ask(socket, "Remember this: xyzzy.", generate=False)
    prepared = events(socket)[-1]
    assert prepared["type"] == "response.completed" and prepared["response"]["output"] == []
    ask(socket, "What?", previous_response_id=prepared["response"]["id"])
    with_it = events(socket)[-1]["response"]["usage"]["input_tokens"]
    ask(socket, "What?")
    assert with_it > events(socket)[-1]["response"]["usage"]["input_tokens"]


@pytest.mark.parametrize("message, code, param", [
    ("no json", "invalid_request", None),
    ("[]", "invalid_request", None),
    ({"type": "response.steer"}, "invalid_request", "type"),
    ({"type": "response.create", "input": "x"}, "missing_required_parameter", "model"),
    ({"type": "response.create", "model": "no/such", "input": "x"}, "model_not_found", "model"),
    ({"type": "response.create", "model": "m", "input": "x", "stream": False}, "unsupported_parameter", "stream"),
    ({"type": "response.create", "model": "m", "input": "x", "background": True}, "unsupported_parameter",
     "background"),
    ({"type": "response.create", "model": "m", "input": "x", "stream_id": "1"}, "unsupported_parameter", "stream_id"),
])
def test_errors_are_events(socket, message, code, param):
    socket.send(message if isinstance(message, str) else json.dumps(message))
    error, = events(socket)
    assert error["type"] == "error" and error["error"]["code"] == code and error["error"]["param"] == param
    ask(socket)
    assert events(socket)[-1]["type"] in ("response.completed", "response.incomplete")


def test_one_at_a_time():
    with running("fake", "--decode-ms", "20") as slow, connect(slow.url.replace("http", "ws") + "/v1/responses") as socket:
        socket.model = "fake"
        ask(socket, ignore_eos=True, max_output_tokens=30)
        ask(socket)
        seen = events(socket)
        while seen[-1]["type"] == "error":
            assert seen[-1]["error"]["code"] == "response_already_in_flight" and seen[-1]["status"] == 400
            seen += events(socket)
        assert seen[-1]["response"]["usage"]["output_tokens"] == 30
        assert [event["type"] for event in seen].count("error") == 1


def test_leaving_ends_the_work():
    with running("fake", "--decode-ms", "20") as slow:
        with connect(slow.url.replace("http", "ws") + "/v1/responses") as socket:
            socket.model = "fake"
            ask(socket, ignore_eos=True, max_output_tokens=3000)
            socket.recv(timeout=10)
        wait_until(lambda: slow.status()["active_requests"] == 0, 5, "the work goes on after the client has left")


def test_the_key_and_the_origin():
    with running("fake", "--api-key", "secret", key="secret") as server:
        url = server.url.replace("http", "ws") + "/v1/responses"
        with pytest.raises(InvalidStatus) as error:
            connect(url)
        assert error.value.response.status_code == 401
        with pytest.raises(InvalidStatus) as error:
            connect(url, origin="http://evil.example", additional_headers={"Authorization": "Bearer secret"})
        assert error.value.response.status_code == 403
        with connect(url, additional_headers={"Authorization": "Bearer secret"}) as socket:
            socket.model = "fake"
            ask(socket)
            assert events(socket)[-1]["type"] in ("response.completed", "response.incomplete")
        with server.client.responses.connect() as connection:
            connection.response.create(model="fake", input="Hi", max_output_tokens=4)
            assert any(event.type in ("response.completed", "response.incomplete") for event in take(connection))
    status, _, _ = plain_get()
    assert status == 426


def plain_get():
    with running("fake") as server:
        return server.request("GET", "/v1/responses")


def take(connection):
    """The official client's events up to the last one."""
    for event in connection:
        yield event
        if event.type in ("response.completed", "response.incomplete", "response.failed", "error"):
            return


def test_the_official_client(server):
    with server.client.responses.connect() as connection:
        connection.response.create(model=server.model, input="My name is Ada.", store=False, max_output_tokens=8)
        *_, first = take(connection)
        connection.response.create(model=server.model, input="Who am I?", store=False, max_output_tokens=8,
                                   previous_response_id=first.response.id)
        seen = list(take(connection))
        assert seen[0].type == "response.created" and seen[-1].response.previous_response_id == first.response.id
        assert seen[-1].response.usage.output_tokens > 0
        connection.response.create(model=server.model, input="x", previous_response_id="resp_none")
        *_, error = take(connection)
        assert error.type == "error" and error.error.code == "previous_response_not_found"


def test_going_down_closes_with_1001():
    with running("fake", "--decode-ms", "20") as server:
        with connect(server.url.replace("http", "ws") + "/v1/responses") as idle, \
                connect(server.url.replace("http", "ws") + "/v1/responses") as busy:
            busy.model = "fake"
            ask(busy, ignore_eos=True, max_output_tokens=20)
            busy.recv(timeout=10)
            server.process.terminate()
            with pytest.raises(ConnectionClosed) as closed:
                idle.recv(timeout=10)
            assert closed.value.rcvd.code == 1001
            assert events(busy)[-1]["response"]["usage"]["output_tokens"] == 20  # what runs may end
            with pytest.raises(ConnectionClosed) as closed:
                busy.recv(timeout=10)
            assert closed.value.rcvd.code == 1001


def test_large_messages_and_limits(fake):
    with connect(fake.url.replace("http", "ws") + "/v1/responses", max_size=None) as socket:
        socket.model = "fake"
        ask(socket, "long " * 200)
        assert events(socket)[-1]["type"] in ("response.completed", "response.incomplete")
        text = json.dumps({"type": "response.create", "model": "fake", "input": "piece by piece",
                           "max_output_tokens": 4})
        socket.send(text[i:i + 7] for i in range(0, len(text), 7))
        assert events(socket)[-1]["type"] in ("response.completed", "response.incomplete")
        socket.send("x" * (17 << 20))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
        assert closed.value.rcvd.code == 1009


def test_tls():
    with tempfile.TemporaryDirectory() as directory:
        key, certificate = directory + "/key.pem", directory + "/cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True,
                       capture_output=True)
        context = ssl.create_default_context(cafile=certificate)
        with running("fake", "--tls-cert", certificate, "--tls-key", key) as server:
            with connect(f"wss://127.0.0.1:{server.port}/v1/responses", ssl=context) as socket:
                socket.model = "fake"
                for _ in range(3):
                    ask(socket, "long " * 300, max_output_tokens=40)
                    assert events(socket)[-1]["type"] in ("response.completed", "response.incomplete")
