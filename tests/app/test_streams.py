"""Many at once on the built-in model."""
import concurrent.futures
import socket
import time

import allm

QUESTIONS = ["Who are you?", "What is the capital of France?", "What is 3 plus 4?", "What day comes after Monday?",
             "Tell me a joke.", "How do I start the server?", "Which formats can you run?", "Hello!",
             "What colour is the sky?", "What is the capital of Japan?", "Name the months.", "What is 12 minus 5?",
             "Do I need Python?", "Thank you.", "Tell me a story.", "Where do models go?"]


def test_sixteen_at_once_say_what_each_says_alone():
    for model in ("tiny-assistant", "tiny-assistant-gguf"):
        with allm.serve() as server:
            def answer(question):
                status, body = server.ask(question, model=model, max_tokens=64)
                assert status == 200, body
                return body["choices"][0]["message"]["content"]

            alone = [answer(question) for question in QUESTIONS]
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                together = list(pool.map(answer, QUESTIONS))
            assert together == alone


def test_the_twins_agree():
    with allm.serve() as server:
        for question in QUESTIONS[:6]:
            answers = [server.ask(question, model=model)[1]["choices"][0]["message"]["content"]
                       for model in ("tiny-assistant", "tiny-assistant-gguf")]
            assert answers[0] == answers[1]


def test_a_hundred_clients_that_leave():
    with allm.serve() as server:
        for i in range(100):
            connection, answer = server.open_stream(max_tokens=2000)
            if i % 2:
                answer.readline()
            answer.close()
            connection.close()
        allm.wait_until(lambda: server.request("GET", "/status")[1]["active_requests"] == 0, 30, "work goes on")
        assert server.ask("Who are you?")[0] == 200


def test_a_thousand_connections_that_send_nothing():
    with allm.serve() as server:
        silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(1000)]
        assert server.ask("Who are you?")[0] == 200
        for connection in silent:
            connection.close()


def test_a_client_that_reads_a_byte_at_a_time():
    with allm.serve() as server:
        connection, answer = server.open_stream(max_tokens=100)
        slow = connection.sock or answer.fp.raw._sock
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(20):
            assert answer.read(1)
            time.sleep(0.02)
        assert server.ask("Who are you?")[0] == 200
        connection.close()
