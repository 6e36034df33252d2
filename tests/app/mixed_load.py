#!/usr/bin/python3
"""Every endpoint at once on one server, with clients that leave, models that go and workers that are renewed:
mixed_load.py [--kind allm|fake] [--seconds S] [--clients N] [--seed N]

Nothing may crash, hang, answer 500 or leave a request unanswered; what runs afterwards is nothing, the database is whole
and the memory of unloaded models is back. With a sanitizer's build (ALLM_BUILD) its reports end the server with an error.
"""
import argparse
import collections
import contextlib
import http.client
import io
import json
import os
import pathlib
import random
import re
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import wave

from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("ALLM_BUILD", ROOT / "build"))
COMMANDS = {"allm": [BUILD / "allm", "serve", "--port", "0", "--log-level", "warn"],
            "fake": [BUILD / "tests" / "api" / "fake_server"]}
CHAT = {"allm": ["tiny-assistant", "tiny-assistant-gguf"], "fake": ["fake", "org/fake"]}
EMBED = {"allm": CHAT["allm"], "fake": ["fake-embed"]}
VOICE = {"allm": "espeak", "fake": "fake-voice"}
LISTENER = {"allm": "tiny-whisper", "fake": "fake-whisper"}
PATIENCE_S = 120

QUESTIONS = ["Who are you?", "What is 2 plus 3?", "Tell me a story.", "Name the months.", "Hello!"]
SCHEMA = {"type": "object", "additionalProperties": False, "required": ["name", "n"], "properties": {
    "name": {"type": "string", "maxLength": 8}, "n": {"type": "integer", "minimum": 0, "maximum": 999}}}
ADD = {"name": "add", "parameters": {"type": "object", "additionalProperties": False, "required": ["a", "b"], "properties": {
    "a": {"type": "integer"}, "b": {"type": "integer"}}}}


class Server:
    """kind: what serves. port, home: where. Statuses that are no success are listed by whoever asks."""

    def __init__(self, kind, process, home, port):
        self.kind, self.process, self.home, self.port = kind, process, home, port

    def open(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        return connection, connection.getresponse()

    def ask(self, method, path, body=None, also=()):
        connection, answer = self.open(method, path, body)
        with contextlib.closing(connection):
            text = answer.read()
        if answer.status != 200 and answer.status not in also:
            raise AssertionError(f"{method} {path}: {answer.status} {text[:300]!r} to {json.dumps(body)[:300]}")
        return answer.status, json.loads(text)

    def worker_pids(self):
        if self.kind == "fake":
            return [self.process.pid]
        return [int(p) for p in pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]

    def pss_mb(self):
        total = 0
        for pid in [self.process.pid, *self.worker_pids()]:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])
        return total / 1024


@contextlib.contextmanager
def serving(kind):
    with tempfile.TemporaryDirectory() as directory:
        home = pathlib.Path(directory)
        with open(home / "log", "w") as log:
            process = subprocess.Popen([*COMMANDS[kind], "--data-dir", home / "data"], stdout=subprocess.PIPE, stderr=log,
                                       text=True, env={**os.environ, "HOME": directory})
        try:
            line = process.stdout.readline()
            assert line.startswith("listening on "), (line, (home / "log").read_text())
            yield Server(kind, process, home, int(line.rsplit(":", 1)[1]))
            process.send_signal(signal.SIGTERM)
            code = process.wait(PATIENCE_S)
            assert code == 0, (code, (home / "log").read_text()[-4000:])
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def messages(r):
    return [{"role": "user", "content": r.choice(QUESTIONS)}]


def stream(server, path, body, r, end):
    """Reads a stream to its end, whose last part `end` is in, or leaves it somewhere."""
    connection, answer = server.open("POST", path, body)
    with contextlib.closing(connection):
        assert answer.status == 200, (path, answer.status, answer.read()[:300])
        if r.random() < 0.4:
            for _ in range(r.randint(0, 6)):
                answer.readline()
            answer.close()
            return
        text = answer.read()
        assert end in text[-4000:], (path, text[-300:])


def chat(server, model, r):
    fields = r.choice([{"n": 3, "temperature": 1}, {"logprobs": True, "top_logprobs": 4}, {"seed": 1, "stop": ["e"]},
                       {"logit_bias": {"5": -100}}, {"reasoning_effort": "low"},
                       {"chat_template_kwargs": {"enable_thinking": True}},
                       {"tools": [{"type": "function", "function": ADD}]}])
    body = {"model": model, "messages": messages(r), "max_tokens": r.randint(1, 30), **fields}
    if r.random() < 0.5:
        stream(server, "/v1/chat/completions", body | {"stream": True}, r, b"[DONE]")
    else:
        assert server.ask("POST", "/v1/chat/completions", body)[1]["choices"]


def call_a_tool(server, model, r):
    body = {"model": model, "messages": messages(r), "max_tokens": 400, "tools": [{"type": "function", "function": ADD}],
            "tool_choice": "required", "parallel_tool_calls": False, "temperature": r.choice([0, 1])}
    choice = server.ask("POST", "/v1/chat/completions", body)[1]["choices"][0]
    if choice["finish_reason"] == "tool_calls":
        assert set(json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"])) == {"a", "b"}


def hold_a_form(server, model, r):
    body = {"model": model, "messages": messages(r), "max_tokens": 300, "temperature": r.choice([0, 1.5]),
            "response_format": {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}}
    if r.random() < 0.3:
        stream(server, "/v1/chat/completions", body | {"stream": True}, r, b"[DONE]")
        return
    choice = server.ask("POST", "/v1/chat/completions", body)[1]["choices"][0]
    if choice["finish_reason"] == "stop":
        assert set(json.loads(choice["message"]["content"])) == {"name", "n"}


def complete(server, model, r):
    body = {"model": model, "prompt": r.choice(["Once upon", ["a b", "c d"], [[1, 2, 3]], [5, 6]]), "max_tokens": 8,
            **r.choice([{"echo": True, "logprobs": 2}, {"best_of": 4}, {"n": 2}, {"stream": True}, {"suffix": "."}])}
    if "stream" in body:
        stream(server, "/v1/completions", body, r, b"[DONE]")
        return
    # Not every model has tokens for what stands in the middle.
    server.ask("POST", "/v1/completions", body, also=(400,) if "suffix" in body else ())


def respond(server, model, r):
    body = {"model": model, "input": r.choice(QUESTIONS), "max_output_tokens": r.randint(1, 24)}
    if r.random() < 0.5:
        stream(server, "/v1/responses", body | {"stream": True}, r, b"response.")
        return
    first = server.ask("POST", "/v1/responses", body)[1]
    second = server.ask("POST", "/v1/responses", body | {"previous_response_id": first["id"]})[1]
    assert server.ask("GET", f"/v1/responses/{second['id']}")[1]["status"] in ("completed", "incomplete")
    server.ask("GET", f"/v1/responses/{second['id']}/input_items")
    server.ask("DELETE", f"/v1/responses/{first['id']}")


def respond_in_background(server, model, r):
    made = server.ask("POST", "/v1/responses", {"model": model, "input": r.choice(QUESTIONS), "background": True,
                                                "max_output_tokens": 300})[1]
    path = f"/v1/responses/{made['id']}"
    if r.random() < 0.5:  # one that another worker runs is only its own to end
        server.ask("POST", path + "/cancel", also=(400, 409))
    end = time.monotonic() + PATIENCE_S
    while (status := server.ask("GET", path)[1]["status"]) in ("queued", "in_progress"):
        assert time.monotonic() < end, (path, status)
        time.sleep(0.05)
    assert status in ("completed", "incomplete", "cancelled"), status


def respond_on_a_socket(server, model, r):
    """A worker that goes ends the socket between two responses, never within one. A client with a full queue would not
    read the answer to its goodbye."""
    event = None
    with contextlib.suppress(ConnectionClosedOK), \
            connect(f"ws://127.0.0.1:{server.port}/v1/responses", open_timeout=PATIENCE_S, max_queue=None) as opened:
        for _ in range(r.randint(1, 3)):
            event = None
            opened.send(json.dumps({"type": "response.create", "model": model, "input": r.choice(QUESTIONS),
                                    "max_output_tokens": 12, "store": r.random() < 0.5}))
            if r.random() < 0.3:
                return
            while event is None or event["type"] not in ("response.completed", "response.incomplete"):
                event = json.loads(opened.recv(timeout=PATIENCE_S))
                if event["type"] == "error" and event["error"]["code"] == "shutting_down":
                    return
                assert event["type"] not in ("error", "response.failed"), event
    assert event is None or event["type"] in ("response.completed", "response.incomplete"), event


def send_messages(server, model, r):
    body = {"model": model, "messages": messages(r), "max_tokens": r.randint(1, 24)}
    if r.random() < 0.3:
        body |= {"tools": [{"name": "add", "input_schema": ADD["parameters"]}], "tool_choice": {"type": "auto"}}
    server.ask("POST", "/v1/messages/count_tokens", {k: v for k, v in body.items() if k != "max_tokens"})
    if r.random() < 0.5:
        stream(server, "/v1/messages", body | {"stream": True}, r, b"message_stop")
    else:
        server.ask("POST", "/v1/messages", body)


def speak_ollama(server, model, r):
    body = {"model": model, "options": {"num_predict": 12}}
    if r.random() < 0.5:
        stream(server, "/api/chat", body | {"messages": messages(r)}, r, b'"done":true')
    else:
        stream(server, "/api/generate", body | {"prompt": "Hello"}, r, b'"done":true')
    server.ask("GET", r.choice(["/api/tags", "/api/ps"]))


def embed(server, model, r):
    model = r.choice(EMBED[server.kind])
    texts = ["apples " * r.randint(1, 20) for _ in range(r.randint(1, 6))]
    assert len(server.ask("POST", "/v1/embeddings", {"model": model, "input": texts})[1]["data"]) == len(texts)


def take_tokens(server, model, r):
    text = r.choice(QUESTIONS)
    tokens = server.ask("POST", "/tokenize", {"model": model, "content": text})[1]["tokens"]
    assert server.ask("POST", "/detokenize", {"model": model, "tokens": tokens})[1]["content"] == text
    server.ask("POST", "/apply-template", {"model": model, "messages": messages(r)})


def speak(server, model, r):
    """Read to its end, or left somewhere."""
    body = {"model": VOICE[server.kind], "input": r.choice(QUESTIONS) * r.randint(1, 20),
            "response_format": r.choice(["mp3", "opus", "aac", "flac", "wav", "pcm"])}
    connection, answer = server.open("POST", "/v1/audio/speech", body)
    with contextlib.closing(connection):
        assert answer.status == 200, (body, answer.status, answer.read()[:300])
        if r.random() < 0.3:
            answer.read(r.randint(0, 3000))
            answer.close()
        else:
            assert len(answer.read()) > 100, body


def noise(r, seconds):
    """A sound file: half a second of silence, and then what nobody understands."""
    with io.BytesIO() as file:
        with wave.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(16000)
            sound.writeframes(bytes(16000) + r.randbytes(int(seconds * 32000)))
        return file.getvalue()


def listen(server, model, r):
    """A file that is heard, whole or cut short; one that is none; an upload or an answer that is left."""
    fields = {"model": LISTENER[server.kind], "response_format": r.choice(["json", "text", "srt", "vtt", "verbose_json"])}
    if r.random() < 0.3:
        fields |= {"stream": "true", "response_format": "json"}
    sound, status = noise(r, r.uniform(0.2, 3)), 200
    if r.random() < 0.2:
        sound, status = r.randbytes(r.randint(1, 4000)), 400
    parts = [f'--sEp\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()]
    body = b"".join([*parts, b'--sEp\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n', sound,
                     b"\r\n--sEp--\r\n"])
    head = (f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
            "Content-Type: multipart/form-data; boundary=sEp\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as connection:
        if r.random() < 0.3:
            connection.sendall((head + body)[:r.randint(1, len(head + body))])
            return
        connection.sendall(head + body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        text = answer.read()
        assert answer.status == status, (fields, len(sound), answer.status, text[:300])


def look(server, model, r):
    server.ask("GET", r.choice(["/status", "/v1/models", "/health/live", "/openapi.json"]))


def be_rude(server, model, r):
    """Half a request, or a whole one that nobody waits for."""
    body = json.dumps({"model": model, "messages": messages(r), "max_tokens": 500}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as rude:
        rude.sendall((head + body)[:r.choice([3, 40, len(head) + 5, len(head + body)])])


def go(server, model, r):
    """The models go; who asks for one meanwhile has it come again."""
    server.ask("POST", r.choice(["/unload", "/unload", "/load"]), {"model": r.choice([*CHAT[server.kind], VOICE[server.kind], LISTENER[server.kind]])})
    time.sleep(r.random())


ACTS = [chat, chat, call_a_tool, hold_a_form, complete, respond, respond_in_background, respond_on_a_socket, send_messages,
        speak_ollama, embed, take_tokens, speak, listen, look, be_rude]


def client(server, acts, seed, end, results, problems):
    r = random.Random(seed)
    while time.monotonic() < end:
        act = r.choice(acts)
        try:
            act(server, r.choice(CHAT[server.kind]), r)
            results[act.__name__] += 1
        except Exception as problem:  # noqa: BLE001 - told with all others at the end
            problems.append(f"{act.__name__}: {type(problem).__name__}: {problem}")


def renew(server, end, results):
    """A fresh worker every few seconds; those that still have something to do stay so long."""
    while time.monotonic() + 3 < end and server.process.poll() is None:
        time.sleep(3)
        if len(server.worker_pids()) == 1:
            server.process.send_signal(signal.SIGHUP)
            results["renewals"] += 1


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def unload_all(server):
    for model in {*CHAT[server.kind], *EMBED[server.kind], VOICE[server.kind], LISTENER[server.kind]}:
        server.ask("POST", "/unload", {"model": model})


def load(server, seconds, n_clients, seed, renewals):
    """All clients at work for so long; what each did, and what went wrong."""
    results, problems = collections.Counter(), []
    end = time.monotonic() + seconds
    threads = [threading.Thread(target=client, args=(server, ACTS, seed + i, end, results, problems)) for i in range(n_clients)]
    threads.append(threading.Thread(target=client, args=(server, [go], seed - 1, end, results, problems)))
    if renewals:
        threads.append(threading.Thread(target=renew, args=(server, end, results)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results, problems


def check_afterwards(server):
    wait_until(lambda: len(server.worker_pids()) == 1, "an old worker stays")
    wait_until(lambda: server.ask("GET", "/status")[1]["active_requests"] == 0, "work goes on")
    unload_all(server)


def check_database(home):
    database = sqlite3.connect(home / "data" / "responses.db")
    with contextlib.closing(database):
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def run(kind, seconds, n_clients=8, seed=1, renewals=True):
    """(counts, MB of memory without models before and after)"""
    with serving(kind) as server:
        renewals = renewals and kind == "allm"
        results, problems = load(server, seconds / 3, n_clients, seed, False)  # buffers and caches reach their size
        check_afterwards(server)
        before = server.pss_mb()
        more, others = load(server, seconds * 2 / 3, n_clients, seed + 100, renewals)
        check_afterwards(server)
        after = server.pss_mb()
        problems += others
        assert not problems, "\n".join([f"{len(problems)} problems", *problems[:10], (server.home / "log").read_text()[-3000:]])
        home = server.home
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE_S) == 0, (home / "log").read_text()[-4000:]
        check_database(home)
    return results + more, before, after


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=CHAT, default="allm")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-renewals", action="store_true")
    args = parser.parse_args()
    counts, before, after = run(args.kind, args.seconds, args.clients, args.seed, not args.no_renewals)
    print(", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    print(f"without models {before:.1f} MB before, {after:.1f} MB after")


if __name__ == "__main__":
    main()
