"""The tokenizer of tiny-whisper and every file of its Hugging Face directory except the weights.

Ids are those of a multilingual Whisper of 51,865 tokens, because programs know its special tokens by number. A word of the
domain is one token with its leading space; every prefix of one is a token too, so that merges lead to it; the 256 bytes
encode everything else. The ids between them and 50,257 stand for nothing.
"""
import json

import speech_text

N_VOCAB, EOT, SOT, TRANSLATE, TRANSCRIBE, SOLM, PREV, NO_SPEECH, NO_TIMESTAMPS, TIMESTAMP = (
    51865, 50257, 50258, 50358, 50359, 50360, 50361, 50362, 50363, 50364)
LANGUAGES = ("en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml cy "
             "sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo "
             "uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su").split()
LANGUAGE_ID = {code: SOT + 1 + i for i, code in enumerate(LANGUAGES)}


def byte_letters():
    """GPT-2's letter for each byte, in the order of its ids."""
    printable = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    rest = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(rest)}


LETTERS = byte_letters()


class Tokens:
    def __init__(self):
        self.vocab = {letter: i for i, letter in enumerate(LETTERS.values())}
        english, german = speech_text.words()
        spelt = ["".join(LETTERS[b] for b in (" " + w).encode()) for w in english + german]
        self.words = dict(zip(english + german, range(256, 256 + len(spelt))))
        self.vocab |= {s: i for s, i in zip(spelt, self.words.values())}
        self.merges = []
        for n in range(2, max(map(len, spelt)) + 1):
            for prefix in sorted({s[:n] for s in spelt if len(s) >= n}):
                self.merges.append((prefix[:-1], prefix[-1]))
                self.vocab.setdefault(prefix, len(self.vocab))
        self.point = self.vocab["."]
        self.special = {"<|endoftext|>": EOT, "<|startoftranscript|>": SOT, "<|translate|>": TRANSLATE,
            "<|transcribe|>": TRANSCRIBE, "<|startoflm|>": SOLM, "<|startofprev|>": PREV, "<|nospeech|>": NO_SPEECH,
            "<|notimestamps|>": NO_TIMESTAMPS} | {f"<|{c}|>": i for c, i in LANGUAGE_ID.items()}
        self.special = dict(sorted(self.special.items(), key=lambda item: item[1]))
        self.timestamps = {f"<|{i * 0.02:.2f}|>": TIMESTAMP + i for i in range(1501)}
        self.used = sorted([*self.words.values(), self.point, EOT, SOT, LANGUAGE_ID["en"], LANGUAGE_ID["de"], TRANSLATE,
            TRANSCRIBE, PREV, NO_SPEECH, NO_TIMESTAMPS])

    def encode(self, text):
        """A sentence of known words: ' turn on' ... and the point."""
        return [self.words[w] for w in text.split()] + [self.point]

    # ---- files ----------------------------------------------------------------------------------------------------------

    def tokenizer_json(self):
        def added(name, i, special):
            return {"id": i, "content": name, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                "special": special}
        # Special tokens stand in the vocabulary too: a reader numbers added tokens by counting otherwise.
        vocab = self.vocab | self.special | self.timestamps
        prefix = [("<|startoftranscript|>", SOT), ("<|notimestamps|>", NO_TIMESTAMPS)]
        single = [{"SpecialToken": {"id": n, "type_id": 0}} for n, _ in prefix] + [{"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}]
        pair = single[:-1] + [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "<|endoftext|>", "type_id": 1}}]
        return {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [added(n, i, True) for n, i in self.special.items()],
            "normalizer": None,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            "post_processor": {"type": "TemplateProcessing", "single": single, "pair": pair,
                "special_tokens": {n: {"id": n, "ids": [i], "tokens": [n]} for n, i in prefix + [("<|endoftext|>", EOT)]}},
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": vocab,
                "merges": [f"{a} {b}" for a, b in self.merges]}}

    def write(self, out, sizes, alignment_heads):
        """sizes: the part of config.json that training decides."""
        def put(name, value, **how):
            (out / name).write_text(json.dumps(value, ensure_ascii=False, **how) + "\n", encoding="utf-8")
        tight = {"separators": (",", ":")}
        silent = [SOT, TRANSLATE, TRANSCRIBE, SOLM, PREV, NO_SPEECH]
        common = {"bos_token_id": EOT, "eos_token_id": EOT, "pad_token_id": EOT, "decoder_start_token_id": SOT}
        put("config.json", {"architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper"} | sizes | common | {
            "activation_dropout": 0.0, "activation_function": "gelu", "attention_dropout": 0.0, "dropout": 0.0,
            "encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0, "init_std": 0.02, "is_encoder_decoder": True,
            "begin_suppress_tokens": None, "suppress_tokens": None, "forced_decoder_ids": None,
            "max_source_positions": 1500, "num_mel_bins": 80, "scale_embedding": False, "tie_word_embeddings": True,
            "torch_dtype": "float16", "use_cache": True, "vocab_size": N_VOCAB}, indent=2)
        put("generation_config.json", common | {"alignment_heads": alignment_heads, "begin_suppress_tokens": [],
            "suppress_tokens": silent, "is_multilingual": True, "lang_to_id": {f"<|{c}|>": i for c, i in LANGUAGE_ID.items()},
            "task_to_id": {"transcribe": TRANSCRIBE, "translate": TRANSLATE}, "no_timestamps_token_id": NO_TIMESTAMPS,
            "prev_sot_token_id": PREV, "max_initial_timestamp_index": 50, "max_length": sizes["max_target_positions"],
            "return_timestamps": False}, indent=2)
        put("preprocessor_config.json", {"chunk_length": 30, "feature_extractor_type": "WhisperFeatureExtractor",
            "feature_size": 80, "hop_length": 160, "n_fft": 400, "n_samples": 480000, "nb_max_frames": 3000,
            "padding_side": "right", "padding_value": 0.0, "processor_class": "WhisperProcessor",
            "return_attention_mask": False, "sampling_rate": 16000}, indent=2)
        put("tokenizer.json", self.tokenizer_json(), **tight)
        put("vocab.json", self.vocab, **tight)
        put("added_tokens.json", {n: i for n, i in self.special.items()}, **tight)
        (out / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in self.merges), encoding="utf-8")
        put("normalizer.json", {"colour": "color", "metre": "meter", "metres": "meters"}, indent=2)
        eot = "<|endoftext|>"
        extra = [n for n in self.special if n != eot]
        put("special_tokens_map.json", {"additional_special_tokens": extra, "bos_token": eot, "eos_token": eot,
            "pad_token": eot, "unk_token": eot}, **tight)
        put("tokenizer_config.json", {"add_bos_token": False, "add_prefix_space": False, "additional_special_tokens": extra,
            "bos_token": eot, "clean_up_tokenization_spaces": False, "eos_token": eot, "errors": "replace",
            "model_max_length": sizes["max_target_positions"], "pad_token": eot, "processor_class": "WhisperProcessor",
            "return_attention_mask": False, "tokenizer_class": "WhisperTokenizer", "unk_token": eot}, indent=1)
