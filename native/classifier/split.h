/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream taken apart by control group, and put together again: captures/split.py says what for, and gives the same in
 * Python.
 *
 * Records are numbered from 0 in their order, so that parts find their order again; a part has for each record by how
 * much its number is larger than the one before. Nothing here trusts the records: bytes that are none give -1.
 */
#ifndef HULLWATCH_SPLIT_H
#define HULLWATCH_SPLIT_H

#include <stdint.h>

struct hw_group {
	uint64_t id; /* of the control group */
	uint64_t bytes;
	uint32_t hierarchy;
	uint32_t records;
};

/* Where the next record of a part goes. */
struct hw_place {
	uint64_t steps; /* offset of its step, a u32 */
	uint64_t records;
	uint64_t number; /* of the record before */
};

/* Some records with their steps. */
struct hw_part {
	const uint8_t *records;
	const uint8_t *steps;
	uint64_t size; /* of the records, bytes */
	uint64_t count;
	uint64_t number; /* of the next record */
};

/* Finds the control groups; returns how many there are. `groups` and `group_of` have room for size / 56. */
int64_t hw_groups(const uint8_t *records, uint64_t size, struct hw_group *groups, uint32_t *group_of);

/* Copies the records that hw_groups was given to the places of their groups' parts. */
void hw_split(const uint8_t *records, uint64_t size, const uint32_t *group_of, const uint32_t *part_of_group,
	      struct hw_place *parts, uint8_t *out);

/* Writes the records of all parts in their order; returns how many bytes these are. */
int64_t hw_merge(struct hw_part *parts, uint32_t count, uint8_t *out);

#endif
