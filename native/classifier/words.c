/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "siphash.h"
#include "words.h"

/* As in detect/signature.py: marks around the string and around its directory. */
enum { BEGIN = 1, END = 2, DIRECTORY = 3, DIRECTORY_END = 4 };

#define MOST_FOUND 64 /* words in one path; one with more is looked at by itself */

struct search {
	const struct words *words;
	uint32_t state;
	uint32_t found[MOST_FOUND];
	uint32_t count;
	int undecided;
};

static uint32_t *copy(const uint32_t *values, uint64_t count)
{
	uint32_t *made = malloc(count ? count * sizeof(*made) : sizeof(*made));

	if (made)
		memcpy(made, values, count * sizeof(*made));
	return made;
}

int words_make(struct words *words, const uint8_t *columns, uint32_t column_count, const uint32_t *next,
	       uint32_t state_count, const uint32_t *output_ends, const uint32_t *outputs)
{
	words_free(words);
	memcpy(words->columns, columns, sizeof(words->columns));
	words->column_count = column_count;
	words->next = copy(next, (uint64_t)state_count * column_count);
	words->output_ends = copy(output_ends, state_count);
	words->outputs = copy(outputs, state_count ? output_ends[state_count - 1] : 0);
	if (words->next && words->output_ends && words->outputs)
		return 0;
	words_free(words);
	return -1;
}

void words_free(struct words *words)
{
	free(words->next);
	free(words->output_ends);
	free(words->outputs);
	memset(words, 0, sizeof(*words));
}

static void note(struct search *search, uint32_t output)
{
	if (output & 1)
		search->undecided = 1;
	for (uint32_t one = 0; one < search->count; one++)
		if (search->found[one] == output)
			return;
	if (search->count == MOST_FOUND)
		search->undecided = 1;
	else
		search->found[search->count++] = output;
}

static inline void step(struct search *search, uint8_t byte)
{
	const struct words *words = search->words;
	uint32_t state = words->next[(uint64_t)search->state * words->column_count + words->columns[byte]];

	search->state = state;
	for (uint32_t one = state ? words->output_ends[state - 1] : 0; one < words->output_ends[state]; one++)
		note(search, words->outputs[one]);
}

/* The length of the directory of a plain path (of "/x" it is 0: then it is "/"); -1 if the path is not plain. */
static int64_t plain_directory(const uint8_t *path, uint64_t size)
{
	uint64_t slash = 0;

	if (!size || path[0] != '/')
		return -1;
	for (uint64_t one = 0; one < size; one++) {
		if (path[one] >= BEGIN && path[one] <= DIRECTORY_END)
			return -1;
		if (path[one] != '/')
			continue;
		if (one && path[one - 1] == '/')
			return -1;
		slash = one;
	}
	return size > 1 && slash == size - 1 ? -1 : (int64_t)slash;
}

uint64_t words_signature(const struct words *words, const uint8_t *path, uint64_t size, const uint64_t key[2],
			 uint64_t space)
{
	struct search search = {.words = words};
	int64_t directory = plain_directory(path, size);
	struct siphash hash;

	if (!words->next || directory < 0)
		return 0;
	step(&search, BEGIN);
	for (uint64_t one = 0; one < size; one++)
		step(&search, path[one]);
	step(&search, END);
	step(&search, DIRECTORY);
	step(&search, '/');
	for (int64_t one = 1; one < directory; one++)
		step(&search, path[one]);
	step(&search, DIRECTORY_END);
	if (search.undecided)
		return 0;
	siphash_begin(&hash, key, space);
	siphash_add(&hash, (const uint8_t *)search.found, search.count * sizeof(search.found[0]));
	return siphash_end(&hash);
}

uint32_t words_marks(const struct words *words, const uint8_t *text, uint64_t size, uint32_t enough)
{
	uint32_t state = 0, marks = 0;

	for (uint64_t one = 0; one < size && !(marks & enough); one++) {
		state = words->next[(uint64_t)state * words->column_count + words->columns[text[one]]];
		for (uint32_t end = state ? words->output_ends[state - 1] : 0; end < words->output_ends[state]; end++)
			marks |= words->outputs[end];
	}
	return marks;
}
