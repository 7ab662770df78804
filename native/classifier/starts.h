/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of processes from the first moment on, because others started like them: the same program, with the
 * same texts, as the same user, below the same. Of fixed size; what does not fit takes the place of what was there.
 */
#ifndef HULLWATCH_STARTS_H
#define HULLWATCH_STARTS_H

#include <stdint.h>

#include "classifier.h"
#include "contexts.h"
#include "words.h"

struct start {
	uint64_t key;	    /* a hash of all that such processes have in common */
	uint32_t container; /* the caller's number; 0 = free */
	uint32_t ancestry;
	uint32_t row;	/* of its classes, as in contexts.h */
	uint32_t marks; /* of words that must not be in the arguments; 0 when these are part of the key */
};

struct starts {
	struct hw_starts where;
	struct words words; /* of arguments; the outputs are marks */
	struct start *entries;
	uint64_t replaced;
	uint64_t hash_key[2];
};

int starts_make(struct starts *starts, const uint64_t hash_key[2]);
void starts_free(struct starts *starts);

/* Whether a record of a child, or of a program, tells of a process that is known by others; it is known then. */
int starts_child(struct starts *starts, struct contexts *contexts, const uint8_t *record, uint64_t length);
int starts_program(struct starts *starts, struct contexts *contexts, const uint8_t *record, uint64_t length);

/* What is known of the process of a record holds for all that start like it. */
void starts_learn_child(struct starts *starts, const struct contexts *contexts, const uint8_t *record, uint64_t length);
void starts_learn_program(struct starts *starts, const struct contexts *contexts, const uint8_t *record,
			  uint64_t length, uint32_t marks);
void starts_forget(struct starts *starts);

#endif
