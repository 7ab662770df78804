/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "contexts.h"
#include "siphash.h"

#define WAYS 4
#define SETS 8192 /* a power of two */

_Static_assert(sizeof(struct context_key) == HW_CONTEXT_SIZE, "a context is what the header of a record has");

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

static uint64_t first_of_set(const struct contexts *contexts, uint64_t start, uint32_t pid)
{
	uint64_t process[2] = {start, pid};
	struct siphash hash;

	siphash_begin(&hash, contexts->hash_key, UINT64_MAX);
	siphash_add(&hash, (const uint8_t *)process, sizeof(process));
	return (siphash_end(&hash) >> 16 & (SETS - 1)) * WAYS;
}

static int is_known(const struct context *entry, const struct context_key *key)
{
	return entry->container && !memcmp(&entry->key, key, sizeof(*key));
}

const struct context *contexts_entry(const struct contexts *contexts, const uint8_t *context)
{
	struct context_key key;
	uint64_t first;

	memcpy(&key, context, sizeof(key));
	first = first_of_set(contexts, key.start, key.pid);
	for (uint64_t one = first; one < first + WAYS; one++)
		if (is_known(&contexts->entries[one], &key))
			return &contexts->entries[one];
	return NULL;
}

const uint16_t *contexts_classes(const struct contexts *contexts, const struct context *entry)
{
	return contexts->classes + (uint64_t)(entry - contexts->entries) * contexts->kind_count;
}

const uint16_t *contexts_find(struct contexts *contexts, const uint8_t *context)
{
	const struct context *entry = &contexts->entries[contexts->last]; /* mostly it is that one again */
	struct context_key key;

	memcpy(&key, context, sizeof(key));
	if (!is_known(entry, &key)) {
		entry = contexts_entry(contexts, context);
		if (!entry)
			return NULL;
		contexts->last = (uint64_t)(entry - contexts->entries);
	}
	return contexts_classes(contexts, entry);
}

static uint64_t place_for(struct contexts *contexts, const struct context_key *key)
{
	uint64_t first = first_of_set(contexts, key->start, key->pid), found = UINT64_MAX;

	for (uint64_t one = first; one < first + WAYS; one++) {
		if (is_known(&contexts->entries[one], key))
			return one;
		if (!contexts->entries[one].container)
			found = one;
	}
	return found != UINT64_MAX ? found : first + contexts->replaced++ % WAYS;
}

void contexts_learn(struct contexts *contexts, const struct context *known, const uint16_t *classes)
{
	uint64_t place = place_for(contexts, &known->key);

	contexts->entries[place] = *known;
	memcpy(contexts->classes + place * contexts->kind_count, classes, contexts->kind_count * sizeof(*classes));
}

void contexts_forget_process(struct contexts *contexts, uint64_t start, uint32_t pid)
{
	struct context *set = contexts->entries + first_of_set(contexts, start, pid);

	for (int one = 0; one < WAYS; one++)
		if (set[one].key.start == start && set[one].key.pid == pid)
			set[one].container = 0;
}

void contexts_forget_container(struct contexts *contexts, uint32_t container)
{
	for (uint64_t one = 0; one < SETS * WAYS; one++)
		if (contexts->entries[one].container == container)
			contexts->entries[one].container = 0;
}

void contexts_forget_cgroup(struct contexts *contexts, uint64_t id, uint32_t hierarchy)
{
	for (uint64_t one = 0; one < SETS * WAYS; one++)
		if (contexts->entries[one].key.cgroup == id && contexts->entries[one].key.hierarchy == hierarchy)
			contexts->entries[one].container = 0;
}

void contexts_forget_all(struct contexts *contexts)
{
	for (uint64_t one = 0; one < SETS * WAYS; one++)
		contexts->entries[one].container = 0;
}
