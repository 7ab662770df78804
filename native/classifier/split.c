/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "split.h"

#define HEADER 56
#define GROUP_AT 24 /* of the header: id and hierarchy of the control group */
#define FACTOR 0x9e3779b97f4a7c15ull
#define FEWEST_PLACES 64

static uint32_t number_at(const uint8_t *place)
{
	uint32_t number;

	memcpy(&number, place, sizeof(number));
	return number;
}

/* The length of the record at an offset; 0 when there is no whole one. */
static uint32_t length_at(const uint8_t *records, uint64_t size, uint64_t offset)
{
	uint32_t length;

	if (size - offset < HEADER)
		return 0;
	length = number_at(records + offset);
	return length < HEADER || length > size - offset ? 0 : length;
}

/* A table of groups by their key, with a place for each and as many free ones: 0 is free, others are a group's + 1. */
struct table {
	uint32_t *places;
	uint64_t mask;
};

static uint32_t find_group(const struct table *table, struct hw_group *groups, uint32_t *count, uint64_t id,
			   uint32_t hierarchy)
{
	uint64_t place = ((id ^ (uint64_t)hierarchy << 56) * FACTOR) >> 32 & table->mask;

	for (; table->places[place]; place = (place + 1) & table->mask) {
		struct hw_group *group = &groups[table->places[place] - 1];

		if (group->id == id && group->hierarchy == hierarchy)
			return table->places[place] - 1;
	}
	groups[*count] = (struct hw_group){.id = id, .hierarchy = hierarchy};
	table->places[place] = ++*count;
	return *count - 1;
}

int64_t hw_groups(const uint8_t *records, uint64_t size, struct hw_group *groups, uint32_t *group_of)
{
	uint64_t offset = 0, record = 0, places = FEWEST_PLACES;
	struct table table;
	uint32_t count = 0;

	while (places < 2 * (size / HEADER))
		places *= 2;
	table.places = calloc(places, sizeof(*table.places));
	if (!table.places)
		return -1;
	table.mask = places - 1;
	while (offset < size) {
		uint32_t length = length_at(records, size, offset), group;
		uint64_t id;

		if (!length)
			break;
		memcpy(&id, records + offset + GROUP_AT, sizeof(id));
		group = find_group(&table, groups, &count, id, number_at(records + offset + GROUP_AT + sizeof(id)));
		groups[group].records++;
		groups[group].bytes += length;
		group_of[record++] = group;
		offset += length;
	}
	free(table.places);
	return offset == size ? (int64_t)count : -1;
}

void hw_split(const uint8_t *records, uint64_t size, const uint32_t *group_of, const uint32_t *part_of_group,
	      struct hw_place *parts, uint8_t *out)
{
	uint32_t record = 0;

	for (uint64_t offset = 0; offset < size; record++) {
		struct hw_place *part = &parts[part_of_group[group_of[record]]];
		uint32_t length = number_at(records + offset);
		uint32_t step = record - (uint32_t)part->number;

		memcpy(out + part->steps, &step, sizeof(step));
		memcpy(out + part->records, records + offset, length);
		part->steps += sizeof(step);
		part->records += length;
		part->number = record;
		offset += length;
	}
}

int64_t hw_merge(struct hw_part *parts, uint32_t count, uint8_t *out)
{
	uint8_t *end = out;

	for (uint32_t one = 0; one < count; one++)
		parts[one].number = parts[one].count ? number_at(parts[one].steps) : 0;
	for (;;) {
		struct hw_part *first = NULL;
		uint32_t length;

		for (uint32_t one = 0; one < count; one++) {
			struct hw_part *part = &parts[one];

			if (part->count && (!first || part->number < first->number))
				first = part;
		}
		if (!first)
			return end - out;
		length = length_at(first->records, first->size, 0);
		if (!length)
			return -1;
		memcpy(end, first->records, length);
		end += length;
		first->records += length;
		first->size -= length;
		first->steps += sizeof(uint32_t);
		if (--first->count)
			first->number += number_at(first->steps);
	}
}
