/* SPDX-License-Identifier: Apache-2.0 */
/* Which words occur in a path: the automaton of Aho and Corasick (1975), as a table. */
#ifndef HULLWATCH_WORDS_H
#define HULLWATCH_WORDS_H

#include <stdint.h>

struct words {
	uint8_t columns[256];
	uint32_t column_count;
	uint32_t *next; /* by state and column; NULL without words */
	uint32_t *output_ends;
	uint32_t *outputs;
};

int words_make(struct words *words, const uint8_t *columns, uint32_t column_count, const uint32_t *next,
	       uint32_t state_count, const uint32_t *output_ends, const uint32_t *outputs);
void words_free(struct words *words);

/*
 * A number that two paths share if and only if the same words occur in both, first in the same order (but for hash
 * collisions); 0 when the words do not decide: the path has a word that does not, or more than MOST_FOUND, or is not
 * plain (detect/signature.py says what that is).
 */
uint64_t words_signature(const struct words *words, const uint8_t *path, uint64_t size, const uint64_t key[2],
			 uint64_t space);

/* The marks of the words that occur in a text, of an automaton whose outputs are marks; the first of those are enough. */
uint32_t words_marks(const struct words *words, const uint8_t *text, uint64_t size, uint32_t enough);

#endif
