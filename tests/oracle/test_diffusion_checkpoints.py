"""Single-file checkpoints (safetensors and GGUF) in the diffusion engine against the same networks in PyTorch.

usage: test_diffusion_checkpoints.py --probe PROBE"""
import argparse
import pathlib
import sys
import tempfile

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import models_checkpoint as checkpoints
import models_diffusion as models
import test_diffusion as networks


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--probe", required=True)
    binary = args.parse_args().probe
    for name, kind, limit in (("sd1", "safetensors", 1e-4), ("sd2", "safetensors", 1e-4), ("sdxl", "safetensors", 1e-4),
                              ("sdxl", "gguf", 1e-4), ("sd1", "q8_0", 5e-2)):
        with tempfile.TemporaryDirectory() as root:
            path, unet, vae, texts = checkpoints.make_checkpoint(name, root, kind)
            label = f"{name} {kind}"
            networks.worst.clear()
            probe = networks.Probe(binary, str(path), "")
            probe.dir = pathlib.Path(root)
            c = checkpoints.MODELS[name]["unet"]
            x, text = torch.randn(2, 4, 7, 9), torch.randn(2, 77, c["cross_attention_dim"])
            size = c.get("projection_class_embeddings_input_dim", 0)
            added = torch.randn(2, size) if size else None
            ours = probe.run("unet 9 7 2 77 500 0", x, text, *([added] if size else []))
            networks.compare(f"{label} unet", ours, unet(x, 500.0, text, added), limit)
            z = torch.randn(1, 4, 5, 6)
            networks.compare(f"{label} decoder", probe.run("decode 6 5 0 0", z), vae.decode(z), limit)
            x = torch.rand(1, 3, 20, 24)
            networks.compare(f"{label} encoder", probe.run("encode 24 20 0 0", x), vae.encode(x), limit)
            networks.check_text(label, probe, texts, limit)
            probe.close()
            print(f"  {label}: " + ", ".join(f"{k} {v:.1e}" for k, v in networks.worst.items()))
    for failure in networks.failures:
        print("FAILED", failure)
    return 1 if networks.failures else 0


if __name__ == "__main__":
    sys.exit(main())
