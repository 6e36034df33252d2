"""The Responses API through the official Python client, every object and event validated strictly."""
import openai
import pytest

from api_server import running, wait_until

KEYS = {"id", "object", "created_at", "completed_at", "status", "incomplete_details", "model", "previous_response_id",
        "instructions", "output", "error", "tools", "tool_choice", "truncation", "parallel_tool_calls", "text", "top_p",
        "presence_penalty", "frequency_penalty", "top_logprobs", "temperature", "reasoning", "user", "usage",
        "max_output_tokens", "max_tool_calls", "store", "background", "service_tier", "metadata", "safety_identifier",
        "prompt_cache_key"}


def test_whole(server):
    response = server.client.responses.create(model=server.model, input="Who are you?", temperature=0,
                                              max_output_tokens=40, metadata={"a": "b"}, instructions="Be brief.")
    assert response.status in ("completed", "incomplete") and response.output_text
    assert response.metadata == {"a": "b"} and response.instructions == "Be brief." and response.temperature == 0
    assert response.output[0].id.startswith("msg_") and response.id.startswith("resp_")
    usage = response.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens and usage.output_tokens > 0
    assert usage.input_tokens_details.cached_tokens >= 0 and usage.output_tokens_details.reasoning_tokens == 0


def test_every_key_is_there(server):
    status, _, body = server.post("/v1/responses", {"model": server.model, "input": "Hi", "max_output_tokens": 2})
    assert status == 200 and set(body) == KEYS


def test_events(server):
    common = dict(model=server.model, input="Who are you?", temperature=0, max_output_tokens=64)
    whole = server.client.responses.create(**common)
    events = list(server.client.responses.create(**common, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    types = [event.type for event in events]
    n_deltas = types.count("response.output_text.delta")
    assert n_deltas > 0
    last = "response.completed" if whole.status == "completed" else "response.incomplete"
    assert types == ["response.created", "response.in_progress", "response.output_item.added",
                     "response.content_part.added", *["response.output_text.delta"] * n_deltas,
                     "response.output_text.done", "response.content_part.done", "response.output_item.done", last]
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-4].text == events[-1].response.output_text == whole.output_text
    assert events[0].response.status == "in_progress" and events[0].response.output == []
    assert events[-1].response.usage.output_tokens == whole.usage.output_tokens
    assert len({event.item_id for event in events if hasattr(event, "item_id")}) == 1


def test_the_client_accumulates_a_stream(server):
    with server.client.responses.stream(model=server.model, input="Hi", temperature=0, max_output_tokens=400) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text


def test_a_limit_makes_it_incomplete(server):
    response = server.client.responses.create(model=server.model, input="Hi", max_output_tokens=3,
                                              extra_body={"ignore_eos": True})
    assert response.status == "incomplete" and response.incomplete_details.reason == "max_output_tokens"
    assert response.usage.output_tokens == 3 and response.output[0].status == "incomplete"
    *_, last = server.client.responses.create(model=server.model, input="Hi", max_output_tokens=3, stream=True,
                                              extra_body={"ignore_eos": True})
    assert last.type == "response.incomplete"


def test_items_and_what_comes_back(server):
    first = server.client.responses.create(model=server.model, input="Hi", max_output_tokens=5)
    conversation = [{"role": "developer", "content": "Be kind."},
                    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
                    *[item.model_dump(exclude_none=True) for item in first.output],
                    {"role": "user", "content": "Again"}]
    second = server.client.responses.create(model=server.model, input=conversation, max_output_tokens=5)
    assert second.usage.input_tokens > first.usage.input_tokens


def test_chat_and_responses_say_the_same(server):
    response = server.client.responses.create(model=server.model, input="Who are you?", temperature=0,
                                              max_output_tokens=30)
    answer = server.client.chat.completions.create(model=server.model, temperature=0, max_tokens=30,
                                                   messages=[{"role": "user", "content": "Who are you?"}])
    assert response.output_text == answer.choices[0].message.content


def test_errors(server):
    with pytest.raises(openai.NotFoundError) as error:
        server.client.responses.create(model="no/such", input="Hi")
    assert error.value.code == "model_not_found"
    for field, value in [("conversation", "conv_1"), ("prompt", {"id": "p"}), ("reasoning", {"effort": "extreme"}),
                         ("reasoning", {"summary": "detailed"}), ("tools", [{"type": "function"}]),
                         ("tool_choice", "required"), ("text", {"verbosity": "high"}), ("temperature", 3),
                         ("context_management", [{"type": "compaction"}]), ("service_tier", "flex")]:
        with pytest.raises(openai.BadRequestError) as error:
            server.client.responses.create(model=server.model, input="Hi", **{field: value})
        assert error.value.param.startswith(field), field


def test_too_long_an_input_is_refused_or_cut(server):
    history = [{"role": "user" if i % 2 == 0 else "assistant", "content": "word " * 500} for i in range(400)]
    long = [*history, {"role": "user", "content": "Hi"}]
    with pytest.raises(openai.BadRequestError) as error:
        server.client.responses.create(model=server.model, input=long)
    assert error.value.code == "context_length_exceeded"
    response = server.client.responses.create(model=server.model, input=long, truncation="auto", max_output_tokens=4)
    assert response.truncation == "auto" and response.usage.output_tokens > 0


def test_closing_the_stream_stops_the_work():
    with running("fake", "--decode-ms", "20") as slow:
        stream = slow.client.responses.create(model="fake", input="Hi", stream=True, max_output_tokens=3000,
                                              extra_body={"ignore_eos": True})
        next(stream)
        stream.close()
        wait_until(lambda: slow.status()["active_requests"] == 0, 5, "the work goes on after the client has left")
