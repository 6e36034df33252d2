"""Makes sd1/: a Diffusers directory in the shape of Stable Diffusion 1.x, tiny, with random weights in F16."""
import pathlib
import shutil
import sys

import torch

here = pathlib.Path(__file__).parent
sys.path.insert(0, str(here.parents[1] / "oracle"))
import models_diffusion as models

models.MODELS["unit"] = {
    "pipeline": "StableDiffusionPipeline", "schedule": models.SCHEDULE,
    "vae": models.VAE | {"block_out_channels": [4, 4, 8, 8], "norm_num_groups": 2},
    "unet": models.UNET | {"block_out_channels": [8, 16], "down_block_types": models.CROSS("x-", "Down"), "norm_num_groups": 4,
                           "up_block_types": models.CROSS("-x", "Up"), "attention_head_dim": 2, "cross_attention_dim": 16, "layers_per_block": 1},
    "texts": [(models.text_config(16, 2, "quick_gelu"), False)],
}
shutil.rmtree(here / "sd1", ignore_errors=True)
models.make_model("unit", here / "sd1", torch.float16)
