"""Broken, hostile and vanishing model files through the whole server: each is answered clearly, and the server lives on."""
import json
import pathlib
import random
import shutil
import struct
import tempfile

import allm

ASSISTANT = allm.ROOT / "models/tiny-assistant"
GGUF = allm.BUILD / "models/tiny-assistant-gguf.gguf"


def copy_of(models, name):
    shutil.copytree(ASSISTANT, models / name)
    return models / name


def rewrite_header(path, change):
    """Changes the JSON header of a safetensors file and leaves the data as it is."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size:])


def change_json(path, **changes):
    value = json.loads(path.read_text())
    value.update(changes)
    path.write_text(json.dumps({k: v for k, v in value.items() if v is not None}))


def broken_models(models):
    """name -> a word that the error must contain"""
    expected = {}

    def broken(name, word):
        expected[name] = word
        return copy_of(models, name)

    d = broken("truncated", "model.safetensors")
    data = (d / "model.safetensors").read_bytes()
    (d / "model.safetensors").write_bytes(data[:len(data) // 2])
    d = broken("absurd-header-size", "model.safetensors")
    (d / "model.safetensors").write_bytes(struct.pack("<Q", 1 << 62) + data[8:])
    d = broken("missing-tensor", "model.layers.0.mlp.down_proj.weight")
    rewrite_header(d / "model.safetensors", lambda h: h.update(other=h.pop("model.layers.0.mlp.down_proj.weight")))
    d = broken("wrong-shape", "model.norm.weight")
    rewrite_header(d / "model.safetensors", lambda h: h["model.norm.weight"].update(shape=[1, 2]))
    d = broken("beyond-the-file", "model.safetensors")
    rewrite_header(d / "model.safetensors",
                   lambda h: h["model.norm.weight"].update(data_offsets=[1 << 40, (1 << 40) + 512]))
    d = broken("missing-shard", "model-00002-of-00002.safetensors")
    (d / "model.safetensors").rename(d / "model-00001-of-00002.safetensors")
    (d / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": {
        "model.norm.weight": "model-00001-of-00002.safetensors",
        "model.embed_tokens.weight": "model-00002-of-00002.safetensors"}}))
    d = broken("unknown-architecture", "NoSuchForCausalLM")
    change_json(d / "config.json", architectures=["NoSuchForCausalLM"])
    d = broken("no-heads", "num_attention_heads")
    change_json(d / "config.json", num_attention_heads=0)
    d = broken("absurd-layers", "num_hidden_layers")
    change_json(d / "config.json", num_hidden_layers=1 << 40)
    d = broken("wrong-type", "hidden_size")
    change_json(d / "config.json", hidden_size="big")
    d = broken("bad-config", "config.json")
    (d / "config.json").write_text('{"architectures": [')
    d = broken("no-tokenizer", "tokenizer.json")
    (d / "tokenizer.json").unlink()
    d = broken("bad-tokenizer", "tokenizer.json")
    (d / "tokenizer.json").write_text("[]")
    d = broken("awq", "awq")
    change_json(d / "config.json", quantization_config={"quant_method": "awq"})
    d = broken("pytorch", "safetensors")
    (d / "model.safetensors").rename(d / "pytorch_model.bin")

    gguf = GGUF.read_bytes()
    for name, content in {"truncated-gguf": gguf[:len(gguf) // 2], "empty-gguf": b"", "no-gguf": b"GGUF" + b"\xff" * 400,
                          "old-gguf": b"GGUF" + struct.pack("<I", 1) + gguf[8:],
                          "absurd-count": gguf[:8] + struct.pack("<QQ", 1 << 60, 1 << 60) + gguf[24:]}.items():
        (models / f"{name}.gguf").write_bytes(content)
        expected[name] = f"{name}.gguf"
    (models / "part-00001-of-00003.gguf").write_bytes(gguf)
    expected["part"] = "part-00002-of-00003.gguf"
    return expected


def test_every_broken_model_is_named_and_harms_nobody():
    with tempfile.TemporaryDirectory() as directory:
        models = pathlib.Path(directory)
        expected = broken_models(models)
        with allm.serve("--models", directory) as server:
            worker = server.worker_pid()
            for name, word in expected.items():
                status, body = server.ask("hi", model=name)
                message = body["error"]["message"]
                assert 400 <= status <= 507, (name, status, body)
                assert word in message, (name, body)
                assert directory not in message, (name, body)
            assert server.ask("Who are you?")[0] == 200
            assert server.worker_pid() == worker


def test_flipped_bytes_in_headers():
    rng = random.Random(7)
    gguf, weights = GGUF.read_bytes(), (ASSISTANT / "model.safetensors").read_bytes()
    header_size = 8 + struct.unpack("<Q", weights[:8])[0]
    with tempfile.TemporaryDirectory() as directory:
        models = pathlib.Path(directory)
        names = []
        for i in range(12):
            flipped = bytearray(gguf)
            flipped[rng.randrange(24, 4000)] ^= 1 << rng.randrange(8)
            (models / f"g{i}.gguf").write_bytes(flipped)
            d = copy_of(models, f"s{i}")
            flipped = bytearray(weights)
            flipped[rng.randrange(header_size)] ^= 1 << rng.randrange(8)
            (d / "model.safetensors").write_bytes(flipped)
            names += [f"g{i}", f"s{i}"]
        with allm.serve("--models", directory) as server:
            worker = server.worker_pid()
            for name in names:
                status, body = server.ask("hi", model=name, max_tokens=2)
                assert status == 200 or body["error"]["message"], (name, status, body)
            assert server.worker_pid() == worker, server.log()


def test_a_model_deleted_while_loaded_goes_on():
    with tempfile.TemporaryDirectory() as directory:
        copy_of(pathlib.Path(directory), "mine")
        with allm.serve("--models", directory, "--no-builtin-models") as server:
            first = server.ask("Who are you?", model="mine")[1]["choices"][0]["message"]["content"]
            connection, answer = server.open_stream(model="mine", max_tokens=300)
            shutil.rmtree(pathlib.Path(directory) / "mine")
            rest = answer.read().decode()
            connection.close()
            assert "[DONE]" in rest and '"error"' not in rest
            status, body = server.ask("Who are you?", model="mine")
            assert (status == 200 and body["choices"][0]["message"]["content"] == first) or \
                   (status == 404 and body["error"]["code"] == "model_not_found"), body


def test_a_new_model_is_noticed():
    with tempfile.TemporaryDirectory() as directory:
        with allm.serve("--models", directory, "--no-builtin-models") as server:
            assert server.request("GET", "/v1/models")[1]["data"] == []
            copy_of(pathlib.Path(directory), "org/new")
            allm.wait_until(lambda: server.request("GET", "/v1/models/org/new")[0] == 200, 20, "not noticed")
            assert server.ask("Who are you?", model="org/new")[0] == 200


def test_several_formats_in_one_directory():
    with tempfile.TemporaryDirectory() as directory:
        d = copy_of(pathlib.Path(directory), "both")
        shutil.copy(GGUF, d / "q.gguf")
        with allm.serve("--models", directory, "--no-builtin-models") as server:
            formats = {m["id"]: m["format"] for m in server.request("GET", "/v1/models")[1]["data"]}
            assert formats == {"both": "safetensors", "both/q": "gguf"}


def test_names_never_leave_the_models_directory():
    with tempfile.TemporaryDirectory() as directory:
        inner = pathlib.Path(directory) / "models"
        inner.mkdir()
        copy_of(pathlib.Path(directory), "outside")
        with allm.serve("--models", str(inner), "--no-builtin-models") as server:
            for name in ("../outside", "a/../../outside", str(pathlib.Path(directory) / "outside"), "/etc/passwd", "",
                         "a//b", "a\x00b", "a\nb", ".", "..", "x" * 5000):
                status, body = server.ask("hi", model=name)
                assert status in (400, 404) and body["error"]["message"], (name, status, body)
