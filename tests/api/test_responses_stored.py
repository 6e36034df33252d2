"""Stored responses: chains, lookups, the background, restarts; through the official Python client, strictly."""
import os
import pathlib
import sqlite3
import tempfile
import threading

import openai
import pytest

from api_server import running, wait_until


@pytest.fixture(scope="module")
def slow():
    with running("fake", "--decode-ms", "20") as started:
        yield started


def create(server, text="Hi", **fields):
    return server.client.responses.create(model=server.model, input=text,
                                          **{"max_output_tokens": 16, "temperature": 0, **fields})


def finished(server, response, seconds=60):
    wait_until(lambda: server.client.responses.retrieve(response.id).status not in ("queued", "in_progress"), seconds,
               "it does not end")
    return server.client.responses.retrieve(response.id)


# --- lookups ---------------------------------------------------------------------------------------------------------

def test_what_was_made_can_be_read_again(server):
    made = create(server, "Hi", metadata={"a": "b"}, instructions="Be brief.")
    assert server.client.responses.retrieve(made.id) == made
    server.client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        server.client.responses.retrieve(made.id)
    with pytest.raises(openai.NotFoundError):
        server.client.responses.delete(made.id)


def test_a_stream_is_stored_before_it_says_so(server):
    *_, last = create(server, stream=True)
    assert server.client.responses.retrieve(last.response.id) == last.response


def test_what_is_not_stored_cannot_be_read(server):
    made = create(server, store=False)
    with pytest.raises(openai.NotFoundError):
        server.client.responses.retrieve(made.id)
    with pytest.raises(openai.NotFoundError):
        server.client.responses.input_items.list(made.id)
    with pytest.raises(openai.NotFoundError) as error:
        create(server, previous_response_id=made.id)
    assert error.value.code == "previous_response_not_found" and error.value.param == "previous_response_id"


def test_what_is_included_is_settled(server):
    made = create(server)
    with pytest.raises(openai.BadRequestError) as error:
        server.client.responses.retrieve(made.id, include=["message.output_text.logprobs"])
    assert error.value.param == "include"


def test_delete_answers_like_openai(server):
    made = create(server)
    status, _, body = server.request("DELETE", f"/v1/responses/{made.id}")
    assert (status, body) == (200, {"id": made.id, "object": "response", "deleted": True})


def test_input_items_in_pages(server):
    items = [{"role": "user" if i % 2 == 0 else "assistant", "content": f"text {i}"} for i in range(7)]
    made = create(server, items)
    texts = lambda page: [item.content[0].text for item in page.data]
    page = server.client.responses.input_items.list(made.id, limit=3)
    assert texts(page) == ["text 6", "text 5", "text 4"] and page.has_more and page.first_id == page.data[0].id
    assert texts(page.get_next_page()) == ["text 3", "text 2", "text 1"]
    assert [item.content[0].text for item in page] == [f"text {i}" for i in range(6, -1, -1)]
    page = server.client.responses.input_items.list(made.id, order="asc", limit=100)
    assert texts(page) == [f"text {i}" for i in range(7)] and not page.has_more
    page = server.client.responses.input_items.list(made.id, order="asc", after=page.data[4].id)
    assert texts(page) == ["text 5", "text 6"]
    for wrong in [{"limit": 0}, {"limit": 101}, {"order": "up"}, {"after": "nothing"}]:
        with pytest.raises(openai.BadRequestError) as error:
            server.client.responses.input_items.list(made.id, **wrong)
        assert error.value.param == list(wrong)[0]
    with pytest.raises(openai.NotFoundError):
        server.client.responses.input_items.list("resp_none")


# --- chains ----------------------------------------------------------------------------------------------------------

def test_a_chain_is_the_whole_conversation(server):
    first = create(server, "My name is Ada.", temperature=0)
    second = create(server, "And I am old.", previous_response_id=first.id, temperature=0)
    third = create(server, "Who am I?", previous_response_id=second.id, temperature=0)
    whole = create(server, [{"role": "user", "content": "My name is Ada."}, *first.output,
                            {"role": "user", "content": "And I am old."}, *second.output,
                            {"role": "user", "content": "Who am I?"}], temperature=0)
    assert third.previous_response_id == second.id
    assert third.usage.input_tokens == whole.usage.input_tokens and third.output_text == whole.output_text
    assert [item.content[0].text for item in server.client.responses.input_items.list(third.id)] == ["Who am I?"]


def test_instructions_are_not_inherited(server):
    plain = create(server, "Hi", temperature=0)
    rules = create(server, "Hi", instructions="Speak like a pirate, always.", temperature=0)
    after_plain = create(server, "Again", previous_response_id=plain.id)
    after_rules = create(server, "Again", previous_response_id=rules.id)
    assert rules.usage.input_tokens > plain.usage.input_tokens + 10
    # The answers before may differ in length; the instructions would be more.
    longer = max(0, rules.usage.output_tokens - plain.usage.output_tokens)
    assert after_rules.usage.input_tokens - after_plain.usage.input_tokens <= longer + 5


def test_a_branch_and_a_deleted_ancestor(server):
    root = create(server)
    left, right = (create(server, text, previous_response_id=root.id) for text in ("left", "right"))
    assert left.id != right.id
    server.client.responses.delete(root.id)
    with pytest.raises(openai.NotFoundError) as error:
        create(server, "more", previous_response_id=left.id)
    assert error.value.code == "previous_response_not_found" and root.id in error.value.message


def test_references_to_items(server):
    first = create(server, "The word is xyzzy.")
    item = first.output[0]
    direct = create(server, [*first.output, {"role": "user", "content": "go on"}])
    by_id = create(server, [{"type": "item_reference", "id": item.id}, {"role": "user", "content": "go on"}])
    assert by_id.usage.input_tokens == direct.usage.input_tokens
    listed = server.client.responses.input_items.list(by_id.id, order="asc").data
    assert listed[0].id == item.id and listed[0].content[0].text == first.output_text
    with pytest.raises(openai.NotFoundError):
        create(server, [{"type": "item_reference", "id": "msg_none"}])


# --- the background --------------------------------------------------------------------------------------------------

def test_background(server):
    made = create(server, background=True)
    assert made.status == "queued" and made.background and made.output == [] and made.usage is None
    done = finished(server, made)
    assert done.status in ("completed", "incomplete") and done.output_text and done.id == made.id
    assert done.usage.output_tokens > 0
    again = create(server, "more", previous_response_id=made.id)
    assert again.usage.input_tokens > done.usage.input_tokens


def test_background_needs_the_store(server):
    with pytest.raises(openai.BadRequestError) as error:
        create(server, background=True, store=False)
    assert error.value.param == "background"
    with pytest.raises(openai.NotFoundError):
        server.client.responses.create(model="no/such", input="Hi", background=True)


def test_background_outlives_its_client(slow):
    stream = create(slow, background=True, stream=True, max_output_tokens=40, extra_body={"ignore_eos": True})
    made = next(stream).response
    stream.close()
    done = finished(slow, made)
    assert done.status == "incomplete" and done.usage.output_tokens == 40


def test_cancel(slow):
    made = create(slow, background=True, max_output_tokens=3000, extra_body={"ignore_eos": True})
    wait_until(lambda: slow.client.responses.retrieve(made.id).status == "in_progress", 10, "it does not start")
    cancelled = slow.client.responses.cancel(made.id)
    assert cancelled.status == "cancelled" and cancelled.id == made.id
    assert slow.client.responses.retrieve(made.id).status == "cancelled"
    wait_until(lambda: slow.status()["active_requests"] == 0, 5, "the work goes on")
    assert slow.client.responses.cancel(made.id).status == "cancelled"
    foreground = create(slow, max_output_tokens=1)
    with pytest.raises(openai.BadRequestError):
        slow.client.responses.cancel(foreground.id)
    with pytest.raises(openai.NotFoundError):
        slow.client.responses.cancel("resp_none")


def test_deleting_what_runs_ends_it(slow):
    made = create(slow, background=True, max_output_tokens=3000, extra_body={"ignore_eos": True})
    slow.client.responses.delete(made.id)
    wait_until(lambda: slow.status()["active_requests"] == 0, 5, "the work goes on")
    with pytest.raises(openai.NotFoundError):
        slow.client.responses.retrieve(made.id)


def test_background_stream_and_reading_it_again(slow):
    events = list(create(slow, background=True, stream=True, max_output_tokens=12, extra_body={"ignore_eos": True}))
    types = [event.type for event in events]
    assert types[:3] == ["response.created", "response.queued", "response.in_progress"]
    assert types[-1] == "response.incomplete" and [e.sequence_number for e in events] == list(range(len(events)))
    response = events[-1].response
    again = list(slow.client.responses.retrieve(response.id, stream=True))
    assert again == events
    assert list(slow.client.responses.retrieve(response.id, stream=True, starting_after=5)) == events[6:]
    plain = create(slow, background=True, max_output_tokens=1)
    finished(slow, plain)
    with pytest.raises(openai.BadRequestError) as error:
        slow.client.responses.retrieve(plain.id, stream=True)
    assert error.value.param == "stream"


def test_several_read_along(slow):
    stream = create(slow, background=True, stream=True, max_output_tokens=60, extra_body={"ignore_eos": True})
    first = next(stream)
    seen = {}

    def read(name, after):
        seen[name] = list(slow.client.responses.retrieve(first.response.id, stream=True, starting_after=after))

    readers = [threading.Thread(target=read, args=(n, n * 3)) for n in range(3)]
    for reader in readers:
        reader.start()
    own = [first, *stream]
    for reader in readers:
        reader.join(60)
    for n in range(3):
        assert seen[n] == own[n * 3 + 1:]


# --- restarts and trouble --------------------------------------------------------------------------------------------

def test_a_restart_keeps_what_is_done_and_fails_what_was_not():
    with tempfile.TemporaryDirectory() as data:
        with running("fake", "--decode-ms", "50", data=data) as first:
            done = create(first, max_output_tokens=2)
            left = create(first, background=True, max_output_tokens=3000, extra_body={"ignore_eos": True})
            wait_until(lambda: first.client.responses.retrieve(left.id).status == "in_progress", 10, "no start")
            first.process.kill()
            first.process.wait()
            first.process.returncode = 0  # that was us
        with running("fake", data=data) as second:
            assert second.client.responses.retrieve(done.id) == done
            lost = second.client.responses.retrieve(left.id)
            assert lost.status == "failed" and lost.error.code == "server_error" and "restarted" in lost.error.message
            assert create(second, "more", previous_response_id=done.id).previous_response_id == done.id


def test_stopping_fails_what_runs_in_the_background():
    with tempfile.TemporaryDirectory() as data:
        with running("fake", "--decode-ms", "50", data=data) as first:
            left = create(first, background=True, max_output_tokens=3000, extra_body={"ignore_eos": True})
        with running("fake", data=data) as second:
            assert second.client.responses.retrieve(left.id).status == "failed"


@pytest.mark.parametrize("trouble", ["file", "noise", "newer"])
def test_without_a_store_the_server_runs(trouble):
    with tempfile.TemporaryDirectory() as home:
        data = pathlib.Path(home) / "data"
        if trouble == "file":
            data.write_text("not a directory")
        else:
            data.mkdir()
            (data / "responses.db").write_bytes(b"x" * 5000)
        if trouble == "newer":
            (data / "responses.db").unlink()
            with sqlite3.connect(data / "responses.db") as database:
                database.execute("PRAGMA user_version = 99")
        with running("fake", data=str(data)) as server:
            made = create(server)
            assert made.status in ("completed", "incomplete")
            assert server.post("/v1/responses", {"model": "fake", "input": "Hi"})[2]["store"] is False
            for field in ("store", "background"):
                with pytest.raises(openai.BadRequestError) as error:
                    create(server, **{field: True})
                assert error.value.param == field and str(home) not in error.value.message
            with pytest.raises(openai.NotFoundError):
                server.client.responses.retrieve(made.id)


def test_the_directory_is_private():
    with tempfile.TemporaryDirectory() as home:
        data = pathlib.Path(home) / "deep" / "data"
        with running("fake", data=str(data)) as server:
            create(server)
        assert os.stat(data).st_mode & 0o777 == 0o700
        with sqlite3.connect(data / "responses.db") as database:
            assert database.execute("SELECT count(*) FROM responses").fetchone() == (1,)
