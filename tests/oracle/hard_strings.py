"""Strings that are hard to tokenise: some chosen, most made at random (with a seed) from pieces hard in different ways."""
import random
import unicodedata

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>", "<|begin_of_text|>",
            "<|eot_id|>", "<|start_header_id|>", "<s>", "</s>", "<unk>", "[INST]", "[/INST]", "<|im_start|", "|im_end|>",
            "<0x41>", "<|", "|>", "[PAD699]", "<|user|>", "<|end|>", "<|both|>", "<table>", "▁", "▁▁", "Ġ", "Ċ"]
CHOSEN = ["", " ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", "Hello world", " Hello", "  two spaces", "trailing  ", "a\n\n b",
          "don't I'M we'RE they'll 'S 'Ll ''s", "\u2019s it\u2019s", "1234567", "3.14159", "1,000,000", "١٢٣٤ ४५६", "½ ¾ x²",
          "CamelCaseHTTPServer", "snake_case_name", "naïve café", "cafe\u0301", "\u1e9b\u0323", "ﬁ ﷺ Å", "각 \u1100\u1161\u11a8",
          "Привет", "你好，世界", "こんにちは", "한국어", "ไทยภาษา กำลัง", "مرحبا", "שָׁלוֹם", "हिन्दी", "🚀", "👨‍👩‍👧‍👦", "🇫🇷🇩🇪", "😶‍🌫️",
          "a\u00a0b\u2003c\u3000d", "zero\u200bwidth\u200d", "\u202eRTL", "①②③ ⅣⅤ", "ǅ ʰ ª", "\x00", "a\x00b", "\x07\x1b[0m",
          "\x7f\x80\x9f", "\ufeffbom", "\ufffd", "𝔘𝔫𝔦 𐍈", "\U0010ffff", "\ue000", "!!!???...", "-- --- ----", "_ __ ___", "'''\"\"\"```",
          "\n \n  \n   x", "    def f(x):\n        return x**2\n", "{\"k\": [1, 2, {\"x\": null}]}", "foo/bar//baz/\n/",
          "http://a.b/c?d=e&f=%20", "A" * 300, "ab " * 200, " " * 300, "\n" * 100, "1" * 200, "🚀" * 60, "é" * 150, "e\u0301" * 80,
          "<|im_start|>user\nhi<|im_end|>\n", "text<|im_end|>more", "<think>reason</think>answer", " <think> ",
          "<s>[INST] hi [/INST] there</s>", "<s> <s>", "[INST][INST]", "<|user|>\nhi<|end|>\n\n <|both|> \u3000x \u2003<|both|><|end|> ", "a \n<|im_start|> \t<|im_end|>", "\u0345\u0301\u0316", "a\u0315\u0300\u05ae\u0301b", "ſ's 'ſ"]


def pieces(rng):
    """Makers of random pieces, one for each way of being hard."""
    def chars(ranges, least, most):
        return lambda: "".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(rng.randint(least, most)))
    space = lambda: "".join(rng.choice(" \t\n\r  \u00a0\u2003\u3000\u2028\x0b\x0c\x85") for _ in range(rng.randint(1, 8)))
    plain = lambda: "".join(rng.choice(" \n") for _ in range(rng.randint(1, 12)))
    word = lambda: rng.choice(["the", "License", "software", "WARRANTY", "don't", "I'LL", "we're", "naïve", "x1y2", "Zebra"])
    any_char = lambda: "".join(chr(c) for c in (rng.randrange(1, 0x110000) for _ in range(rng.randint(1, 6)))
                               if not 0xD800 <= c < 0xE000 and unicodedata.category(chr(c)) != "Cn")
    return [
        space, plain, word, word, any_char,
        chars([(0x20, 0x7E)], 1, 12), chars([(0x30, 0x39)], 1, 9), chars([(0x21, 0x2F), (0x5B, 0x60)], 1, 6),
        chars([(0x4E00, 0x9FA5)], 1, 6), chars([(0x3041, 0x3096), (0x30A1, 0x30FA)], 1, 6), chars([(0xAC00, 0xD7A3)], 1, 5),
        chars([(0x1100, 0x1112), (0x1161, 0x1175), (0x11A8, 0x11C2)], 1, 6), chars([(0x0E01, 0x0E3A)], 1, 8),
        chars([(0x0621, 0x064A), (0x064B, 0x0652)], 1, 8), chars([(0x0660, 0x0669), (0x0966, 0x096F)], 1, 4),
        chars([(0x0905, 0x0939), (0x093E, 0x094D)], 1, 6), chars([(0x0410, 0x044F)], 1, 8), chars([(0x0300, 0x036F)], 1, 4),
        chars([(0x61, 0x7A), (0x0300, 0x0345)], 1, 8), chars([(0x1F600, 0x1F64F), (0x200D, 0x200D), (0xFE0F, 0xFE0F)], 1, 5),
        chars([(0x1F1E6, 0x1F1FF)], 1, 4), chars([(0x00, 0x1F), (0x7F, 0x9F)], 1, 4), chars([(0xA0, 0x24F)], 1, 8),
        chars([(0x2150, 0x218F), (0x2460, 0x24FF)], 1, 4), chars([(0x2000, 0x206F)], 1, 4), chars([(0x1E00, 0x1EFF)], 1, 6),
        lambda: rng.choice(SPECIALS), lambda: rng.choice("aé1 🚀\n-你") * rng.randint(1, 60),
        lambda: rng.choice(["'s", "'T", "'Re", "'ll", "'D", "’s", "'", "''"]),
    ]


def hard_strings(seed, count):
    rng = random.Random(seed)
    makers = pieces(rng)
    made = ["".join(rng.choice(makers)() for _ in range(rng.randint(1, 8))) for _ in range(count)]
    return CHOSEN + made
