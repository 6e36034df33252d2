"""Pictures of coloured shapes and the words for them: the whole world of models/tiny-painter."""
import random

import torch

SIZE = 128
COLOURS = {
    "red": (220, 30, 30), "green": (30, 170, 50), "blue": (40, 70, 220), "yellow": (245, 215, 40),
    "white": (245, 245, 245), "black": (15, 15, 15), "purple": (140, 50, 180), "orange": (245, 140, 30),
}
NAMES = list(COLOURS)
VALUES = torch.tensor(list(COLOURS.values())).float() / 127.5 - 1
SHAPES = ["circle", "square", "triangle", "ring", "star", "cross"]
PLACES = {  # centre of the shape as shares of the picture
    "in the middle": (0.5, 0.5), "on the left": (0.28, 0.5), "on the right": (0.72, 0.5),
    "at the top": (0.5, 0.28), "at the bottom": (0.5, 0.72),
}
FILLERS = ["a", "an", "on", "in", "at", "the", "with", "and", "of", "background", "small", "large", "big", "middle", "left",
           "right", "top", "bottom", "picture", "image", "drawing"]
WORDS = FILLERS + NAMES + SHAPES
SMALL, LARGE = (15, 21), (36, 46)  # radius in pixels
LIMIT = 28  # between small and large

_y, _x = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")


def _star(x, y, r):
    """Signed distance (about) to a star with five points: it lies between two angles of its edges."""
    angle = torch.atan2(x, -y)
    sector = torch.remainder(angle + torch.pi / 5, 2 * torch.pi / 5) - torch.pi / 5
    d = torch.hypot(x, y)
    px, py = d * sector.abs().cos(), d * sector.abs().sin()
    tip, notch = 1.12 * r, 0.5 * r
    ax, ay = tip, torch.zeros_like(r)
    bx, by = notch * 0.809, notch * 0.588  # 36 degrees
    nx, ny = by - ay, ax - bx
    return ((px - ax) * nx + (py - ay) * ny) / torch.hypot(nx, ny)


def masks(shape, cx, cy, r):
    """Coverage 0..1 of each pixel, [n, SIZE, SIZE], edges smoothed over one pixel. Arguments are tensors of n."""
    x, y, r = _x[None] - cx[:, None, None], _y[None] - cy[:, None, None], r[:, None, None]
    d = torch.hypot(x, y)
    triangle = torch.maximum(y - r * 0.75, torch.maximum(0.8944 * x, -0.8944 * x) - 0.4472 * (y + r * 1.1))
    cross = torch.minimum(torch.maximum(x.abs() - r * 0.34, y.abs() - r), torch.maximum(y.abs() - r * 0.34, x.abs() - r))
    distances = torch.stack([d - r, torch.maximum(x.abs(), y.abs()) - r * 0.88, triangle, (d - r * 0.76).abs() - r * 0.24,
                             _star(x, y, r), cross], 1)
    return (0.5 - distances[torch.arange(len(shape)), shape]).clamp(0, 1)


def paint(background, things):
    """[n, 3, SIZE, SIZE] in -1..1; things: (mask [n, SIZE, SIZE], colour [n]) from back to front."""
    image = VALUES[background][:, :, None, None].expand(-1, 3, SIZE, SIZE).clone()
    for mask, colour in things:
        m = mask[:, None]
        image = m * VALUES[colour][:, :, None, None] + (1 - m) * image
    return image


def article(word):
    return "an " + word if word[0] in "aeiou" else "a " + word


def ground(colour, rng):
    style = rng.random()
    if style < 0.6:
        return f" on {article(NAMES[colour])} background"
    return f" on {NAMES[colour]}" if style < 0.8 else f" with {article(NAMES[colour])} background"


def one(n, rng):
    """Pictures of one shape: (images, captions, labels (shape, colour, background, is_large, place or -1))."""
    shape = torch.randint(len(SHAPES), (n,))
    colour = torch.randint(len(NAMES), (n,))
    background = (colour + torch.randint(1, len(NAMES), (n,))) % len(NAMES)
    large = torch.rand(n) < 0.5
    low, high = torch.tensor([SMALL, LARGE])[large.long()].float().unbind(1)
    r = low + torch.rand(n) * (high - low)
    places = list(PLACES)
    place = torch.where(torch.rand(n) < 0.4, torch.randint(len(places), (n,)), torch.full((n,), -1))
    place = torch.where(large & (place > 0), torch.full_like(place, -1), place)  # a large one is always in the middle
    centre = torch.tensor([PLACES[p] for p in places])[place.clamp(min=0)]
    spread = torch.where(place >= 0, torch.full((n,), 5.0), (SIZE / 2 - 1.15 * r - 4).clamp(min=0) * 0.9)
    cx = torch.where(place >= 0, centre[:, 0], 0.5) * SIZE + (torch.rand(n) * 2 - 1) * spread
    cy = torch.where(place >= 0, centre[:, 1], 0.5) * SIZE + (torch.rand(n) * 2 - 1) * spread
    image = paint(background, [(masks(shape, cx, cy, r), colour)])
    captions = []
    for i in range(n):
        size = "" if rng.random() < 0.3 else rng.choice(["large ", "big "]) if large[i] else "small "
        thing = f"{size}{NAMES[colour[i]]} {SHAPES[shape[i]]}"
        where = "" if place[i] < 0 else " " + places[place[i]]
        start = rng.choice(["", "", "", "a picture of ", "an image of ", "a drawing of "])
        captions.append(start + article(thing) + where + ground(background[i], rng))
    return image, captions, torch.stack([shape, colour, background, large.long(), place], 1)


def two(n, rng):
    """Two small shapes beside each other, the first one on the left."""
    shape = torch.randint(len(SHAPES), (n, 2))
    background = torch.randint(len(NAMES), (n,))
    colour = (background[:, None] + torch.randint(1, len(NAMES), (n, 2))) % len(NAMES)
    r = SMALL[0] + 3 + torch.rand(n, 2) * (SMALL[1] - SMALL[0])
    cx = torch.tensor([0.27, 0.73])[None] * SIZE + (torch.rand(n, 2) * 2 - 1) * 4
    cy = SIZE / 2 + (torch.rand(n, 2) * 2 - 1) * 8
    image = paint(background, [(masks(shape[:, i], cx[:, i], cy[:, i], r[:, i]), colour[:, i]) for i in (0, 1)])
    captions = []
    for i in range(n):
        first, second = (f"{NAMES[colour[i, j]]} {SHAPES[shape[i, j]]}" for j in (0, 1))
        captions.append(f"{article(first)} and {article(second)}" + ground(background[i], rng))
    return image, captions, torch.cat([shape, colour, background[:, None]], 1)


def batch(n, rng, share_of_two=0.25):
    n_two = sum(rng.random() < share_of_two for _ in range(n))
    a, b = one(n - n_two, rng), two(n_two, rng)
    return torch.cat([a[0], b[0]]), a[1] + b[1]


# --- the tokenizer: genuine CLIP BPE, its merges learnt so that each word is one token ------------------------------

LENGTH = 77


def byte_letters():
    """GPT-2's and CLIP's printable letters for the 256 bytes, in the order of CLIP's vocabulary."""
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    other = [b for b in range(256) if b not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(other)}


def merges():
    words = [list(w[:-1]) + [w[-1] + "</w>"] for w in WORDS]
    found = []
    for word in words:
        while len(word) > 1:
            pair = (word[0], word[1])
            if pair not in found:
                found.append(pair)
            for w in words:
                i = 0
                while i < len(w) - 1:
                    if (w[i], w[i + 1]) == pair:
                        w[i:i + 2] = [pair[0] + pair[1]]
                    else:
                        i += 1
    return found


MERGES = merges()


def vocabulary():
    letters = list(byte_letters().values())
    tokens = letters + [c + "</w>" for c in letters] + [a + b for a, b in MERGES]
    return {t: i for i, t in enumerate(tokens + ["<|startoftext|>", "<|endoftext|>"])}


VOCABULARY = vocabulary()
BEGIN, END = VOCABULARY["<|startoftext|>"], VOCABULARY["<|endoftext|>"]


def tokens(text):
    ids = [BEGIN] + [VOCABULARY[w + "</w>"] for w in text.split()] + [END]
    return ids + [END] * (LENGTH - len(ids))


if __name__ == "__main__":
    from PIL import Image

    images, captions = batch(24, random.Random(1))
    sheet = torch.cat([torch.cat(list(images[i:i + 8]), 2) for i in range(0, 24, 8)], 1)
    Image.fromarray(((sheet + 1) * 127.5).byte().permute(1, 2, 0).numpy()).save("shapes.png")
    print("\n".join(captions), len(VOCABULARY))
