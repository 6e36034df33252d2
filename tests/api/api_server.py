"""Starts the servers that the API tests talk to, each in a directory of its own, and always ends them.

The fixture `server` is both of them in turn: the fake engine (tests/api/fake_server.c), and the real program with its
built-in model (or ALLM_TEST_MODEL). ALLM_SERVERS=fake or =allm limits a run to one."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

import openai

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("ALLM_BUILD", ROOT / "build"))
COMMANDS = {
    "fake": [BUILD / "tests" / "api" / "fake_server"],
    "allm": [BUILD / "allm", "serve", "--port", "0"],
}
MODELS = {"fake": "fake", "allm": os.environ.get("ALLM_TEST_MODEL", "tiny-assistant")}
KINDS = os.environ.get("ALLM_SERVERS", "fake,allm").split(",")


class Server:
    def __init__(self, kind, process, port, key=None):
        self.kind, self.process, self.port, self.model = kind, process, port, MODELS[kind]
        self.url = f"http://127.0.0.1:{port}"
        self.client = openai.OpenAI(base_url=self.url + "/v1", api_key=key or "none", max_retries=0, timeout=60,
                                    _strict_response_validation=True)

    def request(self, method, path, body=None, headers=None):
        """(status, headers, parsed body). `body`: bytes are sent as they are, anything else as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            if body is not None and not isinstance(body, bytes):
                body = json.dumps(body).encode()
            connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, answer.headers, json.loads(text) if text else None
        finally:
            connection.close()

    def post(self, path, body):
        return self.request("POST", path, body)

    def status(self):
        return self.request("GET", "/status")[2]


@contextlib.contextmanager
def running(kind, *arguments, key=None, data=None):
    with tempfile.TemporaryDirectory() as home:
        with open(pathlib.Path(home) / "log", "w+") as log:
            process = subprocess.Popen([*COMMANDS[kind], "--data-dir", data or home + "/data", *arguments],
                                       stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, "HOME": home})
            try:
                line = process.stdout.readline()
                match = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", line)
                assert match, (line, pathlib.Path(log.name).read_text())
                yield Server(kind, process, int(match[1]), key)
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                try:
                    code = process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    raise
                process.stdout.close()
        # A sanitizer's report or a crash makes this something else.
        assert code == 0, code


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)
