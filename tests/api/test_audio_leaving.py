"""Clients that leave a transcription: while the file comes, while the model loads, in the queue, while it is heard."""
import concurrent.futures
import random
import socket
import struct
import time

from api_server import running, wait_until
from audio_kit import BOUNDARY, MODEL, form, send, wav

SOUND = wav(30, 8000)


def request_of(*more):
    body = form(MODEL, ("file", SOUND, "a.wav"), *more)
    return (f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def n_active(server):
    return server.status()["active_requests"]


def whisper(server):
    return next(m for m in server.status()["models"] if m["id"] == "fake-whisper")


def test_while_the_file_comes(fake):
    with connect(fake) as raw:
        raw.sendall(request_of()[:200_000])
        wait_until(lambda: fake.status()["connections"]["active_requests"] >= 1, 5, "it has not come")
    wait_until(lambda: fake.status()["connections"]["open"] <= 1, 5, "its connection is still open")
    assert n_active(fake) == 0


def test_while_the_model_loads():
    with running("fake", "--load-ms", "3000") as server:
        with connect(server) as raw:
            raw.sendall(request_of())
            wait_until(lambda: n_active(server) == 1, 5, "it has not begun")
        wait_until(lambda: n_active(server) == 0, 1, "it waits for the load")


def test_while_it_is_heard_and_in_the_queue():
    with running("fake", "--hear-ms", "500") as server:
        first, second = connect(server), connect(server)
        first.sendall(request_of(("stream", "true")))
        assert b"transcript.text.delta" in first.recv(4096) + first.recv(4096)
        second.sendall(request_of())
        wait_until(lambda: whisper(server)["waiting"] == 1 and whisper(server)["running"] == 1, 5, "it does not wait")
        second.close()
        wait_until(lambda: whisper(server)["waiting"] == 0, 1, "the one in the queue goes on")
        assert whisper(server)["running"] == 1
        first.close()
        wait_until(lambda: n_active(server) == 0, 1, "the one that is heard goes on")
        assert send(server, form(MODEL, ("file", wav(1), "a.wav")))[0] == 200


def leave(server, seed):
    rng = random.Random(seed)
    request = request_of(*rng.choice([(), (("stream", "true"),), (("response_format", "vtt"),), (("x", "y"),)]))
    sent = len(request) if rng.random() < 0.7 else rng.randint(0, len(request))
    try:
        with connect(server) as raw:
            raw.sendall(request[:sent])
            time.sleep(rng.random() * 0.2)
            if rng.random() < 0.5:  # leaves with a reset instead of a goodbye
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if sent == len(request) and rng.random() < 0.5:
                raw.recv(rng.randint(1, 5000))
    except ConnectionError:
        pass


def test_at_any_moment():
    with running("fake", "--hear-ms", "2") as server:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda seed: leave(server, seed), range(80)))
        wait_until(lambda: n_active(server) == 0, 10, "work goes on for clients that have left")
        wait_until(lambda: server.status()["connections"]["open"] == 1, 10, "connections are left open")
        assert whisper(server)["running"] == whisper(server)["waiting"] == 0
        assert send(server, form(MODEL, ("file", wav(1), "a.wav")))[0] == 200


def test_the_server_ends_in_the_middle_of_it():
    with running("fake", "--hear-ms", "5") as server:  # which asserts that it ends cleanly
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            futures = [pool.submit(leave, server, seed) for seed in range(40)]
            futures[8].result()
            server.process.terminate()
