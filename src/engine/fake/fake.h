/* An engine without a model: deterministic, instant, and strict about how it is used, so that everything above engines
 * is tested without weights. Runtime "fake", format unknown; a descriptor needs no file. What it can do is what the
 * descriptor's capabilities say (none: generate); one that neither generates nor embeds is no text model.
 *
 * What it says depends on the tokens of the sequence and the adapters alone, so a text comes out the same alone and in
 * a batch:
 * - With a script: the script, then <|im_end|>. The script is what stands between the last "@say{" and "}yas@" of the
 *   sequence, or else the knob's. How much of it has been said is read off the sequence: the tokens after the last
 *   "<|im_start|>...\n" header, or without one the longest end of the sequence that begins the script.
 * - Without: letters and spaces drawn by a hash of the sequence, ended by <|im_end|> after 32 tokens on average. Every
 *   letter has a chance, so that sampling has something to choose from.
 * - Where that may not come (a grammar), it closes what is open: the end, '}', ']', '"', ',', ':', '0' in that order.
 * - With adapters it shouts: letters are capitals, and the hash is another.
 *
 * An embedding (8 floats) is a hash of the text's tokens; a score is the share of the document's bytes that occur in
 * the query. An adapter is any descriptor whose architecture is nullptr or "fake"; its id makes it.
 *
 * Told to transcribe (a descriptor with AL_CAN_TRANSCRIBE), it hears a number for every second that has begun: one
 * segment each, " one", " two", ... " ninety-nine", " 100", ..., one word long. "translate" says it in capitals, a
 * prompt is repeated in brackets behind the first number, the language is what was asked for or "en" (it knows en, de
 * and fr), the tokens are the text's bytes. Told to speak (AL_CAN_SPEAK), it plays a tone for every ASCII letter and
 * digit and silence for every other byte, 0.05 s each at normal speed, 22050 Hz, in three voices: "low", "mid" (the
 * default, and OpenAI's "alloy"), "high".
 *
 * Told to draw (AL_CAN_DRAW), it fills squares of 8 x 8 pixels with colours drawn by a hash of prompt, negative prompt,
 * sampler, steps, guidance and the picture's seed; sizes are multiples of 8 from 8 to 1024, 64 x 64 in 4 steps by
 * default. With a picture it mixes so much of the squares into it as `strength` says, where the mask lets it. A preview
 * is the squares alone, one pixel each, dark as long as steps are missing.
 *
 * Misuse asserts: positions that do not continue their sequence, sequences out of range, too many items, logits of an
 * item that did not want them, two threads at once, a cached prefix of other adapters, adapters in an embedding,
 * languages, voices, speeds and drawings that were not checked. */
#ifndef AL_ENGINE_FAKE_FAKE_H
#define AL_ENGINE_FAKE_FAKE_H

#include "engine/engine.h"

#include <stdatomic.h>

extern const struct al_engine al_engine_fake;

/* The vocabulary: 256 bytes, then these control tokens. */
constexpr int32_t AL_FAKE_BOS = 256;        /* <|bos|> */
constexpr int32_t AL_FAKE_EOS = 257;        /* <|eos|> */
constexpr int32_t AL_FAKE_IM_START = 258;   /* <|im_start|> */
constexpr int32_t AL_FAKE_IM_END = 259;     /* <|im_end|> */
constexpr int32_t AL_FAKE_FIM_PREFIX = 260; /* <|fim_prefix|>; then <|fim_suffix|>, <|fim_middle|> */
constexpr int32_t AL_FAKE_START = 263;  /* <|start|>; then those of gpt-oss: <|channel|>, <|message|>, <|end|>, ... */
constexpr int32_t AL_FAKE_RETURN = 267; /* <|return|>, ends generation */
constexpr int32_t AL_FAKE_CALL = 268;   /* <|call|>, ends generation; <|constrain|> */
constexpr int AL_FAKE_N_VOCAB = 270;
constexpr int AL_FAKE_N_EMBD = 8;
constexpr int AL_FAKE_HEARS_HZ = 16000;
constexpr int AL_FAKE_SPEAKS_HZ = 22050;

extern const char al_fake_chatml[]; /* the chat template it has by default: ChatML, tool calls as Hermes writes them */

/* What a test may set, at any time and from any thread. Process-wide: the interface leaves no other way in. */
struct al_fake_knobs {
  /* At the next load */
  _Atomic int64_t load_ns;             /* a load takes so long */
  _Atomic int load_code;               /* an enum al_code: loads fail with it; AL_OK: they succeed */
  _Atomic int kv_capacity;             /* tokens; 0: the load option n_ctx, or 4096 */
  _Atomic(const char *) chat_template; /* nullptr: the model has none */
  _Atomic bool add_bos;
  _Atomic bool no_fim;            /* the model does not fill in the middle */
  _Atomic uint64_t weights_bytes; /* what estimate says; 0: 1 MiB */
  /* Now */
  _Atomic int64_t decode_ns;      /* a decode takes so long; `stop` ends it within a millisecond */
  _Atomic int fail_decode_at;     /* the n-th decode from now fails, once; 0: none */
  _Atomic int fail_decode_code;   /* ... with this enum al_code (AL_OOM_RAM comes with reason "kv_full") */
  _Atomic int abort_decode_at;    /* the n-th decode from now ends the process by SIGABRT; 0: none */
  _Atomic int poison;             /* embedding a text with this token fails with AL_INTERNAL; 0: none */
  _Atomic bool no_adapter_use;    /* adapter_use fails */
  _Atomic bool no_partial_remove; /* sequence_remove refuses parts, as a recurrent model does */
  _Atomic bool never_ends;        /* the hash never says <|im_end|>; a script starts over */
  _Atomic(const char *) script;   /* nullptr: by hash. Special tokens in it are parsed */
  _Atomic int64_t hear_ns;        /* a second of audio takes so long; `stop` ends it within a millisecond */
  _Atomic int64_t speak_ns;       /* a byte of text takes so long; likewise */
  _Atomic int fail_segment_at;    /* the n-th segment from now fails with AL_INTERNAL, once; 0: none */
  _Atomic int fail_letter_at;     /* likewise the n-th byte that is to be spoken */
  _Atomic int abort_segment_at;   /* the n-th segment from now ends the process by SIGABRT; 0: none */
  _Atomic int samples_asked;      /* of the source at once; 0: a second's */
  _Atomic int64_t step_ns;        /* a step of a drawing takes so long; `stop` ends it within a millisecond */
  _Atomic int fail_step_at;       /* the n-th step from now fails with AL_INTERNAL, once; 0: none */
  _Atomic int abort_step_at;      /* the n-th step from now ends the process by SIGABRT; 0: none */
};
extern struct al_fake_knobs al_fake_knobs;

/* What has happened since al_fake_reset. */
struct al_fake_counts {
  _Atomic uint64_t n_loads, n_unloads, n_decodes, n_items;
  _Atomic uint64_t most_sequences_in_a_decode;
  _Atomic uint64_t most_cells_used; /* of the KV cache */
  _Atomic uint64_t n_embeds, n_adapters, n_adapter_uses;
  _Atomic uint64_t n_transcriptions, n_samples_heard, n_speeches, n_samples_spoken;
  _Atomic uint64_t n_drawings, n_steps, n_pictures;
};
extern struct al_fake_counts al_fake_counts;

void al_fake_reset(void); /* every knob to its default, every count to 0 */

#endif
