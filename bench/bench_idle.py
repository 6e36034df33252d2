#!/usr/bin/env python3
"""The idle server, no model loaded: seconds until it is ready, PSS of all its processes. bench_idle.py --build build"""
import argparse
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import servers  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--build", type=pathlib.Path, required=True)
parser.add_argument("--rounds", type=int, default=7)
arguments = parser.parse_args()
ready, pss = [], []
for _ in range(arguments.rounds):
    with servers.allm(arguments.build) as (_, process, seconds):
        time.sleep(0.3)
        ready.append(seconds)
        pss.append(servers.pss_bytes(process.pid))
print(f"idle: ready after {statistics.median(ready) * 1000:.0f} ms (worst {max(ready) * 1000:.0f}), "
      f"PSS {statistics.median(pss) / 1e6:.1f} MB")
