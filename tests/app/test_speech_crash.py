"""A thread of a model that dies takes the worker along, and its own model alone is blamed."""
import ctypes
import http.client
import pathlib
import platform
import signal
import threading

import allm
from test_speech import DIGITS, speak, transcribe

SYS_tgkill = {"x86_64": 234, "aarch64": 131}.get(platform.machine())


def thread_of(pid, name):
    for task in sorted(pathlib.Path(f"/proc/{pid}/task").iterdir(), key=lambda path: int(path.name)):  # OpenMP's inherit it
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    return None


def abort_as(pid, name):
    """As an engine's own abort() would: the signal is the thread's."""
    assert ctypes.CDLL(None).syscall(SYS_tgkill, pid, thread_of(pid, name), signal.SIGABRT) == 0


def ask_for_a_transcription(server, sound):
    try:
        transcribe(server, sound)
    except (http.client.HTTPException, OSError):
        pass


def is_hearing(server):
    return any(m["id"] == "tiny-whisper" and m["running"] > 0 for m in server.request("GET", "/status")[1]["models"])


def crash_while_hearing(server, sound):
    before = server.worker_pid()
    chat, _ = server.open_stream()  # another model is at work as well
    hearing = threading.Thread(target=ask_for_a_transcription, args=(server, sound))
    hearing.start()
    allm.wait_until(lambda: is_hearing(server), 60, "it hears nothing")
    # Only one of the models has a thread of this name.
    abort_as(before, "al-worker")
    hearing.join()
    chat.close()
    allm.wait_until(lambda: "worker_ready" in server.log().split(f"pid={before}")[-1], 20, server.log())


def test_the_model_that_crashed_is_quarantined_and_no_other():
    with allm.serve() as server:
        sound = speak(server, " ".join(DIGITS * 60))
        server.request("POST", "/unload", {"model": "espeak"})  # whose thread has the same name
        for _ in range(3):
            crash_while_hearing(server, sound)
        log = server.log()
        assert log.count('model_crashed model="tiny-whisper"') == 2, log
        assert log.count('model_quarantined model="tiny-whisper"') == 1, log
        assert 'model="tiny-assistant"' not in "".join(line for line in log.splitlines() if "model_crashed" in line or
                                                       "model_quarantined" in line)
        status, body = transcribe(server, sound)
        assert status == 503 and body["error"]["code"] == "model_quarantined", body
        assert server.ask("Who are you?")[0] == 200
        names = [model["id"] for model in server.request("GET", "/v1/models")[1]["data"]]
        assert "tiny-whisper" not in names and "espeak" in names and "tiny-assistant" in names
