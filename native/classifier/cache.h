/* SPDX-License-Identifier: Apache-2.0 */
/* A table of 64-bit keys in sets of four: of fixed size, and what does not fit takes the place of what was there. */
#ifndef HULLWATCH_CACHE_H
#define HULLWATCH_CACHE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_WAYS 4

struct cache_entry {
	uint64_t key; /* 0 = free */
	uint64_t value;
};

struct cache {
	struct cache_entry *entries;
	uint64_t set_mask;
	uint64_t replaced;
};

/* `entries` is a power of two. Each set is one line of the processor's memory. */
static inline int cache_make(struct cache *cache, uint64_t entries)
{
	uint64_t size = entries * sizeof(*cache->entries);

	cache->entries = aligned_alloc(CACHE_WAYS * sizeof(*cache->entries), size);
	if (cache->entries)
		memset(cache->entries, 0, size);
	cache->set_mask = entries / CACHE_WAYS - 1;
	cache->replaced = 0;
	return cache->entries ? 0 : -1;
}

/* The highest bits choose the set: keys are hashes, or products, of which the low bits are poor. At most 65,536 sets. */
static inline struct cache_entry *cache_set(const struct cache *cache, uint64_t key)
{
	return cache->entries + ((key >> 48) & cache->set_mask) * CACHE_WAYS;
}

/* Says that a key is soon asked for. */
static inline void cache_fetch(const struct cache *cache, uint64_t key)
{
	__builtin_prefetch(cache_set(cache, key));
}

/* The value, or 0. */
static inline uint64_t cache_get(const struct cache *cache, uint64_t key)
{
	const struct cache_entry *set = cache_set(cache, key);

	for (int way = 0; way < CACHE_WAYS; way++)
		if (set[way].key == key)
			return set[way].value;
	return 0;
}

static inline void cache_put(struct cache *cache, uint64_t key, uint64_t value)
{
	struct cache_entry *set = cache_set(cache, key);
	struct cache_entry *place = NULL;

	for (int way = 0; way < CACHE_WAYS && !place; way++)
		if (set[way].key == key || !set[way].key)
			place = &set[way];
	if (!place)
		place = &set[cache->replaced++ % CACHE_WAYS];
	place->key = key;
	place->value = value;
}

#endif
