/* A store without a disk, linked instead of store/store.c: "fake" and "org/fake" run on the fake engine, "fake-lora" is
 * an adapter for them and "fake-lora-foreign" one for another architecture,
 * "fake-embed" and "fake-rerank" give its vectors and scores, "fake-whisper" and "fake-voice" hear and speak as it
 * does, "broken" cannot run. For programs that want the whole way of a request without a model. */
#ifndef AL_TESTS_KIT_FAKE_STORE_H
#define AL_TESTS_KIT_FAKE_STORE_H

#include "store/store.h"

struct al_store *al_fake_store_new(void); /* aborts when memory runs out; al_store_free */

#endif
