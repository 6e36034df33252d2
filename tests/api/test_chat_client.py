"""Chat Completions through the official Python client, every answer validated strictly."""
import concurrent.futures

import openai
import pytest

from api_server import running, wait_until

HELLO = [{"role": "user", "content": "Who are you?"}]


def test_whole(server):
    answer = server.client.chat.completions.create(model=server.model, messages=HELLO, max_tokens=20, temperature=0)
    assert answer.object == "chat.completion" and answer.model == server.model and answer.id.startswith("chatcmpl-")
    choice = answer.choices[0]
    assert choice.message.role == "assistant" and choice.message.content
    assert choice.finish_reason in ("stop", "length")
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert answer._request_id.startswith("req_")
    assert 1 <= usage.completion_tokens <= 20 and usage.prompt_tokens > 3


def test_stream_is_the_whole_answer_in_parts(server):
    common = dict(model=server.model, messages=HELLO, max_tokens=24, temperature=0)
    whole = server.client.chat.completions.create(**common)
    chunks = list(server.client.chat.completions.create(**common, stream=True, stream_options={"include_usage": True}))
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_the_client_accumulates_a_stream(server):
    with server.client.chat.completions.stream(model=server.model, messages=HELLO, temperature=0) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert final.choices[0].message.content


def test_length_is_real(server):
    answer = server.client.chat.completions.create(model=server.model, messages=HELLO, max_completion_tokens=3,
                                                   extra_body={"ignore_eos": True})
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3


def test_a_stop_string_ends_and_does_not_show(server):
    common = dict(model=server.model, messages=HELLO, max_tokens=40, temperature=0)
    text = server.client.chat.completions.create(**common).choices[0].message.content
    stop = text[3:5]
    for stream in (False, True):
        answer = server.client.chat.completions.create(**common, stop=[stop, "never said"], stream=stream)
        if stream:
            parts = list(answer)
            got = "".join(c.choices[0].delta.content or "" for c in parts)
            reason = parts[-1].choices[0].finish_reason
        else:
            got, reason = answer.choices[0].message.content, answer.choices[0].finish_reason
        assert got == text[:text.index(stop)]
        assert reason == "stop"


def test_a_seed_repeats(server):
    def ask(seed):
        # One word, which the model was not taught to answer: to what it was taught it says the same at any temperature.
        return server.client.chat.completions.create(model=server.model, messages=[{"role": "user", "content": "blue"}],
                                                     max_tokens=30, seed=seed, temperature=2).choices[0].message.content

    assert ask(7) == ask(7)
    assert len({ask(seed) for seed in range(12)}) > 1


def test_bias_bans_a_token(fake):
    """The fake engine's tokens are bytes."""
    common = dict(model="fake", messages=HELLO, max_tokens=200, seed=1, extra_body={"ignore_eos": True})
    text = fake.client.chat.completions.create(**common).choices[0].message.content
    assert " " in text
    text = fake.client.chat.completions.create(**common, logit_bias={"32": -100}).choices[0].message.content
    assert len(text) == 200 and " " not in text


def test_conversations_and_parts(server):
    answer = server.client.chat.completions.create(model=server.model, max_tokens=4, messages=[
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "there"}]},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Again"}])
    assert answer.usage.prompt_tokens > 5


def test_the_answer_can_be_sent_back(server):
    answer = server.client.chat.completions.create(model=server.model, messages=HELLO, max_tokens=4)
    again = [*HELLO, answer.choices[0].message.model_dump(), {"role": "user", "content": "And?"}]
    assert server.client.chat.completions.create(model=server.model, messages=again, max_tokens=4).choices


# --- errors ---------------------------------------------------------------------------------------------------------


def test_unknown_model(server):
    with pytest.raises(openai.NotFoundError) as error:
        server.client.chat.completions.create(model="no/such", messages=HELLO)
    assert error.value.code == "model_not_found" and error.value.param == "model"


def test_wrong_parameter(server):
    with pytest.raises(openai.BadRequestError) as error:
        server.client.chat.completions.create(model=server.model, messages=HELLO, temperature=9)
    assert error.value.param == "temperature" and error.value.type == "invalid_request_error"


def test_unsupported_parameters_are_named(server):
    for field, value in [("audio", {"voice": "alloy", "format": "wav"}), ("store", True), ("verbosity", "low"),
                         ("prediction", {"type": "content", "content": "x"}), ("functions", [{"name": "f"}])]:
        with pytest.raises(openai.BadRequestError) as error:
            server.client.chat.completions.create(model=server.model, messages=HELLO, **{field: value})
        assert error.value.param.startswith(field), field
        assert error.value.code == "unsupported_parameter"


def test_too_long_a_prompt(server):
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as error:
            server.client.chat.completions.create(model=server.model, stream=stream,
                                                  messages=[{"role": "user", "content": "word " * 60_000}])
        assert error.value.code == "context_length_exceeded"
        assert len([word for word in error.value.message.replace(",", " ").split() if word.isdigit()]) >= 2, \
            error.value.message


def test_a_broken_model_says_so(fake):
    with pytest.raises(openai.UnprocessableEntityError) as error:
        fake.client.chat.completions.create(model="broken", messages=HELLO)
    assert error.value.code == "model_corrupt"
    assert "broken.gguf" in error.value.message and "/" not in error.value.message


# --- many, and leaving ----------------------------------------------------------------------------------------------


def test_concurrent_streams_do_not_mix(server):
    prompts = [f"Tell me about number {i}" for i in range(16)]

    def ask(prompt):
        stream = server.client.chat.completions.create(model=server.model, stream=True, max_tokens=32, temperature=0,
                                                       messages=[{"role": "user", "content": prompt}])
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    alone = [ask(prompt) for prompt in prompts]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, prompts)) == alone


def test_closing_the_stream_stops_the_work():
    with running("fake", "--decode-ms", "20") as slow:
        stream = slow.client.chat.completions.create(model="fake", messages=HELLO, stream=True, max_tokens=3000,
                                                     extra_body={"ignore_eos": True})
        next(stream)
        assert slow.status()["active_requests"] == 1
        stream.close()
        wait_until(lambda: slow.status()["active_requests"] == 0, 5, "the work goes on after the client has left")
        model = next(m for m in slow.status()["models"] if m["id"] == "fake")
        assert model["running"] == 0 and model["waiting"] == 0
        assert model["completion_tokens"] < 3000


def test_leaving_without_a_stream_stops_the_work():
    with running("fake", "--decode-ms", "20") as slow:
        impatient = slow.client.with_options(timeout=0.5)
        with pytest.raises(openai.APITimeoutError):
            impatient.chat.completions.create(model="fake", messages=HELLO, max_tokens=3000,
                                              extra_body={"ignore_eos": True})
        wait_until(lambda: slow.status()["active_requests"] == 0, 5, "the work goes on after the client has left")
