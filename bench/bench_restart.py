#!/usr/bin/env python3
"""kill -9 of the worker: seconds until the next request has its whole answer, the model loaded anew included.
bench_restart.py --build build"""
import argparse
import json
import os
import pathlib
import signal
import statistics
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import servers  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--build", type=pathlib.Path, required=True)
parser.add_argument("--rounds", type=int, default=7)
arguments = parser.parse_args()


def ask(url):
    body = {"model": "tiny-assistant", "max_tokens": 16, "temperature": 0,
            "messages": [{"role": "user", "content": "Who are you?"}]}
    request = urllib.request.Request(url + "/v1/chat/completions", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200
        answer.read()


times = []
with servers.allm(arguments.build) as (url, process, _):
    ask(url)
    for _ in range(arguments.rounds):
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        began = time.monotonic()
        ask(url)
        times.append(time.monotonic() - began)
        time.sleep(0.2)
print(f"restart: the request after kill -9 took {statistics.median(times):.3f} s (worst {max(times):.3f} s)")
