"""Stored responses and the whole program: restarts, renewals, options."""
import os
import pathlib
import signal

from allm import serve, wait_until


def start_background(server, **fields):
    status, made = server.request("POST", "/v1/responses", {
        "model": "tiny-assistant", "input": "Tell me a story", "background": True, "ignore_eos": True,
        "max_output_tokens": 1500, **fields})
    assert status == 200, made
    return made["id"]


def status_of(server, identifier):
    return server.request("GET", f"/v1/responses/{identifier}")[1]["status"]


def test_a_crash_fails_what_ran_and_keeps_the_rest():
    with serve() as server:
        _, done = server.request("POST", "/v1/responses", {"model": "tiny-assistant", "input": "Hi"})
        running = start_background(server)
        wait_until(lambda: status_of(server, running) == "in_progress", 30, "it does not start")
        os.kill(server.worker_pid(), signal.SIGKILL)
        assert status_of(server, running) == "failed"
        assert server.request("GET", f"/v1/responses/{done['id']}")[1] == done


def test_a_renewed_worker_leaves_what_the_old_one_still_does():
    with serve() as server:
        running = start_background(server, max_output_tokens=1200)
        wait_until(lambda: status_of(server, running) == "in_progress", 30, "it does not start")
        old = server.worker_pid()
        server.process.send_signal(signal.SIGHUP)
        seen = set()

        def ended():
            seen.add(status_of(server, running))
            return seen & {"incomplete", "completed", "failed"}

        wait_until(ended, 60, "it does not end")
        assert "failed" not in seen
        children = f"/proc/{server.process.pid}/task/{server.process.pid}/children"
        wait_until(lambda: str(old) not in pathlib.Path(children).read_text().split(), 30, "the old worker stays")


def test_options_and_the_state_directory():
    with serve() as server:
        server.request("POST", "/v1/responses", {"model": "tiny-assistant", "input": "Hi"})
        assert (server.home / "state" / "allm" / "responses.db").exists()
    with serve("--no-store-responses") as server:
        _, made = server.request("POST", "/v1/responses", {"model": "tiny-assistant", "input": "Hi"})
        assert made["store"] is False and not (server.home / "state" / "allm").exists()
        status, error = server.request("POST", "/v1/responses", {"model": "tiny-assistant", "input": "Hi", "store": True})
        assert status == 400 and error["error"]["param"] == "store"
