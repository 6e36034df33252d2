"""Runs the tests of the official Node client (node/test.mjs) against each server.

The package comes from $ALLM_BUILD/node_modules, where tools/test.sh puts it; without it these tests are skipped."""
import os
import shutil
import subprocess

import pytest

from api_server import BUILD, ROOT

MODULES = BUILD / "node_modules"


@pytest.mark.skipif(not (MODULES / "openai").exists(), reason="the Node client is not installed")
def test_node(server):
    node = shutil.which("node")
    assert node, "node is not installed"
    done = subprocess.run([node, "--test", ROOT / "tests" / "api" / "node" / "test.mjs"], capture_output=True, text=True,
                          timeout=120, env={**os.environ, "ALLM_URL": server.url, "ALLM_MODEL": server.model,
                                            "ALLM_NODE_MODULES": str(MODULES.resolve())})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout or "fail 0" in done.stdout, done.stdout
