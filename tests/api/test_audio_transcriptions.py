"""Transcriptions and translations: the official client in its strict mode, forms by curl, every format."""
import json
import pathlib
import shutil
import subprocess

import openai
import pytest

from audio_kit import MODEL, error_of, form, probe, send, wav

MEDIA = pathlib.Path(__file__).parents[1] / "data" / "media"
SOUND = wav(2.5)
FILE = ("talk.wav", SOUND)


def transcribe(fake, **options):
    return fake.client.audio.transcriptions.create(**{"model": "fake-whisper", "file": FILE, **options})


def test_json(fake):
    answer = transcribe(fake)
    assert answer.text == "one two three" and answer.usage.type == "duration" and answer.usage.seconds == 3
    assert transcribe(fake, response_format="json", file=wav(0.5)).text == "one"


def test_verbose_json(fake):
    answer = transcribe(fake, response_format="verbose_json", language="de", temperature=0.4)
    assert (answer.text, answer.language, answer.duration) == ("one two three", "german", 2.5)
    assert [(s.id, s.start, s.end, s.text) for s in answer.segments] == [(0, 0, 1, " one"), (1, 1, 2, " two"), (2, 2, 2.5, " three")]
    assert answer.segments[2].seek == 200 and answer.segments[0].tokens == list(b" one")
    assert answer.segments[0].avg_logprob < 0 and 0 <= answer.segments[0].no_speech_prob <= 1
    assert answer.words is None and answer.usage.seconds == 3 and answer.task == "transcribe"


@pytest.mark.parametrize("granularities", [["word"], ["segment"], ["word", "segment"]])
def test_granularities(fake, granularities):
    answer = transcribe(fake, response_format="verbose_json", timestamp_granularities=granularities)
    assert (answer.words is not None) == ("word" in granularities) and (answer.segments is not None) == ("segment" in granularities)
    if answer.words:
        assert [(w.word, w.start, w.end) for w in answer.words] == [("one", 0, 1), ("two", 1, 2), ("three", 2, 2.5)]


def test_text(fake):
    assert transcribe(fake, response_format="text") == "one two three\n"


@pytest.mark.parametrize("name, kind, demuxer", [("srt", "application/x-subrip", "srt"), ("vtt", "text/vtt", "webvtt")])
def test_subtitles(fake, name, kind, demuxer):
    """FFmpeg reads them: three cues with these times."""
    text = transcribe(fake, response_format=name)
    status, headers, body = send(fake, form(MODEL, ("file", SOUND, "a.wav"), ("response_format", name)))
    assert status == 200 and headers["content-type"].split(";")[0] == kind and body.decode() == text
    packets = probe(body, "-f", demuxer, "-show_packets")["packets"]
    times = [(float(p["pts_time"]), float(p["duration_time"])) for p in packets]
    assert times == [(0, 1), (1, 1), (2, 0.5)]


def test_what_the_model_is_told(fake):
    assert transcribe(fake, prompt="Ångström, 42").text == "one (Ångström, 42) two three"
    assert transcribe(fake, extra_body={"translate": "true"}).text == "ONE TWO THREE"
    assert transcribe(fake, extra_body={"beam_size": 5}, chunking_strategy="auto").text == "one two three"
    assert transcribe(fake, language="fr", response_format="verbose_json").language == "french"


def test_translations(fake):
    def translate(**options):
        return fake.client.audio.translations.create(model="fake-whisper", file=FILE, **options)

    assert translate(prompt="x").text == "ONE (x) TWO THREE"
    answer = translate(response_format="verbose_json", temperature=0.2)
    assert (answer.text, answer.language, answer.duration, len(answer.segments)) == ("ONE TWO THREE", "english", 2.5, 3)
    assert translate(response_format="text") == "ONE TWO THREE\n"
    for name in ("srt", "vtt"):
        assert "THREE" in translate(response_format=name)
    with pytest.raises(openai.BadRequestError) as error:
        translate(extra_body={"language": "de"})
    assert error.value.param == "language" and error.value.code == "unknown_parameter"


def test_a_stream(fake):
    events = list(transcribe(fake, stream=True))
    assert [e.type for e in events] == ["transcript.text.delta"] * 3 + ["transcript.text.done"]
    assert "".join(e.delta for e in events[:-1]) == events[-1].text == "one two three"
    assert events[-1].usage.output_tokens == len(" one two three") and events[-1].usage.total_tokens == 14
    assert events[-1].usage.seconds == 2.5


@pytest.mark.parametrize("name", ["text", "srt", "vtt", "verbose_json"])
def test_a_stream_in_every_format(fake, name):
    events = list(transcribe(fake, stream=True, response_format=name))
    deltas = [e.delta for e in events if e.type == "transcript.text.delta"]
    assert len(deltas) == 3 and "".join(deltas) == events[-1].text
    whole = transcribe(fake, response_format=name)
    if name == "verbose_json":
        segments = [e for e in events if e.type == "transcript.text.segment"]
        assert [(s.start, s.end, s.text) for s in segments] == [(s.start, s.end, s.text) for s in whole.segments]
        assert events[-1].language == "english" and events[-1].duration == 2.5 and len(events[-1].segments) == 3
    else:
        assert events[-1].text == whole.removesuffix("\n") if name == "text" else events[-1].text == whole


def test_progress_only_when_asked_for(fake):
    def types(*more):
        body = send(fake, form(MODEL, ("file", wav(4), "a.wav"), ("stream", "true"), *more))[2].decode()
        return [json.loads(line[6:]) for line in body.split("\n\n") if line]

    assert {e["type"] for e in types()} == {"transcript.text.delta", "transcript.text.done"}
    progress = [e for e in types(("stream_progress", "true")) if e["type"] == "transcript.progress"]
    assert progress and all(0 <= e["done_s"] <= 4 and e["duration_s"] == 4 for e in progress)
    assert error_of(fake, MODEL, ("file", SOUND, "a"), ("stream_progress", "true"))["param"] == "stream_progress"


def test_an_asynchronous_client(fake):
    import asyncio

    async def main():
        client = openai.AsyncOpenAI(base_url=fake.url + "/v1", api_key="x", max_retries=0, _strict_response_validation=True)
        assert (await client.audio.transcriptions.create(model="fake-whisper", file=FILE)).text == "one two three"
        stream = await client.audio.transcriptions.create(model="fake-whisper", file=FILE, stream=True)
        assert [event.type async for event in stream][-1] == "transcript.text.done"
        await client.close()

    asyncio.run(main())


def test_curl(fake, tmp_path):
    curl = shutil.which("curl")
    if not curl:
        pytest.skip("curl is not installed")
    (tmp_path / 'a "b" ü.wav').write_bytes(SOUND)
    (tmp_path / "big.wav").write_bytes(wav(40))  # beyond what curl sends without asking for a 100

    def ask(*arguments):
        done = subprocess.run([curl, "-s", "--max-time", "60", fake.url + "/v1/audio/transcriptions", *arguments], capture_output=True,
                              text=True, cwd=tmp_path)
        assert done.returncode == 0, done
        return done.stdout

    assert json.loads(ask("-F", 'file=@a "b" ü.wav', "-F", "model=fake-whisper"))["text"] == "one two three"
    text = ask("-F", "model=fake-whisper", "-F", "file=@big.wav;type=audio/wav", "-F", "response_format=text")
    assert text.startswith("one two") and text.endswith("thirty-nine forty\n")
    assert ask("-H", "Transfer-Encoding: chunked", "-F", "model=fake-whisper", "-F", "file=@big.wav", "-F", "response_format=srt").count("-->") == 40
    assert "event: " not in (stream := ask("-N", "-F", "file=@big.wav", "-F", "model=fake-whisper", "-F", "stream=true"))
    assert stream.count("transcript.text.delta") == 40
    assert json.loads(ask("-F", "file=@big.wav", "-F", "model=nobody"))["error"]["code"] == "model_not_found"


def test_errors_of_the_request(fake):
    sound = ("file", SOUND, "a.wav")
    for more, param, code in [
            (("response_format", "xml"), "response_format", "invalid_request"),
            (("response_format", "diarized_json"), "response_format", "unsupported_parameter"),
            (("temperature", "2"), "temperature", "invalid_request"), (("temperature", "warm"), "temperature", "invalid_request"),
            (("stream", "perhaps"), "stream", "invalid_request"), (("beam_size", "0"), "beam_size", "invalid_request"),
            (("include[]", "logprobs"), "include", "unsupported_parameter"),
            (("known_speaker_names[]", "me"), "known_speaker_names", "unsupported_parameter"),
            (("known_speaker_references[]", "data:"), "known_speaker_references", "unsupported_parameter"),
            (("keywords[]", "x"), "keywords", "unsupported_parameter"), (("languages[]", "x"), "languages", "unsupported_parameter"),
            (("chunking_strategy", "server_vad"), "chunking_strategy", "unsupported_parameter"),
            (("chunking_strategy[type]", "server_vad"), "chunking_strategy", "invalid_request"),
            (("timestamp_granularities[]", "word"), "timestamp_granularities", "invalid_request"),
            (("language", "xx"), "language", "invalid_request"), (("colour", "red"), "colour", "unknown_parameter"),
            (("temperature[]", "1"), "temperature", "invalid_request"), (("model", "fake"), "model", "invalid_request"),
            (("prompt", b"\xff"), "prompt", "invalid_request"), (sound, "file", "invalid_request")]:
        error = error_of(fake, MODEL, sound, more)
        assert (error["param"], error["code"]) == (param, code), (more, error)
    with pytest.raises(openai.BadRequestError) as raised:
        transcribe(fake, chunking_strategy={"type": "server_vad"})
    assert raised.value.param == "chunking_strategy"


def test_errors_of_models(fake):
    with pytest.raises(openai.NotFoundError) as error:
        transcribe(fake, model="nobody")
    assert error.value.code == "model_not_found" and error.value.param == "model"
    for model in ("fake", "fake-voice", "fake-embed"):
        with pytest.raises(openai.BadRequestError) as error:
            transcribe(fake, model=model)
        assert "transcribes" in error.value.message and model in error.value.message


NOT_AUDIO = ["unknown_media", "no_audio", "corrupt_media"]
BAD_FILES = {
    "empty": (b"", ["empty_file"]), "a byte": (b"x", NOT_AUDIO), "text": (b"hello, world\n" * 999, NOT_AUDIO),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(999), NOT_AUDIO), "a playlist": (b"#EXTM3U\nfile:///etc/passwd\n", NOT_AUDIO),
    "a head alone": (SOUND[:44], ["empty_file", *NOT_AUDIO]), "half a head": (SOUND[:20], NOT_AUDIO), "zeros": (bytes(100_000), NOT_AUDIO)}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("stream", ["true", "false"])
def test_errors_of_files(fake, name, stream):
    data, codes = BAD_FILES[name]
    error = error_of(fake, MODEL, ("file", data, "a.wav"), ("stream", stream))
    assert error["param"] == "file" and error["code"] in codes and error["type"] == "invalid_request_error", error


def test_a_file_that_is_cut_off_is_heard_as_far_as_it_goes(fake):
    assert transcribe(fake, file=("a.wav", SOUND[:len(SOUND) // 2])).text == "one two"


def test_containers_and_codecs(fake):
    """Whatever the file is called. Two seconds of a tone each."""
    for file in sorted(MEDIA.glob("*.*")):
        if file.suffix != ".sh" and file.name != "silent.mp4":
            assert transcribe(fake, file=("audio", file.read_bytes())).text == "one two", file
    with pytest.raises(openai.BadRequestError) as error:
        transcribe(fake, file=("a.wav", (MEDIA / "silent.mp4").read_bytes()))
    assert error.value.code == "no_audio"


def test_a_file_that_broke_off_is_said_to_have(fake):
    data = (MEDIA / "tone.flac").read_bytes()
    for cut, expected in ((len(data), None), (len(data) // 2, True)):
        answer = transcribe(fake, file=data[:cut])
        assert getattr(answer, "truncated", None) is expected and answer.text == ("one" if expected else "one two")
        assert getattr(list(transcribe(fake, file=data[:cut], stream=True))[-1], "truncated", None) is expected
        headers = send(fake, form(MODEL, ("file", data[:cut]), ("response_format", "srt")))[1]
        assert headers["x-audio-truncated"] == ("true" if expected else None)


def test_models_say_what_they_can(fake):
    models = {model.id: model for model in fake.client.models.list()}
    assert models["fake-whisper"].capabilities == ["transcription"] and models["fake-whisper"].type == "stt"
    assert models["fake-voice"].capabilities == ["speech"] and models["fake-voice"].type == "tts"
    with pytest.raises(openai.BadRequestError):
        fake.client.chat.completions.create(model="fake-whisper", messages=[{"role": "user", "content": "x"}])
