"""Embeddings, relevance scores and tokens."""
import base64
import math
import struct

import openai
import pytest

from api_server import running


def embed(server, **body):
    """Strictly: the client's own default, base64, is turned into floats only after the strict check has refused it."""
    return server.client.embeddings.create(model="fake-embed", encoding_format="float", **body)


def length(vector):
    return math.sqrt(sum(x * x for x in vector))


def test_embeddings_of_every_form_of_input(fake):
    one = embed(fake, input="blue apples")
    assert one.model == "fake-embed" and one.object == "list" and one.data[0].index == 0
    assert math.isclose(length(one.data[0].embedding), 1, abs_tol=1e-5)
    many = embed(fake, input=["blue apples", "red"])
    assert [d.index for d in many.data] == [0, 1]
    assert many.data[0].embedding == one.data[0].embedding != many.data[1].embedding
    ids = fake.post("/tokenize", {"model": "fake-embed", "content": "blue apples", "add_special": True})[2]["tokens"]
    assert one.usage.prompt_tokens == one.usage.total_tokens == len(ids)
    assert embed(fake, input=ids).data[0].embedding == one.data[0].embedding
    both = embed(fake, input=[ids, [1, 2]])
    assert both.data[0].embedding == one.data[0].embedding


def test_base64_is_what_floats_are(fake):
    common = {"model": "fake-embed", "input": "pears"}
    floats = fake.post("/v1/embeddings", common | {"encoding_format": "float"})[2]["data"][0]["embedding"]
    text = fake.post("/v1/embeddings", common | {"encoding_format": "base64"})[2]["data"][0]["embedding"]
    raw = base64.b64decode(text, validate=True)
    lenient = openai.OpenAI(base_url=fake.url + "/v1", api_key="none")
    assert lenient.embeddings.create(**common).data[0].embedding == pytest.approx(floats)
    assert struct.unpack(f"<{len(raw) // 4}f", raw) == tuple(struct.unpack("<f", struct.pack("<f", x))[0] for x in floats)


def test_dimensions_are_cut_and_normalised(fake):
    whole = embed(fake, input="pears").data[0].embedding
    cut = embed(fake, input="pears", dimensions=3).data[0].embedding
    assert len(cut) == 3 and math.isclose(length(cut), 1, abs_tol=1e-5)
    assert math.isclose(cut[0] / cut[1], whole[0] / whole[1], rel_tol=1e-4)
    with pytest.raises(openai.BadRequestError, match="dimensions") as caught:
        embed(fake, input="pears", dimensions=10_000)
    assert caught.value.param == "dimensions"


@pytest.mark.parametrize("body, param", [
    ({"input": ""}, "input"), ({"input": []}, "input"), ({"input": ["a", ""]}, "input[1]"),
    ({"input": ["a", 7]}, "input[1]"), ({"input": [1, -7]}, "input"), ({"input": {"text": "a"}}, "input"),
    ({}, "input"), ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
    ({"input": "a", "colour": "red"}, "colour"), ({"input": "a", "dimensions": 0}, "dimensions"),
])
def test_bad_inputs_are_named(fake, body, param):
    status, _, answer = fake.post("/v1/embeddings", {"model": "fake-embed", **body})
    assert status == 400 and answer["error"]["param"] == param, answer


def test_a_model_that_cannot_embed_says_so(fake):
    status, _, answer = fake.post("/v1/embeddings", {"model": "fake", "input": "a"})
    assert status == 400 and "embed" in answer["error"]["message"], answer


def test_too_long_a_text_has_both_counts_or_is_cut():
    with running("fake", "--n-ctx", "64") as server:
        status, _, answer = server.post("/v1/embeddings", {"model": "fake-embed", "input": "a" * 100})
        assert status == 400 and answer["error"]["code"] == "context_length_exceeded"
        assert "64" in answer["error"]["message"] and "100" in answer["error"]["message"]
        status, _, answer = server.post("/v1/embeddings", {"model": "fake-embed", "input": "a" * 100, "truncate": True})
        assert status == 200 and answer["usage"]["prompt_tokens"] == 64


def test_rerank_sorts_by_relevance(fake):
    body = {"model": "fake-rerank", "query": "abc", "documents": ["xyz", "abcabc", {"text": "abxy"}]}
    status, _, answer = fake.post("/v1/rerank", body)
    assert status == 200
    assert [r["index"] for r in answer["results"]] == [1, 2, 0]
    scores = [r["relevance_score"] for r in answer["results"]]
    assert scores == sorted(scores, reverse=True) and all(0 < s < 1 for s in scores)
    assert answer["usage"]["total_tokens"] > 10
    raw = fake.post("/v1/rerank", body | {"raw_scores": True})[2]["results"]
    assert all(math.isclose(1 / (1 + math.exp(-r["relevance_score"])), s) for r, s in zip(raw, scores))
    best = fake.post("/v1/rerank", body | {"top_n": 1, "return_documents": True})[2]["results"]
    assert len(best) == 1 and best[0]["document"] == {"text": "abcabc"}


@pytest.mark.parametrize("change, param", [
    ({"query": ""}, "query"), ({"query": None}, "query"), ({"documents": []}, "documents"),
    ({"documents": ["a", 1]}, "documents[1]"), ({"documents": [{"title": "a"}]}, "documents[0].title"),
    ({"top_n": 0}, "top_n"),
])
def test_bad_rerank_requests_are_named(fake, change, param):
    status, _, answer = fake.post("/v1/rerank", {"model": "fake-rerank", "query": "a", "documents": ["b"], **change})
    assert status == 400 and answer["error"]["param"] == param, answer


def test_tokens_there_and_back(server):
    text = "Hello, wörld! 🚀"
    status, _, answer = server.post("/tokenize", {"model": server.model, "content": text})
    assert status == 200 and answer["count"] == len(answer["tokens"]) > 3 and answer["max_model_len"] > 0
    assert server.post("/detokenize", {"model": server.model, "tokens": answer["tokens"]})[2] == {"content": text}
    pieces = server.post("/tokenize", {"model": server.model, "content": text, "with_pieces": True})[2]["tokens"]
    assert [p["id"] for p in pieces] == answer["tokens"]
    whole = b"".join(p["piece"].encode() if isinstance(p["piece"], str) else bytes(p["piece"]) for p in pieces)
    assert whole.decode() == text
    special = server.post("/tokenize", {"model": server.model, "content": "<|im_end|>"})[2]["count"]
    plain = server.post("/tokenize", {"model": server.model, "content": "<|im_end|>", "parse_special": False})[2]["count"]
    assert special == 1 < plain


def test_the_only_loaded_model_needs_no_name():
    with running("fake") as server:
        assert server.post("/tokenize", {"content": "ab"})[2]["error"]["param"] == "model"
        server.post("/load", {"model": "fake"})
        assert server.post("/tokenize", {"content": "ab"})[2]["tokens"] == [97, 98]


def test_apply_template_is_what_a_chat_sees(server):
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}]
    status, _, answer = server.post("/apply-template", {"model": server.model, "messages": messages})
    assert status == 200 and "Be kind." in answer["prompt"] and answer["prompt"].index("Be kind.") < answer[
        "prompt"].index("Hello")
    count = server.post("/tokenize", {"model": server.model, "content": answer["prompt"]})[2]["count"]
    chat = server.client.chat.completions.create(model=server.model, messages=messages, max_tokens=1)
    assert chat.usage.prompt_tokens == count


@pytest.mark.parametrize("path, body, param", [
    ("/tokenize", {"content": 7}, "content"), ("/tokenize", {}, "content"), ("/detokenize", {}, "tokens"),
    ("/detokenize", {"tokens": ["a"]}, "tokens"), ("/apply-template", {}, "messages"),
    ("/tokenize", {"content": "a", "why": 1}, "why"),
])
def test_bad_token_requests_are_named(fake, path, body, param):
    status, _, answer = fake.post(path, {"model": "fake", **body})
    assert status == 400 and answer["error"]["param"] == param, answer


def test_a_token_that_the_model_does_not_have(fake):
    status, _, answer = fake.post("/detokenize", {"model": "fake", "tokens": [99_999_999]})
    assert status == 400, answer
