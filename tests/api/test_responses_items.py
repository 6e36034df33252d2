"""Function calls, reasoning, structured output, probabilities, counting and compaction in the Responses API."""
import json

import openai
import pydantic
import pytest

WEATHER = {"type": "function", "name": "get_weather", "description": "The weather", "strict": True,
           "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                          "additionalProperties": False}}


def say(text):
    return "@say{" + text + "}yas@"


def call_of(name, arguments):
    return "<tool_call>\n" + json.dumps({"name": name, "arguments": arguments}) + "\n</tool_call>"


def create(server, prompt, **fields):
    return server.client.responses.create(model=server.model, input=prompt, **{"max_output_tokens": 300, **fields})


def test_a_call_and_its_result(fake):
    first = create(fake, say(call_of("get_weather", {"city": "Rome"})), tools=[WEATHER])
    call, = first.output
    assert call.type == "function_call" and call.name == "get_weather" and call.status == "completed"
    assert json.loads(call.arguments) == {"city": "Rome"} and call.call_id != call.id
    assert first.status == "completed" and first.tools[0].parameters == WEATHER["parameters"] and first.tools[0].strict
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    chained = create(fake, [result], previous_response_id=first.id, tools=[WEATHER])
    whole = create(fake, [{"role": "user", "content": say(call_of("get_weather", {"city": "Rome"}))}, *first.output,
                          result], tools=[WEATHER])
    assert chained.usage.input_tokens == whole.usage.input_tokens
    listed, = fake.client.responses.input_items.list(chained.id).data
    assert listed.type == "function_call_output" and listed.output == "sunny"
    with pytest.raises(openai.BadRequestError) as error:
        create(fake, [{**result, "call_id": "call_none"}], tools=[WEATHER])
    assert "No tool call found" in error.value.message


def test_events_of_calls(fake):
    text = say("Let me see." + call_of("get_weather", {"city": "Rome"}) + call_of("get_weather", {"city": "Oslo"}))
    events = list(create(fake, text, tools=[WEATHER], stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    types = [event.type for event in events]
    squeezed = [t for i, t in enumerate(types) if i == 0 or t != types[i - 1] or not t.endswith("delta")]
    one_call = ["response.output_item.added", "response.function_call_arguments.delta",
                "response.function_call_arguments.done", "response.output_item.done"]
    assert squeezed == ["response.created", "response.in_progress", "response.output_item.added",
                        "response.content_part.added", "response.output_text.delta", "response.output_text.done",
                        "response.content_part.done", "response.output_item.done", *one_call, *one_call,
                        "response.completed"]
    calls = [e for e in events if e.type == "response.function_call_arguments.done"]
    assert [(e.name, json.loads(e.arguments), e.output_index) for e in calls] == [
        ("get_weather", {"city": "Rome"}, 1), ("get_weather", {"city": "Oslo"}, 2)]
    for done in calls:
        deltas = [e.delta for e in events
                  if e.type == "response.function_call_arguments.delta" and e.item_id == done.item_id]
        assert "".join(deltas) == done.arguments and len(deltas) > 1
    assert [item.type for item in events[-1].response.output] == ["message", "function_call", "function_call"]


def test_the_client_accumulates_calls(fake):
    with fake.client.responses.stream(model="fake", input=say(call_of("get_weather", {"city": "Rome"})),
                                      tools=[WEATHER]) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output[0].parsed_arguments == {"city": "Rome"}


def test_tool_choice(fake):
    other = {**WEATHER, "name": "other"}
    text = "no script"
    forced = create(fake, text, tools=[WEATHER, other], tool_choice={"type": "function", "name": "other"})
    assert [item.name for item in forced.output if item.type == "function_call"] == ["other"]
    assert forced.tool_choice.name == "other"
    required = create(fake, text, tools=[WEATHER], tool_choice="required")
    assert any(item.type == "function_call" for item in required.output)
    allowed = create(fake, text, tools=[WEATHER, other], tool_choice={
        "type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_weather"}]})
    assert {item.name for item in allowed.output if item.type == "function_call"} == {"get_weather"}
    assert allowed.tool_choice.mode == "required" and len(allowed.tools) == 2
    none = create(fake, say(call_of("get_weather", {})), tools=[WEATHER], tool_choice="none")
    assert all(item.type == "message" for item in none.output)
    hosted = create(fake, text, tools=[{"type": "web_search"}, WEATHER], tool_choice="auto")
    assert hosted.tools[0].type == "web_search"
    single = create(fake, say(2 * call_of("get_weather", {"city": "Rome"})), tools=[WEATHER], parallel_tool_calls=False)
    assert len(single.output) == 1 and single.parallel_tool_calls is False


def test_a_tool_loop(server):
    """Call, result, answer; as a stream and not. What the model says is its own business: that it calls is the grammar's."""
    question = "What is the weather in Rome?" if server.kind == "allm" else say(call_of("get_weather", {"city": "Rome"}))
    common = dict(model=server.model, tools=[WEATHER], temperature=0, max_output_tokens=200)
    choice = {"type": "function", "name": "get_weather"}
    first = server.client.responses.create(input=question, tool_choice=choice, **common)
    *_, streamed = server.client.responses.create(input=question, tool_choice=choice, stream=True, **common)
    call = next(item for item in first.output if item.type == "function_call")
    assert isinstance(json.loads(call.arguments)["city"], str) and call.status == "completed"
    again = next(item for item in streamed.response.output if item.type == "function_call")
    assert json.loads(again.arguments) == json.loads(call.arguments)
    result = [{"type": "function_call_output", "call_id": call.call_id, "output": '{"weather": "sunny"}'}]
    answer = server.client.responses.create(input=result, previous_response_id=first.id, tool_choice="none", **common)
    assert [item.type for item in answer.output] == ["message"] and answer.output_text
    events = list(server.client.responses.create(input=result, previous_response_id=first.id, tool_choice="none",
                                                 stream=True, **common))
    assert events[-1].response.output_text == answer.output_text


def test_reasoning_is_an_item_of_its_own(fake):
    text = say("<think>\nhm, let me think\n</think>\n\nForty-two.")
    whole = create(fake, text, include=["reasoning.encrypted_content"], reasoning={"effort": "low", "summary": "auto"})
    thought, message = whole.output
    assert thought.type == "reasoning" and "let me think" in thought.content[0].text and thought.summary == []
    assert message.content[0].text.strip() == "Forty-two." and whole.output_text == message.content[0].text
    assert whole.usage.output_tokens_details.reasoning_tokens > 0 and whole.reasoning.effort == "low"
    events = list(create(fake, text, stream=True))
    types = [event.type for event in events]
    for one in ("response.reasoning_text.delta", "response.reasoning_text.done", "response.content_part.added"):
        assert one in types
    assert types.index("response.reasoning_text.done") < types.index("response.output_text.delta")
    assert [item.type for item in events[-1].response.output] == ["reasoning", "message"]
    # Back it goes, open or encoded; what another server has encrypted cannot be read.
    for item in ({"type": "reasoning", "id": thought.id, "summary": [], "encrypted_content": thought.encrypted_content},
                 thought):
        create(fake, [{"role": "user", "content": "a"}, item, message, {"role": "user", "content": "b"}])
    with pytest.raises(openai.BadRequestError) as error:
        create(fake, [{"type": "reasoning", "summary": [], "encrypted_content": "gAAAAB"}])
    assert error.value.param == "input[0].encrypted_content"


def test_parse(fake):
    class City(pydantic.BaseModel):
        name: str
        population: int

    response = fake.client.responses.parse(model="fake", input=say('{"name": "Rome", "population": 3}'),
                                           text_format=City)
    assert response.output_parsed == City(name="Rome", population=3)
    assert response.text.format.type == "json_schema" and response.text.format.name == "City"
    again = fake.client.responses.create(model="fake", max_output_tokens=5, input=[*response.output, {
        "role": "user", "content": "again"}])
    assert again.usage.input_tokens > 0
    plain = create(fake, say('{"a": [1]}'), text={"format": {"type": "json_object"}})
    assert json.loads(plain.output_text) == {"a": [1]}


def test_probabilities(fake):
    whole = create(fake, "Hi", max_output_tokens=8, top_logprobs=3, include=["message.output_text.logprobs"])
    tokens = whole.output[0].content[0].logprobs
    assert "".join(token.token for token in tokens).startswith(whole.output_text) and whole.top_logprobs == 3
    assert all(len(token.top_logprobs) == 3 and token.logprob <= 0 for token in tokens)
    events = list(create(fake, "Hi", max_output_tokens=8, top_logprobs=3, include=["message.output_text.logprobs"],
                         stream=True, extra_body={"seed": 1}))
    streamed = [token for e in events if e.type == "response.output_text.delta" for token in e.logprobs]
    done = next(e for e in events if e.type == "response.output_text.done")
    assert [t.token for t in streamed] == [t.token for t in done.logprobs]
    assert create(fake, "Hi").output[0].content[0].logprobs == []


def test_input_tokens(server):
    body = dict(input="How many are these?", instructions="Count.", tools=[WEATHER])
    counted = server.client.responses.input_tokens.count(model=server.model, **body)
    made = create(server, body.pop("input"), max_output_tokens=1, **body)
    assert counted.input_tokens == made.usage.input_tokens and counted.object == "response.input_tokens"
    chained = server.client.responses.input_tokens.count(model=server.model, input="more", previous_response_id=made.id)
    assert chained.input_tokens > 0
    with pytest.raises(openai.BadRequestError) as error:
        server.client.responses.input_tokens.count(input="x")
    assert error.value.param == "model"
    with pytest.raises(openai.NotFoundError):
        server.client.responses.input_tokens.count(model="no/such", input="x")


def test_compact(server):
    turns = [{"role": "developer", "content": "Be kind."}]
    for i in range(30):
        turns += [{"role": "user", "content": f"question {i} " + "word " * 20},
                  {"role": "assistant", "content": f"answer {i} " + "word " * 20}]
    count = lambda items: server.client.responses.input_tokens.count(model=server.model, input=items).input_tokens
    compacted = server.client.responses.compact(model=server.model, input=turns)
    item, = compacted.output
    assert compacted.object == "response.compaction" and item.type == "compaction"
    assert compacted.usage.input_tokens == count(turns)
    after = [item, {"role": "user", "content": "And now?"}]
    assert count(after) < count(turns)
    made = server.client.responses.create(model=server.model, input=after, max_output_tokens=4)
    assert made.usage.input_tokens == count(after)
    assert server.client.responses.input_items.list(made.id).data[-1].type == "compaction"
    assert "Be kind." in item.encrypted_content and "question 29" in item.encrypted_content
    assert "question 0 " not in item.encrypted_content
    again = server.client.responses.compact(model=server.model, previous_response_id=made.id)
    assert again.output[0].type == "compaction" and "And now?" in again.output[0].encrypted_content
