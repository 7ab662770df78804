// SPDX-License-Identifier: Apache-2.0
/*
 * Lets tests work with what reads captures and takes streams apart, built with the compiler's checks of memory.
 *
 * capture_driver SEED ROUNDS: reads a u32 with the size of some records and then these, damages copies of them and of
 * what is made of them, and has them read; ends with a sentence when a result makes no sense.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "damaging.h"
#include "planes.h"
#include "split.h"

#define PARTS 3
#define COUNT_SIZE 4
#define SHORTEST 56 /* bytes of a record */

/* Of exactly this size, so that a byte too much is seen. */
static void *made(uint64_t size)
{
	void *bytes = malloc(size ? size : 1);

	if (!bytes)
		fail("there is no memory");
	return bytes;
}

static void damage(uint8_t *bytes, uint64_t size)
{
	static const uint8_t often[] = {0, 1, 2, 8, 56, 0x7f, 0x80, 0xff};

	for (uint64_t left = below(5); left && size; left--)
		bytes[below(size)] = below(3) ? often[below(sizeof(often))] : (uint8_t)below(256);
}

/* Records to planes and back; and damaged planes. */
static void turn(const uint8_t *records, uint64_t size)
{
	uint8_t *planes = made(size + COUNT_SIZE), *whole = made(size);
	int64_t length = hw_planes(records, size, planes);

	if (length >= 0) {
		if ((uint64_t)length != size + COUNT_SIZE)
			fail("planes of %lu bytes have %ld", size, length);
		if (hw_whole(planes, length, whole) != (int64_t)size || memcmp(whole, records, size))
			fail("planes of %lu bytes do not become what they were", size);
		damage(planes, length);
	} else {
		memcpy(planes, records, size < COUNT_SIZE ? size : COUNT_SIZE);
		memset(planes + COUNT_SIZE, (int)below(256), size);
	}
	length = hw_whole(planes, size + COUNT_SIZE, whole);
	if (length > (int64_t)size)
		fail("damaged planes of %lu bytes become %ld", size, length);
	free(planes);
	free(whole);
}

/* Records into parts and together again; and parts that were damaged. */
static void split(const uint8_t *records, uint64_t size)
{
	uint64_t most = size / SHORTEST, position = 0;
	struct hw_group *groups = made(most * sizeof(*groups));
	uint32_t *group_of = made(most * sizeof(*group_of));
	int64_t count = hw_groups(records, size, groups, group_of);
	uint32_t *part_of = made((count > 0 ? count : 0) * sizeof(*part_of));
	uint64_t bytes[PARTS] = {0}, numbers[PARTS] = {0};
	struct hw_place places[PARTS] = {0};
	struct hw_part parts[PARTS] = {0};
	uint8_t *out, *together = made(size);

	if (count > (int64_t)most)
		fail("%ld groups in %lu bytes", count, size);
	for (int64_t one = 0; one < count; one++) {
		part_of[one] = (uint32_t)below(PARTS);
		bytes[part_of[one]] += groups[one].bytes;
		numbers[part_of[one]] += groups[one].records;
	}
	for (int one = 0; one < PARTS; one++) {
		places[one] = (struct hw_place){.steps = position, .records = position + 4 * numbers[one]};
		position += 4 * numbers[one] + bytes[one];
	}
	out = made(position);
	if (count >= 0)
		hw_split(records, size, group_of, part_of, places, out);
	for (int again = 0; again < 2 && count >= 0; again++) {
		position = 0;
		for (int one = 0; one < PARTS; one++) {
			parts[one] = (struct hw_part){.steps = out + position,
						      .records = out + position + 4 * numbers[one],
						      .size = bytes[one],
						      .count = numbers[one]};
			position += 4 * numbers[one] + bytes[one];
		}
		count = hw_merge(parts, PARTS, together);
		if (!again && (count != (int64_t)size || memcmp(together, records, size)))
			fail("parts of %lu bytes do not become what they were", size);
		if (count > (int64_t)size)
			fail("parts of %lu bytes become %ld", size, count);
		damage(out, position);
	}
	free(groups);
	free(group_of);
	free(part_of);
	free(out);
	free(together);
}

int main(int count, char **arguments)
{
	uint32_t size;
	uint8_t *records;
	uint64_t seed, rounds;

	if (count != 3 || fread(&size, sizeof(size), 1, stdin) != 1)
		fail("capture_driver SEED ROUNDS, and records on standard input");
	records = made(size);
	if (fread(records, 1, size, stdin) != size)
		fail("the input ends too early");
	seed = strtoull(arguments[1], NULL, 10);
	for (rounds = strtoull(arguments[2], NULL, 10); rounds; rounds--) {
		begin_round(seed, rounds);
		uint64_t length = below(4) ? size : below(size + 1);
		uint8_t *bytes = made(length);

		memcpy(bytes, records, length);
		if (below(3))
			damage(bytes, length);
		turn(bytes, length);
		split(bytes, length);
		free(bytes);
	}
	free(records);
	return 0;
}
