/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "planes.h"

#define COUNT_SIZE 4
#define AHEAD 128 /* bytes */

static uint32_t length_at(const uint8_t *record)
{
	uint32_t length;

	memcpy(&length, record, sizeof(length));
	return length;
}

/* The number of records; -1 when something is left behind them, or one reaches beyond the end. */
static int64_t count_records(const uint8_t *records, uint64_t size)
{
	uint64_t offset = 0, length;
	int64_t count = 0;

	for (; offset < size; offset += length, count++) {
		if (size - offset < HW_PLANE)
			return -1;
		length = length_at(records + offset);
		if (length < HW_PLANE || length > size - offset)
			return -1;
	}
	return count <= UINT32_MAX ? count : -1;
}

typedef uint8_t bytes __attribute__((vector_size(16)));
typedef uint16_t pairs __attribute__((vector_size(16)));
typedef uint32_t fours __attribute__((vector_size(16)));

/* The bytes of two rows by turns, of which one lies behind the other. */
static inline pairs by_turns(const uint64_t rows[2])
{
	bytes both;

	memcpy(&both, rows, sizeof(both));
	return (pairs)__builtin_shufflevector(both, both, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
}

static inline fours first_pairs(pairs one, pairs other)
{
	return (fours)__builtin_shufflevector(one, other, 0, 8, 1, 9, 2, 10, 3, 11);
}

static inline fours last_pairs(pairs one, pairs other)
{
	return (fours)__builtin_shufflevector(one, other, 4, 12, 5, 13, 6, 14, 7, 15);
}

/* The bytes of eight words are a table of eight rows: its columns become rows. */
static inline void turn(uint64_t rows[8])
{
	pairs upper = by_turns(rows), lower = by_turns(rows + 2), third = by_turns(rows + 4), last = by_turns(rows + 6);
	fours left[2] = {first_pairs(upper, lower), first_pairs(third, last)}; /* four columns */
	fours right[2] = {last_pairs(upper, lower), last_pairs(third, last)};
	fours turned[4] = {
		__builtin_shufflevector(left[0], left[1], 0, 4, 1, 5),
		__builtin_shufflevector(left[0], left[1], 2, 6, 3, 7),
		__builtin_shufflevector(right[0], right[1], 0, 4, 1, 5),
		__builtin_shufflevector(right[0], right[1], 2, 6, 3, 7),
	};

	memcpy(rows, turned, sizeof(turned));
}

/* Eight records at once: eight bytes of the header of each are eight bytes of eight planes. */
static void planes_of_eight(const uint8_t *const records[8], uint8_t *planes, uint64_t number)
{
	uint64_t rows[8];

	for (uint64_t at = 0; at < HW_PLANE; at += 8) {
		for (int one = 0; one < 8; one++)
			memcpy(&rows[one], records[one] + at, 8);
		turn(rows);
		for (int plane = 0; plane < 8; plane++)
			memcpy(planes + (at + (uint64_t)plane) * number, &rows[plane], 8);
	}
}

static void heads_of_eight(const uint8_t *planes, uint64_t number, uint8_t heads[8][HW_PLANE])
{
	uint64_t rows[8];

	for (uint64_t at = 0; at < HW_PLANE; at += 8) {
		for (int plane = 0; plane < 8; plane++) {
			const uint8_t *place = planes + (at + (uint64_t)plane) * number;

			memcpy(&rows[plane], place, 8);
			__builtin_prefetch(place + AHEAD); /* nobody foresees so many streams */
		}
		turn(rows);
		for (int one = 0; one < 8; one++)
			memcpy(heads[one] + at, &rows[one], 8);
	}
}

int64_t hw_planes(const uint8_t *records, uint64_t size, uint8_t *planes)
{
	int64_t count = count_records(records, size);
	uint64_t number = (uint64_t)count;
	const uint8_t *eight[8], *record = records;
	uint8_t *heads = planes + COUNT_SIZE;
	uint8_t *rest = heads + number * HW_PLANE;
	uint32_t said = (uint32_t)number;

	if (count < 0)
		return -1;
	memcpy(planes, &said, sizeof(said));
	for (uint64_t one = 0; one < number; one++) {
		uint64_t length = length_at(record);

		eight[one % 8] = record;
		if (one % 8 == 7)
			planes_of_eight(eight, heads + one - 7, number);
		memcpy(rest, record + HW_PLANE, length - HW_PLANE);
		rest += length - HW_PLANE;
		record += length;
	}
	for (uint64_t one = number - number % 8; one < number; one++) /* those that make no eight */
		for (uint64_t plane = 0; plane < HW_PLANE; plane++)
			heads[plane * number + one] = eight[one % 8][plane];
	return (int64_t)(size + COUNT_SIZE);
}

int64_t hw_whole(const uint8_t *planes, uint64_t size, uint8_t *records)
{
	const uint8_t *heads = planes + COUNT_SIZE;
	const uint8_t *rest, *end = planes + size;
	uint8_t eight[8][HW_PLANE];
	uint8_t *record = records;
	uint64_t number;

	if (size < COUNT_SIZE)
		return -1;
	number = length_at(planes);
	if (number * HW_PLANE > size - COUNT_SIZE)
		return -1;
	rest = heads + number * HW_PLANE;
	for (uint64_t one = 0; one < number; one++) {
		uint8_t *head = eight[one % 8];
		uint64_t length;

		if (one % 8 == 0 && number - one >= 8)
			heads_of_eight(heads + one, number, eight);
		else if (one >= number - number % 8)
			for (uint64_t plane = 0; plane < HW_PLANE; plane++)
				head[plane] = heads[plane * number + one];
		length = length_at(head);
		if (length < HW_PLANE || length - HW_PLANE > (uint64_t)(end - rest))
			return -1;
		memcpy(record, head, HW_PLANE);
		memcpy(record + HW_PLANE, rest, length - HW_PLANE);
		rest += length - HW_PLANE;
		record += length;
	}
	return rest == end ? record - records : -1;
}
