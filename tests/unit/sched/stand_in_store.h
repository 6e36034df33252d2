/* A store of made-up models for the fake engine, in place of src/store. An id is found when it begins with "fake". */
#ifndef TEST_STAND_IN_STORE_H
#define TEST_STAND_IN_STORE_H

#include "store/store.h"

#include <stdatomic.h>

/* Models whose id contains this are not on disk now (nullptr: all are there). */
extern _Atomic(const char *) stand_in_gone;

#endif
