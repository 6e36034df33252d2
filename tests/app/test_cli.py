"""The commands, as typed."""
import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import tempfile
import termios
import time

import allm

GGUF = allm.BUILD / "models/tiny-assistant-gguf.gguf"


def test_version_and_help():
    assert re.fullmatch(r"allm \d+\.\d+\.\d+\n", allm.run("version").stdout)
    assert json.loads(allm.run("version", "--json").stdout)["version"]
    help_text = allm.run("help").stdout
    for word in ("serve", "run", "list", "ps", "show", "--gpu-layers"):
        assert word in help_text
    assert "--temperature" in allm.run("help", "run").stdout


def test_wrong_usage():
    for arguments in (["nosuch"], ["run"], ["show"], ["serve", "nosuch"], ["list", "x"], ["serve", "--port", "x"],
                      ["run", "m", "a", "b"], ["run", "m", "--temperature", "warm"], ["run", "m", "--nosuch"]):
        result = allm.run(*arguments)
        assert result.returncode == 2 and result.stderr, arguments
    assert allm.run().returncode == 2


def test_run_starts_a_private_server():
    result = allm.run("run", "tiny-assistant", "Who are you?", "--temperature", "0")
    assert result.returncode == 0, result.stderr
    assert "aLLM" in result.stdout and result.stderr == ""


def test_run_reads_standard_input():
    result = allm.run("run", "tiny-assistant", "--temperature", "0", stdin="Who are you?")
    assert result.returncode == 0 and "aLLM" in result.stdout


def test_run_json_is_the_response_object():
    result = allm.run("run", "tiny-assistant", "Who are you?", "--json", "--temperature", "0", "--max-tokens", "5")
    response = json.loads(result.stdout)
    assert response["object"] == "response" and response["status"] == "incomplete"
    assert response["usage"]["output_tokens"] == 5


def test_run_a_path():
    result = allm.run("run", str(GGUF), "Who are you?", "--temperature", "0")
    assert result.returncode == 0 and "aLLM" in result.stdout, result.stderr
    result = allm.run("run", str(allm.ROOT / "models/tiny-assistant") + "/", "Who are you?", "--temperature", "0")
    assert result.returncode == 0 and "aLLM" in result.stdout, result.stderr


def test_run_says_what_is_wrong():
    result = allm.run("run", "no/such-model", "hi")
    assert result.returncode == 1 and "no/such-model" in result.stderr
    result = allm.run("run", "./no-such-file.gguf", "hi")
    assert result.returncode == 1 and "no-such-file.gguf" in result.stderr
    result = allm.run("run", "tiny-assistant", "hi", "--port", "1")
    assert result.returncode == 1 and "1" in result.stderr


def test_commands_on_a_running_server():
    with allm.serve() as server:
        port = ["--port", str(server.port)]
        listed = allm.run("list", *port)
        assert "tiny-assistant" in listed.stdout and "Qwen3ForCausalLM" in listed.stdout
        models = json.loads(allm.run("list", "--json", *port).stdout)
        assert {"tiny-assistant", "tiny-assistant-gguf"} <= {model["id"] for model in models}
        assert allm.run("ps", *port).stdout.count("\n") == 1
        assert allm.run("run", "tiny-assistant", "hi", *port).returncode == 0
        loaded = json.loads(allm.run("ps", "--json", *port).stdout)
        assert [model["id"] for model in loaded] == ["tiny-assistant"]
        assert loaded[0]["memory_bytes"] > 1_000_000
        shown = allm.run("show", "tiny-assistant", *port)
        assert re.search(r"^format +safetensors$", shown.stdout, re.M)
        missing = allm.run("show", "nothing", *port)
        assert missing.returncode == 1 and "nothing" in missing.stderr


def test_list_all_says_why():
    with tempfile.TemporaryDirectory() as models:
        directory = pathlib.Path(models) / "org/old"
        directory.mkdir(parents=True)
        (directory / "config.json").write_text('{"architectures": ["LlamaForCausalLM"], "model_type": "llama"}')
        (directory / "pytorch_model.bin").write_bytes(b"\x80\x02")
        (pathlib.Path(models) / "broken.gguf").write_bytes(b"GGUF\x03\0\0\0")
        with allm.serve("--models", models) as server:
            result = allm.run("list", "--all", "--port", str(server.port))
            assert "org/old cannot run here" in result.stdout and "safetensors" in result.stdout
            assert "broken cannot run here" in result.stdout
            assert "org/old" not in allm.run("list", "--port", str(server.port)).stdout


class Terminal:
    """The REPL at a pseudo terminal."""

    def __init__(self, *arguments, home):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(allm.PROGRAM, [str(allm.PROGRAM), *arguments],
                      {**os.environ, "HOME": home, "TERM": "xterm", "XDG_STATE_HOME": home})
        self.text = ""

    def read_until(self, what, seconds=60):
        end = time.monotonic() + seconds
        while what not in self.text:
            assert time.monotonic() < end, self.text
            if select.select([self.fd], [], [], 0.5)[0]:
                try:
                    self.text += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    break
        assert what in self.text, self.text
        before, _, self.text = self.text.partition(what)
        return before

    def prompt(self):
        """Until the line editor waits for a line: the prompt stands there a moment before it has taken the terminal."""
        before = self.read_until(">>> ")
        allm.wait_until(lambda: not termios.tcgetattr(self.fd)[3] & termios.ICANON, 20, "no line editor")
        return before

    def send(self, text):
        os.write(self.fd, text.encode())

    def wait(self):
        for _ in range(600):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError("the chat did not end: " + self.text)


def test_chat_at_a_terminal():
    with tempfile.TemporaryDirectory() as home:
        terminal = Terminal("run", "tiny-assistant", "--temperature", "0", home=home)
        terminal.prompt()
        terminal.send("Who are you?\r")
        assert "aLLM" in terminal.prompt()
        terminal.send("/nosuch\r")
        assert "/clear" in terminal.prompt()
        terminal.send("/clear\r")
        terminal.read_until("anew")
        terminal.prompt()
        terminal.send("\x04")
        assert terminal.wait() == 0
        assert "Who are you?" in (pathlib.Path(home) / "allm/history").read_text().replace("\\040", " ")


def test_interrupt_cancels_the_answer_and_not_the_chat():
    with tempfile.TemporaryDirectory() as home, allm.serve() as server:
        terminal = Terminal("run", "tiny-assistant", "--port", str(server.port), "--temperature", "2", "--seed", "1",
                            home=home)
        terminal.prompt()
        terminal.send("Tell me a long story.\r")
        terminal.read_until("\n")
        terminal.send("\x03")
        terminal.prompt()
        terminal.send("/bye\r")
        assert terminal.wait() == 0
        allm.wait_until(lambda: server.request("GET", "/status")[1]["active_requests"] == 0, 20, "still running")


def test_interrupted_run_reports_130():
    with tempfile.TemporaryDirectory() as home, allm.serve() as server:
        process = subprocess.Popen([allm.PROGRAM, "run", "tiny-assistant", "Tell me a story", "--temperature", "2",
                                    "--port", str(server.port)], stdout=subprocess.PIPE,
                                   env={**os.environ, "HOME": home})
        process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (0, 130)  # 0 when the answer had just ended
        process.stdout.close()
