"""Legacy completions through the official Python client."""
import openai
import pytest

from api_server import running, wait_until

PROMPT = "Once upon"


def create(server, prompt=PROMPT, **more):
    return server.client.completions.create(model=server.model, prompt=prompt, **more)


def lax(server):
    """Streams of this API have chunks with `finish_reason: null`, which the client's own type does not allow."""
    return openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=60)


def tokens_of(server, text):
    return server.post("/tokenize", {"model": server.model, "content": text})[2]["tokens"]


def test_whole(server):
    answer = create(server, max_tokens=8, temperature=0)
    assert answer.object == "text_completion" and answer.id.startswith("cmpl-") and answer.model == server.model
    choice, = answer.choices
    assert choice.text and choice.finish_reason in ("stop", "length") and choice.logprobs is None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_sixteen_tokens_unless_asked_otherwise(server):
    answer = create(server, extra_body={"ignore_eos": True})
    assert answer.usage.completion_tokens == 16 and answer.choices[0].finish_reason == "length"


def test_text_and_its_tokens_are_the_same_prompt(server):
    by_text = create(server, max_tokens=8, temperature=0)
    by_tokens = create(server, prompt=tokens_of(server, PROMPT), max_tokens=8, temperature=0)
    assert by_tokens.choices[0].text == by_text.choices[0].text
    assert by_tokens.usage.prompt_tokens == by_text.usage.prompt_tokens


def test_several_prompts(server):
    prompts = [PROMPT, "The colour", "A small dog", PROMPT]
    common = dict(max_tokens=6, temperature=0)
    together = create(server, prompt=prompts, **common)
    alone = [create(server, prompt=prompt, **common) for prompt in prompts]
    assert [choice.index for choice in together.choices] == [0, 1, 2, 3]
    assert [choice.text for choice in together.choices] == [answer.choices[0].text for answer in alone]
    assert together.usage.prompt_tokens == sum(answer.usage.prompt_tokens for answer in alone)
    assert together.usage.completion_tokens == sum(answer.usage.completion_tokens for answer in alone)
    by_tokens = create(server, prompt=[tokens_of(server, prompt) for prompt in prompts], **common)
    assert [choice.text for choice in by_tokens.choices] == [choice.text for choice in together.choices]


def test_choices_of_several_prompts(server):
    answer = create(server, prompt=[PROMPT, "The colour"], n=2, max_tokens=4, temperature=1, seed=1)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]


def test_stream(server):
    common = dict(prompt=[PROMPT, "The colour"], max_tokens=6, temperature=0)
    whole = create(server, **common)
    texts, reasons, usage = ["", ""], [None, None], None
    for chunk in lax(server).completions.create(model=server.model, **common, stream=True,
                                                stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts[choice.index] += choice.text
            reasons[choice.index] = choice.finish_reason or reasons[choice.index]
    assert texts == [choice.text for choice in whole.choices]
    assert reasons == [choice.finish_reason for choice in whole.choices]
    assert (usage.prompt_tokens, usage.completion_tokens) == (whole.usage.prompt_tokens, whole.usage.completion_tokens)


def test_echo(server):
    plain = create(server, max_tokens=6, temperature=0).choices[0].text
    for prompt in (PROMPT, tokens_of(server, PROMPT)):
        assert create(server, prompt=prompt, max_tokens=6, temperature=0, echo=True).choices[0].text == PROMPT + plain
    streamed = lax(server).completions.create(model=server.model, prompt=PROMPT, max_tokens=6, temperature=0, echo=True,
                                              stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == PROMPT + plain


def test_probabilities(server):
    choice = create(server, max_tokens=6, temperature=0, logprobs=3).choices[0]
    logprobs = choice.logprobs
    count = len(logprobs.tokens)
    assert count == len(logprobs.token_logprobs) == len(logprobs.top_logprobs) == len(logprobs.text_offset)
    assert "".join(logprobs.tokens).startswith(choice.text)
    for token, value, top, offset in zip(logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs,
                                         logprobs.text_offset):
        assert 3 <= len(top) <= 4 and top[token] == pytest.approx(value, abs=1e-5) and value <= 0
        assert choice.text[offset:].startswith(token) or offset >= len(choice.text)
    chat = create(server, max_tokens=2, temperature=0, logprobs=0).choices[0].logprobs
    assert all(list(top) == [token] for token, top in zip(chat.tokens, chat.top_logprobs))


def test_the_prompt_is_scored(server):
    """As evaluation harnesses ask: the probabilities of a text, nothing generated. Its first token has none, which the
    client's own type does not allow."""
    text = PROMPT + " a time"
    body = {"model": server.model, "prompt": text, "echo": True, "logprobs": 1, "max_tokens": 0}
    status, _, answer = server.post("/v1/completions", body)
    assert status == 200, answer
    choice = answer["choices"][0]
    logprobs = choice["logprobs"]
    assert choice["text"] == text and "".join(logprobs["tokens"]) == text
    assert logprobs["token_logprobs"][0] is None and logprobs["top_logprobs"][0] is None
    assert all(value < 0 for value in logprobs["token_logprobs"][1:])
    assert [text[offset:].startswith(token) for offset, token in zip(logprobs["text_offset"], logprobs["tokens"])] \
        == [True] * len(logprobs["tokens"])
    assert answer["usage"]["completion_tokens"] == 0
    assert answer["usage"]["prompt_tokens"] == len(tokens_of(server, text))
    # The same as what is said of a text that is generated.
    count = len(tokens_of(server, PROMPT))
    generated = create(server, max_tokens=1, temperature=0, logprobs=1).choices[0].logprobs
    scored = server.post("/v1/completions", {**body, "prompt": PROMPT + generated.tokens[0]})[2]["choices"][0]["logprobs"]
    if scored["tokens"][count:] == generated.tokens:
        assert scored["token_logprobs"][count] == pytest.approx(generated.token_logprobs[0], abs=2e-3)


def test_the_best_of_many(server):
    best = create(server, best_of=6, n=1, max_tokens=5, temperature=1.5, seed=3, logprobs=0)
    all_six = create(server, n=6, max_tokens=5, temperature=1.5, seed=3, logprobs=0)

    def quality(choice):
        return sum(choice.logprobs.token_logprobs) / len(choice.logprobs.token_logprobs)

    assert best.choices[0].text == max(all_six.choices, key=quality).text
    assert best.usage.completion_tokens == all_six.usage.completion_tokens


def test_a_stop_string(server):
    text = create(server, max_tokens=12, temperature=0).choices[0].text
    answer = create(server, max_tokens=12, temperature=0, stop=text[2:4])
    assert answer.choices[0].text == text[:text.index(text[2:4])] and answer.choices[0].finish_reason == "stop"


def test_fill_in_the_middle(server):
    if server.kind == "fake":
        assert create(server, prompt="def f(", suffix="):", max_tokens=4).choices[0].text
        return
    with pytest.raises(openai.BadRequestError) as error:  # the built-in model has no tokens for it
        create(server, prompt="def f(", suffix="):")
    assert error.value.param == "suffix"


def test_one_prompt_too_long_refuses_all(server):
    with pytest.raises(openai.BadRequestError) as error:
        create(server, prompt=[PROMPT, "word " * 60_000])
    assert error.value.code == "context_length_exceeded"


def test_unknown_model(server):
    with pytest.raises(openai.NotFoundError) as error:
        server.client.completions.create(model="no/such", prompt=["a", "b"])
    assert error.value.code == "model_not_found"


def test_closing_the_stream_stops_all_prompts():
    with running("fake", "--decode-ms", "20") as slow:
        stream = lax(slow).completions.create(model="fake", prompt=["a"] * 8, stream=True, max_tokens=3000,
                                              extra_body={"ignore_eos": True})
        next(iter(stream))
        stream.close()
        wait_until(lambda: slow.status()["active_requests"] == 0, 5, "the work goes on after the client has left")
