/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "records.h"
#include "siphash.h"
#include "starts.h"
#include "texts.h"

#define WAYS 4
#define SETS 512	  /* a power of two */
#define LONGEST_TEXT 2048 /* bytes of a program's texts; longer ones hardly come again */

enum { SPACE_CHILD = 1, SPACE_PROGRAM = 2 };

int starts_make(struct starts *starts, uint32_t kind_count, const uint64_t hash_key[2])
{
	starts->kind_count = kind_count;
	starts->entries = calloc(SETS * WAYS, sizeof(*starts->entries));
	starts->classes = calloc((uint64_t)SETS * WAYS * (kind_count ? kind_count : 1), sizeof(*starts->classes));
	memcpy(starts->hash_key, hash_key, sizeof(starts->hash_key));
	return starts->entries && starts->classes ? 0 : -1;
}

void starts_free(struct starts *starts)
{
	free(starts->entries);
	free(starts->classes);
}

static uint16_t *classes_of(const struct starts *starts, const struct start *start)
{
	return starts->classes + (uint64_t)(start - starts->entries) * starts->kind_count;
}

static struct start *set_of(const struct starts *starts, uint64_t key)
{
	return starts->entries + (key >> 48 & (SETS - 1)) * WAYS;
}

static const struct start *find(const struct starts *starts, uint64_t key)
{
	const struct start *set = set_of(starts, key);

	for (int way = 0; key && way < WAYS; way++)
		if (set[way].container && set[way].key == key)
			return &set[way];
	return NULL;
}

static void learn(struct starts *starts, uint64_t key, const struct contexts *contexts, const struct context *known)
{
	struct start *set = set_of(starts, key), *place = NULL;

	for (int way = 0; way < WAYS && !place; way++)
		if (!set[way].container || set[way].key == key)
			place = &set[way];
	if (!place)
		place = &set[starts->replaced++ % WAYS];
	*place = (struct start){.key = key, .container = known->container, .ancestry = known->ancestry};
	memcpy(classes_of(starts, place), contexts_classes(contexts, known),
	       starts->kind_count * sizeof(*starts->classes));
}

/* The context of the child that a record tells of: it begins as its parent is, with an id and a time of its own. */
static struct context_key child_context(const struct starts *starts, const uint8_t *record)
{
	struct context_key key;

	memcpy(&key, record + CONTEXT_OFFSET, sizeof(key));
	key.start = read_u64(record + starts->where.child_start);
	key.pid = (uint32_t)read_u64(record + starts->where.child_pid);
	return key;
}

/* What children have in common with others below the same; 0 when the record contradicts itself. */
static uint64_t child_key(const struct starts *starts, const struct context *parent, const uint8_t *record,
			  uint64_t length)
{
	const struct hw_starts *where = &starts->where;
	uint64_t head[3] = {(uint64_t)parent->ancestry << 32 | parent->container, parent->key.uid};
	struct siphash hash;
	uint64_t size;

	if (!where->child_end || length < where->child_end || !parent->ancestry)
		return 0;
	size = read_u16(record + where->child_lengths);
	/* The namespaces, which come behind the name, are told of a child that does not live where its parent does. */
	if (where->child_end + size > length || read_u16(record + where->child_lengths + 2))
		return 0;
	head[2] = read_u64(record + where->child_vpid) == 1;
	siphash_begin(&hash, starts->hash_key, SPACE_CHILD);
	siphash_add(&hash, (const uint8_t *)head, sizeof(head));
	siphash_add(&hash, record + where->child_end, size);
	return siphash_end(&hash);
}

/* What those that run a program have in common with others below the same; 0 when the record contradicts itself. */
static uint64_t program_key(const struct starts *starts, const struct context *process, const uint8_t *record,
			    uint64_t length)
{
	const struct hw_starts *where = &starts->where;
	uint64_t head[4 + HW_START_SCALARS] = {process->above, process->key.cgroup,
					       (uint64_t)process->key.hierarchy << 32 | process->key.uid};
	uint64_t end = where->program_end;
	struct siphash hash;

	if (!end || length < end || !process->above)
		return 0;
	for (uint32_t one = 0; one + 1 < where->variables; one++) /* all but the ancestors, which come last */
		end += read_u16(record + where->lengths + 2 * one);
	if (end + read_u16(record + where->lengths + 2 * (where->variables - 1)) > length ||
	    end - where->lengths > LONGEST_TEXT)
		return 0;
	head[3] = read_u64(record + where->vpid) == 1;
	for (uint32_t one = 0; one < where->scalar_count; one++)
		memcpy(&head[4 + one], record + where->scalars[one].offset, where->scalars[one].size);
	siphash_begin(&hash, starts->hash_key, SPACE_PROGRAM);
	siphash_add(&hash, (const uint8_t *)head, sizeof(head));
	siphash_add(&hash, record + where->lengths, end - where->lengths);
	return siphash_end(&hash);
}

static void enter(const struct starts *starts, struct contexts *contexts, const struct context_key *key,
		  const struct start *start, uint32_t above)
{
	struct context made = {.key = *key, .container = start->container, .ancestry = start->ancestry, .above = above};

	contexts_forget_process(contexts, key->start, key->pid);
	contexts_learn(contexts, &made, classes_of(starts, start));
}

int starts_child(struct starts *starts, struct contexts *contexts, const uint8_t *record, uint64_t length)
{
	const struct context *parent = contexts_entry(contexts, record + CONTEXT_OFFSET);
	const struct start *start;
	struct context_key key;

	start = parent ? find(starts, child_key(starts, parent, record, length)) : NULL;
	if (!start)
		return 0;
	key = child_context(starts, record);
	if (contexts_entry(contexts, (const uint8_t *)&key))
		return 0;
	enter(starts, contexts, &key, start, parent->ancestry);
	return 1;
}

int starts_program(struct starts *starts, struct contexts *contexts, const uint8_t *record, uint64_t length)
{
	const struct context *process = contexts_entry(contexts, record + CONTEXT_OFFSET);
	const struct start *start = process ? find(starts, program_key(starts, process, record, length)) : NULL;
	struct context_key key;

	if (!start)
		return 0;
	key = process->key;
	enter(starts, contexts, &key, start, process->above);
	return 1;
}

void starts_learn_child(struct starts *starts, const struct contexts *contexts, const uint8_t *record, uint64_t length)
{
	const struct context *parent = contexts_entry(contexts, record + CONTEXT_OFFSET), *child;
	uint64_t key = parent ? child_key(starts, parent, record, length) : 0;
	struct context_key place;

	if (!key)
		return;
	place = child_context(starts, record);
	child = contexts_entry(contexts, (const uint8_t *)&place);
	if (child && child->ancestry && child->above == parent->ancestry)
		learn(starts, key, contexts, child);
}

void starts_learn_program(struct starts *starts, const struct contexts *contexts, const uint8_t *record,
			  uint64_t length)
{
	const struct context *process = contexts_entry(contexts, record + CONTEXT_OFFSET);
	uint64_t key = process ? program_key(starts, process, record, length) : 0;

	if (key && process->ancestry)
		learn(starts, key, contexts, process);
}

void starts_forget(struct starts *starts)
{
	for (uint64_t one = 0; one < SETS * WAYS; one++)
		starts->entries[one].container = 0;
}
