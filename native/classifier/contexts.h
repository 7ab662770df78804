/* SPDX-License-Identifier: Apache-2.0 */
/* The classes of process contexts, by kind. Of fixed size; what does not fit takes the place of what was there. */
#ifndef HULLWATCH_CONTEXTS_H
#define HULLWATCH_CONTEXTS_H

#include <stdint.h>

#include "classifier.h"

struct context {
	uint8_t key[HW_CONTEXT_SIZE];
	uint32_t used;
};

struct contexts {
	struct context *entries;
	uint16_t *classes; /* by entry and kind */
	uint32_t kind_count;
	uint64_t replaced;
	uint64_t hash_key[2];
};

int contexts_make(struct contexts *contexts, uint32_t kind_count, const uint64_t hash_key[2]);
void contexts_free(struct contexts *contexts);

/* The classes by kind; NULL when the context is not known. */
const uint16_t *contexts_find(const struct contexts *contexts, const uint8_t *key);
void contexts_learn(struct contexts *contexts, const uint8_t *key, const uint16_t *classes);
void contexts_forget(struct contexts *contexts, const uint8_t *key);
void contexts_forget_all(struct contexts *contexts);

#endif
