"""Clients that leave at any moment: while sending, while waiting, in the middle of a stream."""
import concurrent.futures
import json
import random
import socket
import struct
import time

from api_server import running, wait_until

PATHS = ["/v1/chat/completions", "/v1/responses", "/load", "/unload", "/status", "/v1/models"]


def make_request(path, rng):
    if path in ("/status", "/v1/models"):
        return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    body = {"model": rng.choice(["fake", "org/fake", "broken"])}
    if "/v1/" in path:
        body.update(stream=rng.random() < 0.7, ignore_eos=True)
    if "chat" in path:
        body.update(messages=[{"role": "user", "content": "hi" * rng.randint(1, 500)}], max_tokens=rng.randint(1, 200))
    elif "responses" in path:
        body.update(input="hi", max_output_tokens=rng.randint(1, 200))
    text = json.dumps(body).encode()
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(text)}\r\n\r\n").encode() + text


def leave(port, seed):
    rng = random.Random(seed)
    request = make_request(rng.choice(PATHS), rng)
    sent = len(request) if rng.random() < 0.8 else rng.randint(0, len(request))
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
            raw.sendall(request[:sent])
            if rng.random() < 0.3:
                return
            time.sleep(rng.random() * 0.1)
            if rng.random() < 0.5:  # leaves with a reset instead of a goodbye
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if sent == len(request) and rng.random() < 0.7:
                raw.recv(rng.randint(1, 5000))
    except ConnectionError:
        pass  # an unload can end what another client has asked for


def test_clients_that_leave_at_any_moment():
    with running("fake", "--decode-ms", "1") as server:
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda seed: leave(server.port, seed), range(600)))
        wait_until(lambda: server.status()["active_requests"] == 0, 10, "work goes on for clients that have left")
        assert all(model["running"] == model["waiting"] == 0 for model in server.status()["models"])
        wait_until(lambda: server.status()["connections"]["open"] == 1, 10, "connections are left open")
        body = {"model": "fake", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
        assert server.post("/v1/chat/completions", body)[0] == 200


def test_the_server_ends_in_the_middle_of_it():
    with running("fake", "--decode-ms", "1") as server:  # which asserts that it ends cleanly
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            futures = [pool.submit(leave, server.port, seed) for seed in range(200)]
            futures[30].result()
            server.process.terminate()
