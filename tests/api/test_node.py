"""Runs the tests of the official Node clients, OpenAI's (node/test.mjs) and Anthropic's (node/anthropic.mjs), against each
server.

The packages come from $ALLM_BUILD/node_modules, where tools/test.sh puts them; without them these tests are skipped."""
import os
import shutil
import subprocess

import pytest

from api_server import BUILD, ROOT
from audio_kit import wav

MODULES = BUILD / "node_modules"


@pytest.mark.parametrize("package,script", [("openai", "test.mjs"), ("openai", "responses.mjs"),
                                            ("@anthropic-ai/sdk", "anthropic.mjs")])
def test_node(server, package, script):
    if not (MODULES / package).exists():
        pytest.skip(f"{package} is not installed")
    node = shutil.which("node")
    assert node, "node is not installed"
    done = subprocess.run([node, "--test", ROOT / "tests" / "api" / "node" / script], capture_output=True, text=True,
                          timeout=120, env={**os.environ, "ALLM_URL": server.url, "ALLM_MODEL": server.model,
                                            "ALLM_TAUGHT": "0" if server.kind == "fake" else "1",
                                            "ALLM_NODE_MODULES": str(MODULES.resolve())})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout or "fail 0" in done.stdout, done.stdout


def test_node_audio(fake, tmp_path):
    if not (MODULES / "openai").exists():
        pytest.skip("openai is not installed")
    (tmp_path / "talk.wav").write_bytes(wav(2.5))
    done = subprocess.run([shutil.which("node"), "--test", ROOT / "tests" / "api" / "node" / "audio.mjs"], capture_output=True,
                          text=True, timeout=120, env={**os.environ, "ALLM_URL": fake.url, "ALLM_SOUND": str(tmp_path / "talk.wav"),
                                                       "ALLM_NODE_MODULES": str(MODULES.resolve())})
    assert done.returncode == 0, done.stdout + done.stderr
