"""The supervisor and its worker: crashes, quarantine, renewal, shutdown, refusals."""
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import allm


def test_worker_killed_in_the_middle_of_a_stream():
    with allm.serve() as server:
        connection, answer = server.open_stream()
        first = server.worker_pid()
        os.kill(first, signal.SIGKILL)
        try:
            answer.read()  # ends, one way or the other, and does not hang
        except (http.client.HTTPException, OSError):
            pass
        connection.close()
        status, body = server.ask("Who are you?")
        assert status == 200 and body["choices"][0]["message"]["content"]
        assert server.worker_pid() != first
        assert server.request("GET", "/health")[0] == 200


def test_requests_that_come_while_no_worker_runs_are_served():
    with allm.serve() as server:
        os.kill(server.worker_pid(), signal.SIGKILL)
        began = time.monotonic()
        assert server.request("GET", "/health")[0] == 200
        assert time.monotonic() - began < 30  # the time itself is measured in bench/, not asserted


def crash_while_running(server, model):
    connection, _ = server.open_stream(model=model)
    before = server.worker_pid()
    os.kill(before, signal.SIGSEGV)
    connection.close()
    allm.wait_until(lambda: "worker_ready" in server.log().split(f"pid={before}")[-1], 20, server.log())


def test_model_that_crashes_the_worker_three_times_is_quarantined():
    # The engine is busy nearly all of the time of a stream, so a signal finds it at work. Under sanitizers SIGSEGV is a
    # report and an exit code; they are told to leave it alone.
    options = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":handle_segv=0"}
    with allm.serve(environment=options) as server:
        for _ in range(12):
            if "model_quarantined" in server.log():
                break
            crash_while_running(server, "tiny-assistant")
        assert "model_quarantined" in server.log()
        allm.wait_until(lambda: server.ask("hi")[0] == 503, 20, server.log())
        status, body = server.ask("hi")
        assert body["error"]["code"] == "model_quarantined", body
        status, body = server.ask("Who are you?", model="tiny-assistant-gguf")
        assert status == 200, body
        names = [model["id"] for model in server.request("GET", "/v1/models")[1]["data"]]
        assert "tiny-assistant" not in names and "tiny-assistant-gguf" in names


def test_termination_lets_running_requests_end():
    with allm.serve() as server:
        connection, answer = server.open_stream(max_tokens=200)
        server.process.send_signal(signal.SIGTERM)
        rest = answer.read().decode()
        assert "[DONE]" in rest and '"finish_reason":"length"' in rest
        connection.close()
        assert server.process.wait(30) == 0


def test_termination_ends_what_does_not_end():
    with allm.serve("--drain", "1") as server:
        connection, answer = server.open_stream("Tell me a story", max_tokens=2000)
        assert server.stop() == 0
        connection.close()


def test_second_interrupt_ends_at_once():
    with allm.serve("--drain", "600") as server:
        connection, _ = server.open_stream()
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0
        connection.close()


def test_renewal_loses_no_request():
    with allm.serve() as server:
        first = server.worker_pid()
        failures, done = [], threading.Event()

        def ask_all_the_time():
            while not done.is_set():
                try:
                    status, _ = server.request("GET", "/v1/models")
                    if status != 200:
                        failures.append(status)
                except (OSError, http.client.HTTPException) as error:
                    failures.append(repr(error))

        asking = threading.Thread(target=ask_all_the_time)
        asking.start()
        connection, answer = server.open_stream(max_tokens=300)
        server.process.send_signal(signal.SIGHUP)
        rest = answer.read().decode()
        connection.close()
        allm.wait_until(lambda: not pathlib.Path(f"/proc/{first}").exists(), 30, server.log())
        done.set()
        asking.join()
        assert "[DONE]" in rest
        assert failures == []
        assert server.worker_pid() != first


def test_who_has_connected_is_answered_by_a_worker_that_goes():
    for how in (signal.SIGHUP, signal.SIGTERM):
        with allm.serve() as server:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            connection.connect()
            allm.wait_until(lambda: server.request("GET", "/status")[1]["connections"]["open"] == 2, 10, "it is not accepted")
            server.process.send_signal(how)
            allm.wait_until(lambda: "worker_draining" in server.log(), 30, server.log())
            connection.request("POST", "/v1/chat/completions", json.dumps(
                {"model": "tiny-assistant", "messages": [{"role": "user", "content": "Who are you?"}], "max_tokens": 4}),
                {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            connection.close()


def test_supervisor_killed_takes_the_worker_along():
    with allm.serve() as server:
        worker = server.worker_pid()
        server.process.kill()
        server.process.wait()
        allm.wait_until(lambda: not pathlib.Path(f"/proc/{worker}").exists(), 20, "the worker lives on")


def test_port_in_use():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = allm.run("serve", "--port", str(taken.getsockname()[1]))
        assert result.returncode == 1
        assert "in use" in result.stderr and str(taken.getsockname()[1]) in result.stderr
        assert result.stdout == ""


def test_public_address_needs_a_key():
    result = allm.run("serve", "--port", "0", "--host", "0.0.0.0")
    assert result.returncode == 1 and "ALLM_API_KEY" in result.stderr


def test_key_is_required_and_not_on_the_command_line():
    with allm.serve(environment={"ALLM_API_KEY": "s3cret-key"}) as server:
        assert server.request("GET", "/v1/models")[0] == 401
        assert server.request("GET", "/health")[0] == 200
        command_line = pathlib.Path(f"/proc/{server.worker_pid()}/cmdline").read_bytes()
        assert b"s3cret-key" not in command_line
        assert "s3cret-key" not in server.log()


def test_unix_socket():
    import tempfile
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/allm.sock"
        with allm.serve("--unix-socket", path):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert b"200 OK" in client.makefile("rb").read()


def test_worker_is_no_command():
    result = subprocess.run([allm.BUILD / "allm-worker"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 2 and "allm serve" in result.stderr
