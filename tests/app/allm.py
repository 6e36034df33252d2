"""Starts build/allm as a user would, in a directory of its own, and always ends it."""
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

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("ALLM_BUILD", ROOT / "build"))
PROGRAM = BUILD / "allm"


class Server:
    def __init__(self, process, home, port):
        self.process, self.home, self.port = process, home, port

    def log(self):
        return (self.home / "log").read_text()

    def request(self, method, path, body=None, timeout=60):
        """(status, parsed body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def ask(self, text, model="tiny-assistant", timeout=60, **fields):
        return self.request("POST", "/v1/chat/completions",
                            {"model": model, "messages": [{"role": "user", "content": text}], "temperature": 0,
                             "max_tokens": 40, **fields}, timeout)

    def open_stream(self, text="Tell me a story", model="tiny-assistant", **fields):
        """A connection whose streamed answer has begun; the caller closes it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/v1/chat/completions", json.dumps(
            {"model": model, "messages": [{"role": "user", "content": text}], "stream": True, "ignore_eos": True,
             "max_tokens": 1500, **fields}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.readline()
        return connection, answer

    def worker_pid(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        assert len(children) == 1, children
        return int(children[0])

    def stop(self, how=signal.SIGTERM, timeout=60):
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@contextlib.contextmanager
def serve(*arguments, environment=None):
    with tempfile.TemporaryDirectory() as directory:
        home = pathlib.Path(directory)
        env = {**os.environ, "HOME": directory, "XDG_STATE_HOME": directory + "/state", **(environment or {})}
        with open(home / "log", "w") as log:
            process = subprocess.Popen([PROGRAM, "serve", "--port", "0", *arguments], stdout=subprocess.PIPE,
                                       stderr=log, text=True, env=env)
        server = Server(process, home, 0)
        try:
            line = process.stdout.readline()
            match = re.fullmatch(r"listening on http://(?:127\.0\.0\.1|\[::1\]):(\d+)\n", line)
            assert match, (line, server.log())
            server.port = int(match[1])
            yield server
        finally:
            server.stop()
            process.stdout.close()


def run(*arguments, stdin="", environment=None, timeout=120):
    """Runs one command to its end."""
    with tempfile.TemporaryDirectory() as directory:
        return subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, text=True, timeout=timeout,
                              env={**os.environ, "HOME": directory, **(environment or {})})


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)
