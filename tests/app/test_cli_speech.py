"""transcribe and speak, as typed: on the fake engine, which hears a number for every second and speaks a tone a letter,
and at the end with the built-in voice and the built-in recogniser."""
import contextlib
import json
import math
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import wave

import openai
import pytest

import allm
from test_cli import Terminal

FAKE = allm.BUILD / "tests/api/fake_server"
NUMBERS = "one two three four five six seven".split()


@contextlib.contextmanager
def serving(*arguments):
    """The port."""
    with tempfile.TemporaryDirectory() as home, open(home + "/log", "w") as log:
        process = subprocess.Popen([FAKE, "--data-dir", home + "/data", *arguments], stdout=subprocess.PIPE, stderr=log,
                                   text=True, env={**os.environ, "HOME": home})
        try:
            port = int(re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", process.stdout.readline())[1])
            yield port, process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(30)
            process.stdout.close()


@pytest.fixture(scope="module")
def port():
    with serving() as (started, _):
        yield started


def tone(path, seconds, rate=16000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(i / 5))) for i in range(int(seconds * rate))))
    return str(path)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sounds")
    for name, seconds in (("three.wav", 2.5), ("two.wav", 1.5), ("seven.wav", 7)):
        tone(directory / name, seconds)
    return directory


@contextlib.contextmanager
def started(port, *arguments, stdin=subprocess.DEVNULL, environment=None):
    process = subprocess.Popen([allm.PROGRAM, "--port", str(port), *map(str, arguments)], stdin=stdin,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, **(environment or {})})
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def run(port, *arguments, stdin="", environment=None):
    return allm.run("--port", str(port), *map(str, arguments), stdin=stdin, environment=environment)


def good(port, *arguments, **more):
    result = run(port, *arguments, **more)
    assert result.returncode == 0 and result.stderr == "", (arguments, result.stderr)
    return result.stdout


# --- transcribe -------------------------------------------------------------------------------------------------------

def test_plain_text(port, sounds):
    assert good(port, "transcribe", sounds / "three.wav") == "one two three\n"
    assert good(port, "transcribe", "--format=text", "--model", "fake-whisper", "--", sounds / "two.wav") == "one two\n"


def test_a_file_that_breaks_off_is_told(port, tmp_path):
    data = (allm.ROOT / "tests/data/media/tone.flac").read_bytes()
    (tmp_path / "half.flac").write_bytes(data[:len(data) // 2])
    result = run(port, "transcribe", tmp_path / "half.flac")
    assert result.returncode == 0 and result.stdout == "one\n"
    assert result.stderr == f"allm: {tmp_path / 'half.flac'}: the file breaks off; this is what came before\n"


def test_several_files_and_what_is_wrong_with_some(port, sounds, tmp_path):
    (tmp_path / "text.wav").write_text("This is no sound.\n" * 100)
    (tmp_path / "empty.wav").touch()
    files = [sounds / "three.wav", tmp_path / "text.wav", tmp_path / "missing.wav", tmp_path, tmp_path / "empty.wav",
             sounds / "two.wav"]
    result = run(port, "transcribe", *files)
    assert result.returncode == 1
    assert f"==> {files[0]} <==\none two three\n" in result.stdout
    assert result.stdout.endswith(f"\n==> {files[-1]} <==\none two\n")
    lines = result.stderr.splitlines()
    assert len(lines) == 4
    for line, file, words in zip(lines, files[1:5], ("", "No such file", "directory", "empty")):
        assert line.startswith(f"allm: {file}: ") and words in line, line


def test_formats_are_those_of_the_api(port, sounds):
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0)
    file = sounds / "seven.wav"

    def api(format, **more):
        with open(file, "rb") as opened:
            return client.audio.transcriptions.create(model="fake-whisper", file=opened, response_format=format, **more)

    assert good(port, "transcribe", file, "--format", "text") == api("text")
    assert good(port, "transcribe", file, "--format", "srt") == api("srt")
    assert good(port, "transcribe", file, "--format", "vtt") == api("vtt")
    assert json.loads(good(port, "transcribe", file, "--json")) == api("json").to_dict()
    assert json.loads(good(port, "transcribe", file, "--format", "json")) == api("json").to_dict()
    assert json.loads(good(port, "transcribe", file, "--format", "verbose_json")) == api("verbose_json").to_dict()
    words = json.loads(good(port, "transcribe", file, "--words"))
    assert words == api("verbose_json", timestamp_granularities=["word", "segment"]).to_dict()
    assert [word["word"] for word in words["words"]] == NUMBERS


def test_json_of_several_files_names_them(port, sounds):
    lines = good(port, "transcribe", "--json", sounds / "two.wav", sounds / "three.wav").splitlines()
    assert [(json.loads(line)["file"], json.loads(line)["text"]) for line in lines] == [
        (str(sounds / "two.wav"), "one two"), (str(sounds / "three.wav"), "one two three")]


def test_options_reach_the_model(port, sounds):
    file = sounds / "three.wav"
    assert json.loads(good(port, "transcribe", file, "--format", "verbose_json", "--language", "de"))["language"] == "german"
    assert good(port, "transcribe", file, "--translate") == "ONE TWO THREE\n"
    assert good(port, "transcribe", file, "--prompt", "Zoë\nand I") == "one (Zoë\nand I) two three\n"
    result = run(port, "transcribe", file, "--language", "klingon")
    assert result.returncode == 1 and "klingon" in result.stderr and result.stderr.count("\n") == 1


def test_standard_input_and_pipes(port, sounds, tmp_path):
    with open(sounds / "three.wav", "rb") as file, started(
            port, "transcribe", "-", stdin=file, environment={"TMPDIR": str(tmp_path)}) as process:
        assert process.communicate(timeout=60) == ("one two three\n", "")
    with started(port, "transcribe", "-", stdin=subprocess.PIPE, environment={"TMPDIR": str(tmp_path)}) as process:
        process.stdin.buffer.write((sounds / "two.wav").read_bytes())
        assert process.communicate(timeout=60) == ("one two\n", "")
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    with started(port, "transcribe", fifo) as process:
        fifo.write_bytes((sounds / "two.wav").read_bytes())
        assert process.communicate(timeout=60) == ("one two\n", "")
    assert os.listdir(tmp_path) == ["pipe"]


def test_output_files(port, sounds, tmp_path):
    out = tmp_path / "a.srt"
    out.write_text("old")
    assert good(port, "transcribe", sounds / "two.wav", "-o", out) == ""
    assert out.read_text() == good(port, "transcribe", sounds / "two.wav", "--format", "srt")
    assert good(port, "transcribe", sounds / "two.wav", sounds / "three.wav", "-o", tmp_path) == ""
    assert (tmp_path / "two.txt").read_text() == "one two\n"
    assert (tmp_path / "three.txt").read_text() == "one two three\n"
    assert good(port, "transcribe", sounds / "two.wav", "--format", "vtt", "--output", tmp_path) == ""
    assert (tmp_path / "two.vtt").read_text().startswith("WEBVTT\n")
    missing = run(port, "transcribe", tmp_path / "missing", "-o", out)
    assert missing.returncode == 1 and out.read_text().startswith("1\n")
    assert sorted(os.listdir(tmp_path)) == ["a.srt", "three.txt", "two.txt", "two.vtt"]


def test_outputs_that_cannot_be(port, sounds, tmp_path):
    other = tmp_path / "two.mp3"
    other.write_bytes(b"x")
    for arguments, words in (
            ([sounds / "two.wav", other, "-o", tmp_path], "both be written"),
            ([sounds / "two.wav", sounds / "three.wav", "-o", tmp_path / "one.txt"], "no directory"),
            ([sounds / "two.wav", "-o", tmp_path / "nosuch/"], "no directory")):
        arguments = [str(argument) + ("/" if str(argument).endswith("nosuch") else "") for argument in arguments]
        result = run(port, "transcribe", *arguments)
        assert result.returncode == 2 and words in result.stderr, result.stderr
    for out in (tmp_path / "nosuch/a.txt", "/dev/full"):
        result = run(port, "transcribe", sounds / "two.wav", "-o", out)
        assert result.returncode == 1 and f"{out} cannot be written" in result.stderr
    with open("/dev/full", "w") as full:
        result = subprocess.run([allm.PROGRAM, "transcribe", sounds / "two.wav", "--port", str(port)], stdout=full,
                                stderr=subprocess.PIPE, text=True, timeout=60)
    assert result.returncode == 1 and "standard output cannot be written" in result.stderr
    assert os.listdir(tmp_path) == ["two.mp3"]


def test_wrong_usage():
    for arguments in (["transcribe"], ["transcribe", "x", "--nosuch"], ["transcribe", "x", "--format", "doc"],
                      ["transcribe", "x", "--words", "--format", "srt"], ["transcribe", "x", "--json", "--format", "srt"],
                      ["transcribe", "x", "--temperature", "warm"], ["transcribe", "x", "--language"],
                      ["speak", "a", "b"], ["speak", "a", "-f", "b"], ["speak", "a", "--speed", "fast"],
                      ["speak", "a", "-o", "a.doc"], ["speak", "a", "--format", "mp3"], ["speak", "a", "--nosuch"]):
        result = allm.run(*arguments)
        assert result.returncode == 2 and result.stderr.count("\n") == 1, (arguments, result)
    for command, words in (("transcribe", "--translate"), ("speak", "--list-voices")):
        assert words in allm.run("help", command).stdout and command in allm.run("help").stdout


def test_servers_that_refuse(sounds):
    file = sounds / "seven.wav"
    result = run(1, "transcribe", file)
    assert result.returncode == 1 and "no server" in result.stderr and result.stderr.count("\n") == 1
    with serving("--api-key", "secret", "--max-upload", "100000") as (port, _):
        result = run(port, "transcribe", sounds / "two.wav", "--model", "fake-whisper")
        assert result.returncode == 1 and "key" in result.stderr and result.stderr.count("\n") == 1
        result = run(port, "transcribe", file, environment={"ALLM_API_KEY": "secret"})
        assert result.returncode == 1 and "100000 bytes" in result.stderr and result.stderr.count("\n") == 1
        assert good(port, "transcribe", sounds / "two.wav", environment={"ALLM_API_KEY": "secret"}) == "one two\n"


def test_models_that_do_not(port, sounds):
    for command in (["transcribe", sounds / "two.wav"], ["speak", "hello", "-o", "/dev/null"]):
        for model in ("fake", "nosuch"):
            result = run(port, *command, "--model", model)
            assert result.returncode == 1 and f"{model}" in result.stderr and result.stderr.count("\n") == 1


def first_word(process):
    return process.stdout.read(3)


def test_a_server_that_dies_in_the_middle(sounds, tmp_path):
    with serving("--hear-ms", "300") as (port, server), started(port, "transcribe", sounds / "seven.wav") as process:
        assert first_word(process) == "one"
        server.kill()
        out, err = process.communicate(timeout=20)
        assert process.returncode == 1 and "connection" in err and err.count("\n") == 1
        assert out.endswith("\n")


def test_ctrl_c_in_the_middle(sounds, tmp_path):
    with serving("--hear-ms", "1000") as (port, _):
        with started(port, "transcribe", sounds / "seven.wav", sounds / "two.wav") as process:
            assert "==>" in process.stdout.readline() and first_word(process) == "one"
            begun = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
            assert time.monotonic() - begun < 5
            assert "two.wav" not in process.stdout.read()
        with started(port, "transcribe", sounds / "seven.wav", "-o", tmp_path / "a.txt") as process:
            allm.wait_until(lambda: os.listdir(tmp_path), 20, "no temporary file")
            process.terminate()
            assert process.wait(20) == 143
        assert os.listdir(tmp_path) == []


def test_progress_at_a_terminal(sounds, tmp_path):
    with serving("--hear-ms", "200") as (port, _):
        terminal = Terminal("transcribe", str(sounds / "seven.wav"), "--port", str(port), home=str(tmp_path))
        try:
            assert "with fake-whisper" in terminal.read_until("one\r\n")
            seen = terminal.read_until("seven\r\n")
        finally:
            os.kill(terminal.pid, signal.SIGKILL)
            os.waitpid(terminal.pid, 0)
            os.close(terminal.fd)
    shares = [int(share) for share in re.findall(r"seven\.wav \[#*\.*\] +(\d+)% 0:0\d of 0:07", seen)]
    assert shares == sorted(shares) and len(set(shares)) >= 3, seen
    assert re.search(r"[\d.]+x  0:0\d left", seen)
    assert [word for word in re.findall(r"([a-z]+)\r\n", seen)] == NUMBERS[1:-1]


# --- speak ------------------------------------------------------------------------------------------------------------

def probe(path):
    answer = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,sample_rate:format=duration",
                             "-of", "json", str(path)], capture_output=True, text=True, check=True)
    found = json.loads(answer.stdout)
    return found["streams"][0]["codec_name"], float(found["format"].get("duration", 0))


def test_formats_of_sound(port, tmp_path):
    text = "a" * 40  # two seconds
    for name, codec in (("a.wav", "pcm_s16le"), ("a.mp3", "mp3"), ("a.opus", "opus"), ("a.ogg", "opus"),
                        ("a.aac", "aac"), ("a.flac", "flac")):
        assert good(port, "speak", text, "-o", tmp_path / name) == ""
        found, seconds = probe(tmp_path / name)
        assert found == codec
        if codec != "flac":  # a streamed one does not say how long it is
            assert abs(seconds - 2) < 0.2, (name, seconds)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert abs(file.getnframes() / file.getframerate() - 2) < 0.01
        assert file.getnframes() == ((tmp_path / "a.wav").stat().st_size - 44) // 2
    good(port, "speak", text, "-o", tmp_path / "plain", "--format", "mp3")
    assert probe(tmp_path / "plain")[0] == "mp3"
    good(port, "speak", text, "-o", tmp_path / "bare")
    assert (tmp_path / "bare").read_bytes()[:4] == b"RIFF"
    good(port, "speak", text, "-o", tmp_path / "a.pcm")
    assert abs((tmp_path / "a.pcm").stat().st_size / 48000 - 2) < 0.01
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_where_the_text_comes_from(port, tmp_path):
    text = tmp_path / "text"
    text.write_text("Hello you")
    outs = [tmp_path / f"{n}.wav" for n in range(5)]
    good(port, "speak", "Hello you", "-o", outs[0])
    good(port, "speak", "-f", text, "-o", outs[1])
    good(port, "speak", "-", "-o", outs[2], stdin="Hello you")
    good(port, "speak", "-o", outs[3], stdin="Hello you")
    assert len({out.read_bytes() for out in outs[:4]}) == 1
    good(port, "speak", "Hello you", "--speed", "2", "--voice", "high", "-o", outs[4])
    assert abs(outs[4].stat().st_size - outs[0].stat().st_size / 2) < 100
    for arguments, words in ((["-f", tmp_path / "missing"], "No such file"), (["-f", tmp_path], "directory"),
                             (["-"], "no text"), ([""], "no text"), (["hi", "--voice", "nosuch"], "nosuch"),
                             (["hi", "--speed", "9"], "speed")):
        result = run(port, "speak", *arguments, "-o", tmp_path / "no.wav")
        assert result.returncode == 1 and words in result.stderr and result.stderr.count("\n") == 1, result.stderr
    assert not (tmp_path / "no.wav").exists()


def test_voices(port):
    table = good(port, "speak", "--list-voices")
    assert re.search(r"^low +Low +en-us +male$", table, re.M)
    voices = json.loads(good(port, "speak", "--list-voices", "--json"))
    assert [voice["id"] for voice in voices] == ["low", "mid", "high"]


def player(tmp_path, script):
    directory = tmp_path / "bin"
    directory.mkdir(exist_ok=True)
    program = directory / "paplay"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    return {"PATH": f"{directory}:/usr/bin:/bin"}


def test_playing(port, tmp_path):
    played = tmp_path / "played"
    environment = player(tmp_path, f'for file; do :; done\nsleep 0.3; cat "$file" >{played}\n')
    text = "word " * 2000  # more than a pipe holds
    assert good(port, "speak", text, environment=environment) == ""
    good(port, "speak", text, "-o", tmp_path / "a.pcm")
    assert played.read_bytes() == (tmp_path / "a.pcm").read_bytes() and played.stat().st_size > 10_000_000
    for script, words in (("exit 3", "status 3"), ("kill -9 $$", "SIGKILL")):
        result = run(port, "speak", text, environment=player(tmp_path, script))
        assert result.returncode == 1 and words in result.stderr and "paplay" in result.stderr, result.stderr
    result = run(port, "speak", "hello", environment={"PATH": str(tmp_path)})
    assert result.returncode == 1 and "-o" in result.stderr and result.stderr.count("\n") == 1
    result = run(port, "speak", "hello", "--voice", "nosuch", environment=player(tmp_path, f"touch {tmp_path}/started"))
    assert result.returncode == 1 and not (tmp_path / "started").exists()


def test_ctrl_c_while_it_plays(port, tmp_path):
    started_file = tmp_path / "pid"
    with started(port, "speak", "hello", environment=player(tmp_path, f"echo $$ >{started_file}; exec sleep 60")) as process:
        allm.wait_until(lambda: started_file.exists() and started_file.read_text().strip(), 20, "no player")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert not pathlib.Path(f"/proc/{started_file.read_text().strip()}").exists()


def test_no_half_of_a_file_is_left(tmp_path):
    with serving("--speak-us", "50000") as (port, server):
        for stop in ("interrupt", "kill"):
            with started(port, "speak", "hello " * 100, "-o", tmp_path / "a.wav") as process:
                allm.wait_until(lambda: any(path.stat().st_size for path in tmp_path.iterdir()), 20, "no sound")
                process.send_signal(signal.SIGINT) if stop == "interrupt" else server.kill()
                out, err = process.communicate(timeout=20)
            assert process.returncode == (130 if stop == "interrupt" else 1)
            assert err == "" if stop == "interrupt" else "connection" in err
            assert os.listdir(tmp_path) == []


# --- the built-in models ----------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """"one two three", as the built-in voice says it."""
    if not {"espeak", "tiny-whisper"} <= {model["id"] for model in json.loads(allm.run("list", "--json").stdout)}:
        pytest.skip("built without the voice")
    path = tmp_path_factory.mktemp("spoken") / "spoken.wav"
    result = allm.run("speak", "one two three", "-o", str(path))
    assert result.returncode == 0 and result.stdout == result.stderr == "", result.stderr
    return path


def words_of(text):
    return re.findall("[a-z]+", text.lower())


def test_what_was_spoken_is_written_down(spoken):
    """Each command with a server of its own."""
    result = allm.run("transcribe", str(spoken))
    assert result.returncode == 0 and result.stderr == "", result.stderr
    assert words_of(result.stdout) == ["one", "two", "three"]
    result = allm.run("transcribe", "--words", str(spoken))
    words = json.loads(result.stdout)["words"]
    assert [words_of(word["word"])[0] for word in words] == ["one", "two", "three"]
    assert all(0 <= word["start"] <= word["end"] < 2 for word in words)


def test_a_model_by_its_path(spoken):
    result = allm.run("transcribe", str(spoken), "--model", str(allm.ROOT / "models/tiny-whisper"))
    assert result.returncode == 0 and words_of(result.stdout) == ["one", "two", "three"], result.stderr


def test_ones_own_model_comes_before_the_built_in_one(spoken, tmp_path):
    shutil.copytree(allm.ROOT / "models/tiny-whisper", tmp_path / "models/mine")
    terminal = Terminal("transcribe", str(spoken), "--models", str(tmp_path / "models"), home=str(tmp_path))
    try:
        terminal.read_until("with mine\r\n")
        assert "one two three" in terminal.read_until("\r\n").lower()
    finally:
        os.kill(terminal.pid, signal.SIGKILL)
        os.waitpid(terminal.pid, 0)
        os.close(terminal.fd)
