/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "records.h"
#include "siphash.h"
#include "starts.h"
#include "texts.h"

#define WAYS 4
#define SETS 512	  /* a power of two */
#define LONGEST_TEXT 8192 /* bytes of a program's texts; longer ones hardly come again */

enum { SPACE_CHILD = 1, SPACE_PROGRAM = 2, SPACE_ANY_ARGUMENTS = 3 };

int starts_make(struct starts *starts, const uint64_t hash_key[2])
{
	starts->entries = calloc(SETS * WAYS, sizeof(*starts->entries));
	memcpy(starts->hash_key, hash_key, sizeof(starts->hash_key));
	return starts->entries ? 0 : -1;
}

void starts_free(struct starts *starts)
{
	free(starts->entries);
	words_free(&starts->words);
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

static void learn(struct starts *starts, uint64_t key, const struct context *known, uint32_t marks)
{
	struct start *set = set_of(starts, key), *place = NULL;

	for (int way = 0; way < WAYS && !place; way++)
		if (!set[way].container || set[way].key == key)
			place = &set[way];
	if (!place)
		place = &set[starts->replaced++ % WAYS];
	*place = (struct start){.key = key,
				.container = known->container,
				.ancestry = known->ancestry,
				.row = known->row,
				.marks = marks};
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

/* The arguments of a program's record behind the first, which is a name; without bytes when there are none. */
static struct text arguments_of(const struct hw_starts *where, const uint8_t *record)
{
	const uint8_t *begin = record + where->program_end, *name_end;
	uint64_t size;

	for (uint32_t one = 0; one < where->arguments; one++)
		begin += read_u16(record + where->lengths + 2 * one);
	size = read_u16(record + where->lengths + 2 * where->arguments);
	name_end = size ? memchr(begin, 0, size) : NULL;
	if (!name_end || name_end + 1 == begin + size)
		return (struct text){0};
	return (struct text){.bytes = name_end + 1, .size = begin + size - (name_end + 1)};
}

/*
 * Whether rules cannot tell a program's arguments from others without words of these marks: what is not ASCII may have
 * letters that are the same in another case.
 */
static int is_like_any(const struct starts *starts, const uint8_t *record, uint32_t marks)
{
	struct text arguments = arguments_of(&starts->where, record);

	for (uint64_t one = 0; one < arguments.size; one++)
		if (arguments.bytes[one] & 0x80)
			return 0;
	return !(words_marks(&starts->words, arguments.bytes, arguments.size, marks) & marks);
}

/*
 * What those that run a program have in common with others below the same, with the arguments or whatever these are; 0
 * when the record contradicts itself, or has none that could be left out.
 */
static uint64_t program_key(const struct starts *starts, const struct context *process, const uint8_t *record,
			    uint64_t length, int any_arguments)
{
	const struct hw_starts *where = &starts->where;
	uint64_t head[4 + HW_START_SCALARS] = {process->above, process->key.cgroup,
					       (uint64_t)process->key.hierarchy << 32 | process->key.uid};
	const uint8_t *lengths = record + where->lengths;
	uint64_t end = where->program_end, size;
	struct text left_out = {0};
	uint8_t texts[LONGEST_TEXT];
	struct siphash hash;

	if (!end || length < end || !process->above)
		return 0;
	for (uint32_t one = 0; one + 1 < where->variables; one++) /* all but the ancestors, which come last */
		end += read_u16(lengths + 2 * one);
	if (end + read_u16(lengths + 2 * (where->variables - 1)) > length || end - where->lengths > LONGEST_TEXT)
		return 0;
	if (any_arguments) {
		left_out = arguments_of(where, record);
		if (!left_out.bytes || !starts->words.next)
			return 0;
	}
	head[3] = read_u64(record + where->vpid) == 1;
	for (uint32_t one = 0; one < where->scalar_count; one++)
		memcpy(&head[4 + one], record + where->scalars[one].offset, where->scalars[one].size);
	siphash_begin(&hash, starts->hash_key, any_arguments ? SPACE_ANY_ARGUMENTS : SPACE_PROGRAM);
	siphash_add(&hash, (const uint8_t *)head, sizeof(head));
	if (!any_arguments) {
		siphash_add(&hash, lengths, record + end - lengths);
		return siphash_end(&hash);
	}
	for (uint32_t one = 0; one + 1 < where->variables; one++) {
		head[0] = read_u16(lengths + 2 * one) - (one == where->arguments ? left_out.size : 0);
		siphash_add(&hash, (const uint8_t *)head, sizeof(head[0]));
	}
	size = left_out.bytes - (record + where->program_end);
	memcpy(texts, record + where->program_end, size);
	memcpy(texts + size, left_out.bytes + left_out.size, record + end - (left_out.bytes + left_out.size));
	siphash_add(&hash, texts, end - where->program_end - left_out.size);
	return siphash_end(&hash);
}

static void enter(struct contexts *contexts, const struct context_key *key, const struct start *start, uint32_t above)
{
	struct context made = {.key = *key,
			       .container = start->container,
			       .ancestry = start->ancestry,
			       .above = above,
			       .row = start->row};

	contexts_forget_process(contexts, key->start, key->pid);
	contexts_learn(contexts, &made);
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
	enter(contexts, &key, start, parent->ancestry);
	return 1;
}

int starts_program(struct starts *starts, struct contexts *contexts, const uint8_t *record, uint64_t length)
{
	const struct context *process = contexts_entry(contexts, record + CONTEXT_OFFSET);
	const struct start *start = NULL;
	struct context_key key;

	if (!process)
		return 0;
	start = find(starts, program_key(starts, process, record, length, 1));
	if (start && !is_like_any(starts, record, start->marks))
		start = NULL;
	if (!start)
		start = find(starts, program_key(starts, process, record, length, 0));
	if (!start)
		return 0;
	key = process->key;
	enter(contexts, &key, start, process->above);
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
		learn(starts, key, child, 0);
}

void starts_learn_program(struct starts *starts, const struct contexts *contexts, const uint8_t *record,
			  uint64_t length, uint32_t marks)
{
	const struct context *process = contexts_entry(contexts, record + CONTEXT_OFFSET);
	uint64_t key = 0;

	if (!process || !process->ancestry)
		return;
	if (marks)
		key = program_key(starts, process, record, length, 1);
	if (!key || !is_like_any(starts, record, marks)) {
		key = program_key(starts, process, record, length, 0);
		marks = 0;
	}
	if (key)
		learn(starts, key, process, marks);
}

void starts_forget(struct starts *starts)
{
	for (uint64_t one = 0; one < SETS * WAYS; one++)
		starts->entries[one].container = 0;
}
