/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "contexts.h"
#include "siphash.h"

#define WAYS 4
#define SETS 8192 /* a power of two */

int contexts_make(struct contexts *contexts, uint32_t kind_count, const uint64_t hash_key[2])
{
	contexts->kind_count = kind_count;
	contexts->entries = calloc(SETS * WAYS, sizeof(*contexts->entries));
	contexts->classes = calloc((uint64_t)SETS * WAYS * (kind_count ? kind_count : 1), sizeof(*contexts->classes));
	memcpy(contexts->hash_key, hash_key, sizeof(contexts->hash_key));
	return contexts->entries && contexts->classes ? 0 : -1;
}

void contexts_free(struct contexts *contexts)
{
	free(contexts->entries);
	free(contexts->classes);
}

static uint64_t first_of_set(const struct contexts *contexts, const uint8_t *key)
{
	struct siphash hash;

	siphash_begin(&hash, contexts->hash_key, UINT64_MAX);
	siphash_add(&hash, key, HW_CONTEXT_SIZE);
	return (siphash_end(&hash) >> 16 & (SETS - 1)) * WAYS;
}

static int64_t find(const struct contexts *contexts, const uint8_t *key)
{
	uint64_t first = first_of_set(contexts, key);

	for (uint64_t one = first; one < first + WAYS; one++)
		if (contexts->entries[one].used && !memcmp(contexts->entries[one].key, key, HW_CONTEXT_SIZE))
			return (int64_t)one;
	return -1;
}

const uint16_t *contexts_find(const struct contexts *contexts, const uint8_t *key)
{
	int64_t entry = find(contexts, key);

	return entry < 0 ? NULL : contexts->classes + (uint64_t)entry * contexts->kind_count;
}

static uint64_t free_place(struct contexts *contexts, const uint8_t *key)
{
	uint64_t first = first_of_set(contexts, key);

	for (uint64_t one = first; one < first + WAYS; one++)
		if (!contexts->entries[one].used)
			return one;
	return first + contexts->replaced++ % WAYS;
}

void contexts_learn(struct contexts *contexts, const uint8_t *key, const uint16_t *classes)
{
	int64_t known = find(contexts, key);
	uint64_t entry = known < 0 ? free_place(contexts, key) : (uint64_t)known;

	memcpy(contexts->entries[entry].key, key, HW_CONTEXT_SIZE);
	contexts->entries[entry].used = 1;
	memcpy(contexts->classes + entry * contexts->kind_count, classes, contexts->kind_count * sizeof(*classes));
}

void contexts_forget(struct contexts *contexts, const uint8_t *key)
{
	int64_t entry = find(contexts, key);

	if (entry >= 0)
		contexts->entries[entry].used = 0;
}

void contexts_forget_all(struct contexts *contexts)
{
	for (uint64_t one = 0; one < SETS * WAYS; one++)
		contexts->entries[one].used = 0;
}
