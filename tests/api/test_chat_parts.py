"""What Chat Completions can do beyond text, through the official Python client: choices, probabilities, tools, structured
output, reasoning."""
import json
import math
from typing import Literal

import openai
import pydantic
import pytest

HELLO = [{"role": "user", "content": "Who are you?"}]


def create(server, messages=HELLO, **more):
    return server.client.chat.completions.create(model=server.model, messages=messages, **more)


# --- choices and probabilities --------------------------------------------------------------------------------------


def test_choices(server):
    answer = create(server, n=3, max_tokens=12, temperature=1.5, seed=1)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert answer.usage.completion_tokens <= 36
    # Choice i has the seed + i, so that each can be had alone.
    alone = [create(server, max_tokens=12, temperature=1.5, seed=1 + i).choices[0].message.content for i in range(3)]
    assert [choice.message.content for choice in answer.choices] == alone


def test_choices_of_a_stream(server):
    common = dict(n=2, max_tokens=12, temperature=1.5, seed=5)
    whole = create(server, **common)
    texts, reasons = ["", ""], [None, None]
    for chunk in create(server, **common, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            reasons[choice.index] = choice.finish_reason or reasons[choice.index]
    assert texts == [choice.message.content for choice in whole.choices]
    assert reasons == [choice.finish_reason for choice in whole.choices]


def test_probabilities(server):
    common = dict(max_tokens=8, temperature=0, logprobs=True, top_logprobs=4)
    answer = create(server, **common).choices[0]
    tokens = answer.logprobs.content
    # "bytes" is exact where a token is only a part of a character.
    text = b"".join(bytes(token.bytes) for token in tokens).decode()
    assert text.startswith(answer.message.content)
    for token in tokens:
        assert len(token.top_logprobs) == 4
        probabilities = [math.exp(top.logprob) for top in token.top_logprobs]
        assert probabilities == sorted(probabilities, reverse=True) and sum(probabilities) <= 1.0001
        assert token.logprob == pytest.approx(token.top_logprobs[0].logprob, abs=1e-5)  # greedy
    streamed = [token for chunk in create(server, **common, stream=True) for choice in chunk.choices if choice.logprobs
                for token in choice.logprobs.content]
    assert [token.bytes for token in streamed] == [token.bytes for token in tokens]


def test_probabilities_need_no_alternatives(server):
    tokens = create(server, max_tokens=4, logprobs=True).choices[0].logprobs.content
    assert tokens and all(token.top_logprobs == [] for token in tokens)


# --- tools ----------------------------------------------------------------------------------------------------------


class Add(pydantic.BaseModel):
    """Adds two numbers."""
    a: int
    b: int


class Paint(pydantic.BaseModel):
    colour: Literal["red", "green", "blue"]
    strokes: list[Literal[1, 2, 3]] = pydantic.Field(max_length=4)


ADD, PAINT = openai.pydantic_function_tool(Add, name="add"), openai.pydantic_function_tool(Paint, name="paint")
# Not "strict": of a stream that is, the packaged client reads parts with a function that its packaged jiter lacks.
LOOSE_ADD = {"type": "function", "function": {**ADD["function"], "strict": False}}
SUM = [{"role": "user", "content": "What is 2 plus 3?"}]
FORCED = dict(messages=SUM, tools=[PAINT, ADD], max_tokens=600)


def test_a_tool_must_be_called(server):
    choice = create(server, **FORCED, tool_choice="required", parallel_tool_calls=False).choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.content is None
    call, = choice.message.tool_calls
    assert call.type == "function" and call.id.startswith("call_")
    {"add": Add, "paint": Paint}[call.function.name].model_validate_json(call.function.arguments)


def test_one_tool_must_be_called(server):
    for temperature in (0, 1.5):
        choice = create(server, **FORCED, temperature=temperature, parallel_tool_calls=False,
                        tool_choice={"type": "function", "function": {"name": "paint"}}).choices[0]
        assert choice.finish_reason == "tool_calls"
        Paint.model_validate_json(choice.message.tool_calls[0].function.arguments)


def test_only_allowed_tools_are_seen(server):
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "paint"}}]}
    choice = create(server, **FORCED, parallel_tool_calls=False,
                    tool_choice={"type": "allowed_tools", "allowed_tools": allowed}).choices[0]
    assert choice.message.tool_calls[0].function.name == "paint"


def test_no_tool_may_be_called(server):
    choice = create(server, messages=SUM, tools=[ADD], tool_choice="none", max_tokens=40).choices[0]
    assert not choice.message.tool_calls and choice.finish_reason != "tool_calls"


def test_a_call_is_parsed_by_the_client(server):
    call = server.client.chat.completions.parse(model=server.model, messages=SUM, tools=[ADD], max_tokens=600,
                                                tool_choice="required", parallel_tool_calls=False).choices[0].message
    assert isinstance(call.tool_calls[0].function.parsed_arguments, Add)


def test_the_client_accumulates_a_call(server):
    with server.client.chat.completions.stream(model=server.model, messages=SUM, tools=[LOOSE_ADD], max_tokens=600,
                                               tool_choice="required", parallel_tool_calls=False) as stream:
        deltas = "".join(event.arguments_delta for event in stream
                         if event.type == "tool_calls.function.arguments.delta")
        final = stream.get_final_completion()
    call = final.choices[0].message.tool_calls[0]
    assert deltas == call.function.arguments
    Add.model_validate_json(deltas)


def test_a_streamed_call_is_the_whole_one(server):
    common = dict(**FORCED, tool_choice="required", parallel_tool_calls=False, temperature=0)
    whole = create(server, **common).choices[0].message.tool_calls[0].function
    chunks = [chunk.choices[0] for chunk in create(server, **common, stream=True)]
    parts = [call for choice in chunks for call in choice.delta.tool_calls or []]
    assert parts[0].id and parts[0].type == "function" and parts[0].function.name == whole.name
    assert all(part.index == 0 and part.id is None and part.function.name is None for part in parts[1:])
    assert "".join(part.function.arguments or "" for part in parts) == whole.arguments
    assert chunks[-1].finish_reason == "tool_calls"


def test_a_call_cut_short(server):
    """Wherever the limit falls, the answer is in order, and whatever there is of it can be sent back."""
    common = {**FORCED, "tool_choice": "required", "temperature": 0, "parallel_tool_calls": False}
    whole = create(server, **common).choices[0].message.tool_calls[0].function.arguments
    for limit in (1, 3, 6, 12, 18):
        cut = create(server, **{**common, "max_tokens": limit}).choices[0]
        again = [*SUM, {"content": "", **cut.message.model_dump(exclude_none=True)}]
        if cut.message.tool_calls:
            call = cut.message.tool_calls[0]
            assert whole.startswith(call.function.arguments)
            again.append({"role": "tool", "tool_call_id": call.id, "content": "cut"})
        assert cut.finish_reason == "length"
        assert create(server, messages=[*again, *SUM], tools=[ADD], max_tokens=4).choices


def test_broken_calls_of_the_past(server):
    for arguments in ("", "{", '{"a":', "null", "[1]", "not json", '{"a":1,"a":2}', "\u0000", "{}" * 50, "[" * 500):
        history = [*SUM, {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": arguments}}]},
                   {"role": "tool", "tool_call_id": "call_1", "content": "5"}]
        status, _, body = server.post("/v1/chat/completions", {"model": server.model, "messages": history, "max_tokens": 3})
        assert status == 200 or (status == 400 and body["error"]["message"]), (arguments[:20], body)


def test_tools_that_are_no_functions_are_accepted(server):
    tools = [{"type": "web_search", "depth": 3}, {"type": "from_the_future"}]
    assert create(server, tools=tools, max_tokens=4).choices
    with pytest.raises(openai.BadRequestError) as error:
        create(server, tools=tools, tool_choice="required")
    assert error.value.param == "tool_choice"


@pytest.mark.parametrize("stream", [False, True])
def test_the_assistant_uses_a_tool(server, stream):
    """Asked, it calls; given the result, it answers with it."""
    if server.kind == "fake":
        pytest.skip("needs a model that was taught to")

    def ask(history):
        common = dict(model=server.model, messages=history, tools=[LOOSE_ADD], temperature=0, max_tokens=80)
        if not stream:
            return server.client.chat.completions.create(**common).choices[0].message
        with server.client.chat.completions.stream(**common) as events:
            for _ in events:
                pass
            return events.get_final_completion().choices[0].message

    called = ask(SUM)
    call, = called.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("add", {"a": 2, "b": 3})
    answer = ask([*SUM, called.model_dump(exclude_none=True, include={"role", "content", "tool_calls"}),
                  {"role": "tool", "tool_call_id": call.id, "content": "5"}])
    assert "5" in answer.content and not answer.tool_calls


# --- structured output ----------------------------------------------------------------------------------------------


class Person(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=8)
    age: int = pydantic.Field(ge=0, le=150)
    likes: list[Literal["tea", "coffee"]] = pydantic.Field(max_length=3)


def test_parse(server):
    for seed in range(4):
        answer = server.client.chat.completions.parse(model=server.model, messages=HELLO, response_format=Person,
                                                      temperature=1.5, seed=seed, max_tokens=400)
        person = answer.choices[0].message.parsed
        assert isinstance(person, Person) and 0 <= person.age <= 150


def test_a_stream_is_held_to_it_as_well(server):
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": Person.model_json_schema()}}
    chunks = create(server, response_format=form, seed=3, temperature=1.5, max_tokens=400, stream=True)
    Person.model_validate_json("".join(chunk.choices[0].delta.content or "" for chunk in chunks))


def test_json_object(server):
    answer = create(server, response_format={"type": "json_object"}, max_tokens=600, temperature=0).choices[0]
    if answer.finish_reason == "stop":
        assert isinstance(json.loads(answer.message.content), dict)
    else:
        assert answer.message.content.lstrip().startswith("{")


def test_grammar(server):
    for seed in range(6):
        answer = create(server, seed=seed, temperature=2, max_tokens=20,
                        extra_body={"grammar": 'root ::= ("yes" | "no") " sir"?'}).choices[0]
        assert answer.message.content in ("yes", "no", "yes sir", "no sir") and answer.finish_reason == "stop"


def test_what_cannot_be_held_is_refused(server):
    for schema, place in [({"type": "object", "properties": {"a": {"type": "string", "pattern": "(?=x)"}}}, "properties.a"),
                          ({"$ref": "#/$defs/missing"}, "$ref"), ({"not": {"type": "string"}}, "not")]:
        with pytest.raises(openai.BadRequestError) as error:
            create(server, response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
        assert error.value.param.startswith("response_format.json_schema.schema"), error.value
        assert place.split(".")[-1] in error.value.param + error.value.message


def test_an_answer_has_one_form(server):
    with pytest.raises(openai.BadRequestError) as error:
        create(server, response_format={"type": "json_object"}, extra_body={"grammar": 'root ::= "a"'})
    assert error.value.param in ("grammar", "response_format")


# --- reasoning ------------------------------------------------------------------------------------------------------


def test_reasoning_is_apart(server):
    if server.kind == "fake":
        pytest.skip("needs a model that was taught to")
    question = [{"role": "user", "content": "What is 12 + 30?"}]
    common = dict(messages=question, max_tokens=120, temperature=0)
    answer = create(server, **common, reasoning_effort="high")
    message = answer.choices[0].message
    assert message.reasoning_content and "think>" not in message.content + message.reasoning_content
    details = answer.usage.completion_tokens_details
    assert 0 < details.reasoning_tokens < answer.usage.completion_tokens
    deltas = [chunk.choices[0].delta for chunk in create(server, **common, reasoning_effort="high", stream=True)]
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == message.reasoning_content
    assert "".join(delta.content or "" for delta in deltas) == message.content

    silent = create(server, **common, reasoning_effort="none")
    assert silent.usage.completion_tokens_details.reasoning_tokens == 0
    mixed = create(server, **common, extra_body={"reasoning_format": "none",
                                                 "chat_template_kwargs": {"enable_thinking": True}}).choices[0].message
    assert message.reasoning_content in mixed.content and not hasattr(mixed, "reasoning_content")


def test_no_eyes(server):
    for url, code in [("data:image/png;base64,iVBORw0KGgo=", "unsupported_parameter"),
                      ("https://example.com/cat.png", "unsupported_parameter"), ("cat.png", "invalid_request")]:
        with pytest.raises(openai.BadRequestError) as error:
            create(server, messages=[{"role": "user", "content": [{"type": "text", "text": "What is this?"},
                                                                  {"type": "image_url", "image_url": {"url": url}}]}])
        assert error.value.param == "messages[0].content[1].image_url.url" and error.value.code == code


def test_an_unknown_adapter(server):
    with pytest.raises(openai.NotFoundError) as error:
        create(server, extra_body={"lora": [{"model": "no/such", "scale": 0.5}]})
    assert error.value.param.startswith("lora")
