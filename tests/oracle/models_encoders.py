"""Tiny random encoders and embedding models, with the tokenizers and the pooling that they come with. Part of
make_models.py's layout, but for test_embeddings.py alone."""
import json
import pathlib
import random

import make_models
import torch
import transformers as T
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SIZES = dict(vocab_size=900, hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4)
PAIR = "[CLS] $A [SEP] $B:1 [SEP]:1"


def wordpiece(lowercase=True, vocabulary=880, alphabet=450):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=vocabulary, special_tokens=SPECIALS, show_progress=False,
                                         limit_alphabet=alphabet)
    tokenizer.train_from_iterator(make_models.corpus(hard=True), trainer)
    ends = [(t, tokenizer.token_to_id(t)) for t in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair=PAIR, special_tokens=ends)
    return tokenizer, dict(unk_token="[UNK]", sep_token="[SEP]", pad_token="[PAD]", cls_token="[CLS]", mask_token="[MASK]")


def qwen3_embedding():
    size = make_models.Size(900, False)
    tokenizer, special = make_models.qwen2_tokenizer(size)
    end = tokenizer.token_to_id("<|endoftext|>")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <|endoftext|>", pair="$A $B <|endoftext|>",
                                                             special_tokens=[("<|endoftext|>", end)])
    return tokenizer, special


def modernbert_tokenizer():
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = make_models.byte_level(make_models.Size(900, False), "gpt2", specials)
    tokenizer.normalizer = normalizers.NFC()
    ends = [(t, tokenizer.token_to_id(t)) for t in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair=PAIR, special_tokens=ends)
    return tokenizer, dict(unk_token="[UNK]", sep_token="[SEP]", pad_token="[PAD]", cls_token="[CLS]", mask_token="[MASK]")


def roberta_tokenizer():
    tokenizer = make_models.byte_level(make_models.Size(900, False), "gpt2", ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    ids = [tokenizer.token_to_id(t) for t in ("</s>", "<s>")]
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", ids[0]), ("<s>", ids[1]), add_prefix_space=False)
    return tokenizer, dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>", sep_token="</s>", pad_token="<pad>",
                           cls_token="<s>", mask_token="<mask>")


def roberta(**more):
    return T.RobertaConfig(**SIZES, max_position_embeddings=514, pad_token_id=1, bos_token_id=0, eos_token_id=2, **more)


IDS = dict(pad_token_id=0, eos_token_id=3, bos_token_id=2, cls_token_id=2, sep_token_id=3)


def modernbert():
    return T.ModernBertConfig(**{**SIZES, "num_hidden_layers": 5}, **IDS, max_position_embeddings=1024, local_attention=32)


def nomic():
    return T.NomicBertConfig(**SIZES, max_position_embeddings=1024, pad_token_id=0)


def bert(**more):
    return T.BertConfig(**SIZES, max_position_embeddings=512, **more)


def qwen3():
    return T.Qwen3Config(**{**SIZES, "num_hidden_layers": 2}, num_key_value_heads=2, head_dim=16, rms_norm_eps=1e-6,
                         max_position_embeddings=1024, tie_word_embeddings=True)


# name: (config, class, tokenizer, pooling as sentence-transformers names it; "rank": a reranker; None: not stated)
MODELS = {
    "bert": (bert, T.BertModel, wordpiece, "cls"),
    "bert-mean": (lambda: bert(type_vocab_size=1), T.BertModel, wordpiece, None),
    "bert-mlm-cased": (bert, T.BertForMaskedLM, lambda: wordpiece(lowercase=False), "mean"),
    "bert-rank": (lambda: bert(num_labels=1), T.BertForSequenceClassification, wordpiece, "rank"),
    "roberta": (lambda: roberta(type_vocab_size=1), T.RobertaModel, roberta_tokenizer, "mean"),
    "roberta-rank": (lambda: roberta(num_labels=1), T.RobertaForSequenceClassification, roberta_tokenizer, "rank"),
    "nomic": (nomic, T.NomicBertModel, wordpiece, "mean"),
    "modernbert": (modernbert, T.ModernBertModel, modernbert_tokenizer, "cls"),
    "modernbert-mlm": (modernbert, T.ModernBertForMaskedLM, modernbert_tokenizer, "mean"),
    "qwen3-embedding": (qwen3, T.Qwen3ForCausalLM, qwen3_embedding, "lasttoken"),
    "qwen3-embedding-bare": (qwen3, T.Qwen3Model, qwen3_embedding, "mean"),
}


def write_pooling(directory, mode):
    names = dict(cls="cls_token", mean="mean_tokens", lasttoken="lasttoken")
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    (directory / "modules.json").write_text(json.dumps(
        [dict(idx=i, name=str(i), path=path, type=f"sentence_transformers.models.{kind}")
         for i, (path, kind) in enumerate(modules)]))
    (directory / "1_Pooling").mkdir()
    (directory / "1_Pooling" / "config.json").write_text(json.dumps(
        {f"pooling_mode_{name}": key == mode for key, name in names.items()}))


def make(name, out):
    config, kind, tokenizer, pooling = MODELS[name]
    directory = pathlib.Path(out) / name
    torch.manual_seed(1)
    random.seed(1)
    model = kind(config())
    make_models.randomise(model)
    for key, weight in model.named_parameters():  # or the last norm's bias would say more than the text
        weight.data.mul_(0.1 if key.endswith("bias") else 3.0 if weight.dim() > 1 else 1.0)
    model.save_pretrained(directory)
    if name == "qwen3-embedding-bare":  # as sentence-transformers saves it, under the name of the whole
        path = directory / "config.json"
        path.write_text(path.read_text().replace("Qwen3Model", "Qwen3ForCausalLM"))
    tok, special = tokenizer()
    T.PreTrainedTokenizerFast(tokenizer_object=tok, clean_up_tokenization_spaces=False, **special).save_pretrained(directory)
    if pooling not in ("rank", None):
        write_pooling(directory, pooling)
    return directory, model.eval(), tok
