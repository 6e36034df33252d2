"""Starts aLLM and llama-server on the same file, in the same run, and always ends them."""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent


def _end(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def allm(build, *arguments):
    """Yields (base URL, process, seconds until ready)."""
    with tempfile.TemporaryDirectory() as home:
        began = time.monotonic()
        with open(os.path.join(home, "log"), "w") as log:
            process = subprocess.Popen([build / "allm", "serve", "--port", "0", "--models", home, "--no-hf-cache",
                                        *arguments], stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            line = process.stdout.readline()
            ready = time.monotonic() - began
            match = re.match(r"listening on (http://\S+)", line)
            if not match:
                raise RuntimeError(f"allm did not start: {line!r} {open(os.path.join(home, 'log')).read()[-2000:]}")
            yield match[1], process, ready
        finally:
            _end(process)


@contextlib.contextmanager
def llama_server(model, n_threads, n_parallel, n_ctx, *arguments):
    """Yields (base URL, process, seconds until ready)."""
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = time.monotonic()
    process = subprocess.Popen(
        ["llama-server", "-m", model, "--host", "127.0.0.1", "--port", str(port), "-t", str(n_threads), "-np",
         str(n_parallel), "-c", str(n_ctx), "--kv-unified", "--no-webui", "-ngl", "0", *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1200):
            if process.poll() is not None:
                raise RuntimeError("llama-server ended")
            try:
                with urllib.request.urlopen(url + "/health", timeout=2) as answer:
                    if answer.status == 200:
                        break
            except OSError:
                time.sleep(0.05)
        else:
            raise RuntimeError("llama-server did not become ready")
        yield url, process, time.monotonic() - began
    finally:
        _end(process)


def pss_bytes(pid):
    """Proportional set size of a process and its descendants."""
    total = 0
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            total += int(line.split()[1]) * 1024
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            total += pss_bytes(int(child))
    return total
