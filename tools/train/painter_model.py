"""Stable Diffusion 1.x's UNet and VAE in PyTorch, with the parameter names of diffusers, for training a tiny one."""
import math

import torch
import torch.nn.functional as F
from torch import nn

GROUPS = 8
UNET_CHANNELS = (40, 64, 80, 80)
VAE_CHANNELS = (16, 32, 48, 64)
HEADS = 4  # diffusers calls it attention_head_dim in SD 1.x's config, and means the number of heads
CONTEXT = 64
LATENTS = 4


class Resnet(nn.Module):
    def __init__(self, inner, outer, time=None, eps=1e-6):
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, inner, eps)
        self.conv1 = nn.Conv2d(inner, outer, 3, padding=1)
        if time:
            self.time_emb_proj = nn.Linear(time, outer)
        self.norm2 = nn.GroupNorm(GROUPS, outer, eps)
        self.conv2 = nn.Conv2d(outer, outer, 3, padding=1)
        if inner != outer:
            self.conv_shortcut = nn.Conv2d(inner, outer, 1)

    def forward(self, x, time=None):
        h = self.conv1(F.silu(self.norm1(x)))
        if time is not None:
            h = h + self.time_emb_proj(F.silu(time))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class Sampler(nn.Module):  # up or down: a convolution of that name
    def __init__(self, channels, stride=1, padding=1):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride, padding)


class Block(nn.Module):
    pass


# --- VAE ---------------------------------------------------------------------------------------------------------------


class VaeAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.group_norm = nn.GroupNorm(GROUPS, c, 1e-6)
        self.to_q, self.to_k, self.to_v = nn.Linear(c, c), nn.Linear(c, c), nn.Linear(c, c)
        self.to_out = nn.ModuleList([nn.Linear(c, c)])

    def forward(self, x):
        h = self.group_norm(x).flatten(2).transpose(1, 2)
        h = F.scaled_dot_product_attention(self.to_q(h), self.to_k(h), self.to_v(h))
        return x + self.to_out[0](h).transpose(1, 2).reshape(x.shape)


class VaeMiddle(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.resnets = nn.ModuleList([Resnet(c, c), Resnet(c, c)])
        self.attentions = nn.ModuleList([VaeAttention(c)])

    def forward(self, x):
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class Encoder(nn.Module):
    def __init__(self, channels, n):
        super().__init__()
        c = channels[0]
        self.conv_in = nn.Conv2d(3, c, 3, padding=1)
        self.down_blocks = nn.ModuleList()
        for i, outer in enumerate(channels):
            block = Block()
            block.resnets = nn.ModuleList([Resnet(c if j == 0 else outer, outer) for j in range(n)])
            if i + 1 < len(channels):
                block.downsamplers = nn.ModuleList([Sampler(outer, 2, 0)])
            self.down_blocks.append(block)
            c = outer
        self.mid_block = VaeMiddle(c)
        self.conv_norm_out = nn.GroupNorm(GROUPS, c, 1e-6)
        self.conv_out = nn.Conv2d(c, 2 * LATENTS, 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for block in self.down_blocks:
            for resnet in block.resnets:
                x = resnet(x)
            if hasattr(block, "downsamplers"):
                x = block.downsamplers[0].conv(F.pad(x, (0, 1, 0, 1)))
        return self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x))))


class Decoder(nn.Module):
    def __init__(self, channels, n):
        super().__init__()
        c = channels[-1]
        self.conv_in = nn.Conv2d(LATENTS, c, 3, padding=1)
        self.mid_block = VaeMiddle(c)
        self.up_blocks = nn.ModuleList()
        for i, outer in enumerate(reversed(channels)):
            block = Block()
            block.resnets = nn.ModuleList([Resnet(c if j == 0 else outer, outer) for j in range(n + 1)])
            if i + 1 < len(channels):
                block.upsamplers = nn.ModuleList([Sampler(outer)])
            self.up_blocks.append(block)
            c = outer
        self.conv_norm_out = nn.GroupNorm(GROUPS, c, 1e-6)
        self.conv_out = nn.Conv2d(c, 3, 3, padding=1)

    def forward(self, z):
        x = self.mid_block(self.conv_in(z))
        for block in self.up_blocks:
            for resnet in block.resnets:
                x = resnet(x)
            if hasattr(block, "upsamplers"):
                x = block.upsamplers[0].conv(F.interpolate(x, scale_factor=2.0))
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class Vae(nn.Module):
    """AutoencoderKL. Images -1..1, [n, 3, 8h, 8w]; latents [n, 4, h, w], not scaled."""

    def __init__(self, channels=VAE_CHANNELS, n=1):
        super().__init__()
        self.encoder, self.decoder = Encoder(channels, n), Decoder(channels, n)
        self.quant_conv = nn.Conv2d(2 * LATENTS, 2 * LATENTS, 1)
        self.post_quant_conv = nn.Conv2d(LATENTS, LATENTS, 1)

    def encode(self, x):  # mean and logarithm of the variance
        return self.quant_conv(self.encoder(x)).chunk(2, 1)

    def decode(self, z):
        return self.decoder(self.post_quant_conv(z))


# --- UNet --------------------------------------------------------------------------------------------------------------


class Attention(nn.Module):
    def __init__(self, c, context):
        super().__init__()
        self.to_q = nn.Linear(c, c, bias=False)
        self.to_k, self.to_v = nn.Linear(context, c, bias=False), nn.Linear(context, c, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(c, c)])

    def forward(self, x, context):
        q, k, v = (t.unflatten(-1, (HEADS, -1)).transpose(1, 2)
                   for t in (self.to_q(x), self.to_k(context), self.to_v(context)))
        return self.to_out[0](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class GatedGelu(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.proj = nn.Linear(c, 8 * c)

    def forward(self, x):
        value, gate = self.proj(x).chunk(2, -1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.net = nn.ModuleList([GatedGelu(c), nn.Identity(), nn.Linear(4 * c, c)])

    def forward(self, x):
        return self.net[2](self.net[0](x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm1, self.attn1 = nn.LayerNorm(c), Attention(c, c)
        self.norm2, self.attn2 = nn.LayerNorm(c), Attention(c, CONTEXT)
        self.norm3, self.ff = nn.LayerNorm(c), FeedForward(c)

    def forward(self, x, context):
        h = self.norm1(x)
        x = x + self.attn1(h, h)
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class Transformer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, c, 1e-6)
        self.proj_in = nn.Conv2d(c, c, 1)
        self.transformer_blocks = nn.ModuleList([Layer(c)])
        self.proj_out = nn.Conv2d(c, c, 1)

    def forward(self, x, context):
        h = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)
        h = self.transformer_blocks[0](h, context)
        return x + self.proj_out(h.transpose(1, 2).reshape(x.shape))


class TimeEmbedding(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(c, 4 * c), nn.Linear(4 * c, 4 * c)

    def forward(self, x):
        return self.linear_2(F.silu(self.linear_1(x)))


class Unet(nn.Module):
    """UNet2DConditionModel as SD 1.x has it: latents [n, 4, h, w], steps [n], context [n, 77, CONTEXT] -> noise."""

    def __init__(self, channels=UNET_CHANNELS, n=1):
        super().__init__()
        c, time = channels[0], 4 * channels[0]
        self.conv_in = nn.Conv2d(LATENTS, c, 3, padding=1)
        self.time_embedding = TimeEmbedding(c)
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        skips = [c]
        for i, outer in enumerate(channels):
            block, is_last = Block(), i + 1 == len(channels)
            block.resnets = nn.ModuleList([Resnet(c if j == 0 else outer, outer, time, 1e-5) for j in range(n)])
            if not is_last:
                block.attentions = nn.ModuleList([Transformer(outer) for _ in range(n)])
                block.downsamplers = nn.ModuleList([Sampler(outer, 2)])
            skips += [outer] * (n + (not is_last))
            self.down_blocks.append(block)
            c = outer
        self.mid_block = Block()
        self.mid_block.resnets = nn.ModuleList([Resnet(c, c, time, 1e-5), Resnet(c, c, time, 1e-5)])
        self.mid_block.attentions = nn.ModuleList([Transformer(c)])
        for i, outer in enumerate(reversed(channels)):
            block = Block()
            block.resnets = nn.ModuleList()
            for _ in range(n + 1):
                block.resnets.append(Resnet(c + skips.pop(), outer, time, 1e-5))
                c = outer
            if i > 0:
                block.attentions = nn.ModuleList([Transformer(outer) for _ in range(n + 1)])
            if i + 1 < len(channels):
                block.upsamplers = nn.ModuleList([Sampler(outer)])
            self.up_blocks.append(block)
        self.conv_norm_out = nn.GroupNorm(GROUPS, c, 1e-5)
        self.conv_out = nn.Conv2d(c, LATENTS, 3, padding=1)

    def embed(self, step):
        half = self.conv_in.out_channels // 2
        angles = step.float()[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)[None]
        return self.time_embedding(torch.cat([angles.cos(), angles.sin()], -1))

    def forward(self, x, step, context):
        time = self.embed(step)
        x = self.conv_in(x)
        skips = [x]
        for block in self.down_blocks:
            for j, resnet in enumerate(block.resnets):
                x = resnet(x, time)
                if hasattr(block, "attentions"):
                    x = block.attentions[j](x, context)
                skips.append(x)
            if hasattr(block, "downsamplers"):
                x = block.downsamplers[0].conv(x)
                skips.append(x)
        x = self.mid_block.resnets[0](x, time)
        x = self.mid_block.resnets[1](self.mid_block.attentions[0](x, context), time)
        for block in self.up_blocks:
            for j, resnet in enumerate(block.resnets):
                x = resnet(torch.cat([x, skips.pop()], 1), time)
                if hasattr(block, "attentions"):
                    x = block.attentions[j](x, context)
            if hasattr(block, "upsamplers"):
                x = block.upsamplers[0].conv(F.interpolate(x, scale_factor=2.0))
        return self.conv_out(F.silu(self.conv_norm_out(x)))
