// SPDX-License-Identifier: Apache-2.0
/*
 * Lets tests work with the walk over .scap blocks, built with the compiler's checks of memory.
 *
 * scap_driver layout: prints the sizes of what Python shares with it, a name and a number each.
 * scap_driver fuzz SEED ROUNDS: reads the tables and some blocks (test_scap.py writes them), damages copies of the
 * blocks and walks over them; ends with a sentence when a result makes no sense.
 */
#include <stdio.h>

#include "damaging.h"
#include "scap.c" /* as a whole: its own numbers are compared too */
#include "scap_again.c"

#define SIZE(type) printf(#type " %zu\n", sizeof(struct type))
#define NUMBER(name) printf(#name " %ld\n", (long)name)

static void layout(void)
{
	SIZE(hw_scap_type);
	SIZE(hw_scap_calls);
	SIZE(hw_scap_change);
	SIZE(hw_scap_counts);
	NUMBER(HW_SCAP_TYPES);
	NUMBER(HW_SCAP_VALUES);
	NUMBER(HW_SCAP_SIZES);
	NUMBER(HW_SCAP_CALLS);
	NUMBER(HW_SCAP_COMMANDS);
	NUMBER(HW_SCAP_ANY);
	NUMBER(HW_SCAP_TEXT);
	NUMBER(HW_SCAP_NOWHERE);
	NUMBER(HW_SCAP_KNOWN);
	NUMBER(HW_SCAP_BEGINS);
	NUMBER(HW_SCAP_ANNOUNCES);
	NUMBER(HW_SCAP_GENERIC);
	NUMBER(HW_SCAP_CLOSES);
	NUMBER(HW_SCAP_AGAIN);
	NUMBER(HW_SCAP_MAKES);
	NUMBER(HW_SCAP_NUMBERED);
	NUMBER(HW_SCAP_COUNTED);
	NUMBER(HW_SCAP_NEEDED);
	NUMBER(HW_SCAP_CHANGES);
	NUMBER(HW_SCAP_LONGEST_BEGUN);
	NUMBER(HW_SCAP_CALL_SKIPPED);
	NUMBER(HW_SCAP_CALL_NEEDED);
	NUMBER(HW_SCAP_CALL_BY_NUMBER);
	NUMBER(LONGEST_BLOCK);
}

static uint32_t made_last = 1; /* what was made last, as Python numbers it */
static uint64_t made_again, begun_late;

static void *read_exactly(uint64_t size)
{
	void *made = malloc(size ? size : 1);

	if (!made || fread(made, 1, size, stdin) != size)
		fail("the input ends too early");
	return made;
}

static void damage(uint8_t *bytes, uint64_t size)
{
	static const uint8_t often[] = {0, 1, 2, 4, 0x7f, 0x80, 0xfe, 0xff};

	for (uint64_t left = below(6); left && size; left--) {
		uint64_t place = below(size);

		bytes[place] = below(3) ? often[below(sizeof(often))] : (uint8_t)below(256);
	}
}

/* What Python does at the end of a walk: answers, learns, and takes what there is. */
static void look(struct hw_scap *scap, struct hw_scap_counts *counts)
{
	if (counts->changed > HW_SCAP_CHANGES)
		fail("%lu descriptors were made and closed", counts->changed);
	if (counts->begun > HW_SCAP_LONGEST_BEGUN || (counts->begun && counts->begun != read_u32(counts->block + 4)))
		fail("the beginning of a call has %lu bytes", counts->begun);
	for (uint64_t one = 0; one < counts->changed; one++) {
		if (counts->changes[one].made > made_last)
			fail("%u was made, and nobody said so", counts->changes[one].made);
		made_again += counts->changes[one].made != 0;
	}
	begun_late += counts->begun != 0;
	if (counts->asked && counts->key)
		fail("a walk ended for two reasons");
	if (counts->asked && below(4))
		hw_scap_judge_by(scap, counts->thread, below(2));
	else if (counts->asked)
		hw_scap_know(scap, counts->thread, 0);
	if (counts->key && below(4))
		hw_scap_learn(scap, counts->key, below(2) ? 1 : ++made_last);
	counts->changed = 0;
	counts->room = below(8) ? 1 << 18 : below(3);
	if (!below(64))
		hw_scap_forget_threads(scap);
	if (!below(1024))
		hw_scap_forget(scap);
	if (!below(4096))
		hw_scap_no_numbers(scap);
}

/* Walks over blocks as Python does, which takes one block at most ends of a walk. */
static void walk(struct hw_scap *scap, const uint8_t *bytes, uint64_t size, struct hw_scap_counts *counts)
{
	uint64_t begin = below(8) ? 0 : below(size + 9), before;

	while (begin < size) {
		uint64_t blocks = counts->blocks, events = counts->events;
		int is_full, is_asked;
		uint32_t length = 0;

		before = begin;
		begin = hw_scap_skip(scap, bytes, begin, size);
		if (begin < before || begin > size)
			fail("a walk from %lu to %lu ended at %lu", before, size, begin);
		if (counts->blocks - blocks > (begin - before) / BLOCK_AROUND)
			fail("%lu blocks in %lu bytes", counts->blocks - blocks, begin - before);
		if (counts->events - events > counts->blocks - blocks)
			fail("more events than blocks");
		is_full = counts->changed == HW_SCAP_CHANGES;
		is_asked = counts->asked != 0;
		look(scap, counts);
		if (!below(4))
			hw_scap_know(scap, (int64_t)below(64), below(3) > 0);
		if (is_full || is_asked)
			continue;
		if (size - begin < BLOCK_AROUND)
			return;
		if (size - begin >= BLOCK_AROUND + 18) { /* Python knows the thread of what it has looked at */
			int64_t tid;

			memcpy(&tid, bytes + begin + BLOCK_HEAD + 10, sizeof(tid));
			hw_scap_know(scap, tid, below(8) > 0);
		}
		length = read_u32(bytes + begin + 4);
		if (length < BLOCK_AROUND || length > size - begin)
			length = (uint32_t)(1 + below(64));
		begin += length;
	}
}

static void fuzz(uint64_t seed, uint64_t rounds)
{
	struct hw_scap_type *types = read_exactly(sizeof(*types) * HW_SCAP_TYPES);
	struct hw_scap_calls *calls = read_exactly(sizeof(*calls));
	struct hw_scap_counts *counts = calloc(1, sizeof(*counts));
	uint32_t *size = read_exactly(sizeof(*size));
	uint8_t *blocks = read_exactly(*size);
	static const uint8_t secret[16] = "0123456789abcde";
	struct hw_scap *scap = hw_scap_new(types, HW_SCAP_TYPES, calls, counts, secret);

	if (!scap || !counts)
		fail("there is no memory");
	for (; rounds; rounds--) {
		begin_round(seed, rounds);
		uint64_t from = below(*size), length = below(below(2) ? 4096 : 65536), shift = below(8);

		if (length > *size - from)
			length = *size - from;
		uint8_t *bytes = malloc(length + shift + 1); /* nobody said that blocks lie at round addresses */
		if (!bytes)
			fail("there is no memory");
		bytes = realloc(bytes, length + shift + !(length + shift));
		memcpy(bytes + shift, blocks + (below(4) ? 0 : from), length);
		damage(bytes + shift, length);
		walk(scap, bytes + shift, length, counts);
		free(bytes);
		for (int tids = (int)below(40); tids; tids--)
			hw_scap_know(scap, (int64_t)(below(2) ? below(1 << 20) : state), 1);
	}
	if (!made_again || !begun_late)
		fail("%lu were made again, and %lu began late: too little was tried", made_again, begun_late);
	hw_scap_free(scap);
	free(types);
	free(calls);
	free(counts);
	free(size);
	free(blocks);
}

int main(int count, char **arguments)
{
	if (count == 2 && !strcmp(arguments[1], "layout"))
		layout();
	else if (count == 4 && !strcmp(arguments[1], "fuzz"))
		fuzz(strtoull(arguments[2], NULL, 10), strtoull(arguments[3], NULL, 10));
	else
		fail("scap_driver layout | fuzz SEED ROUNDS");
	return 0;
}
