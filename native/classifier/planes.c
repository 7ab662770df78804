/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "planes.h"

#define COUNT_SIZE 4

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

int64_t hw_planes(const uint8_t *records, uint64_t size, uint8_t *planes)
{
	int64_t count = count_records(records, size);
	uint64_t number = (uint64_t)count, offset = 0;
	uint8_t *heads = planes + COUNT_SIZE;
	uint8_t *rest = heads + number * HW_PLANE;
	uint32_t said = (uint32_t)number;

	if (count < 0)
		return -1;
	memcpy(planes, &said, sizeof(said));
	for (uint64_t one = 0; one < number; one++) {
		uint64_t length = length_at(records + offset);

		for (uint64_t plane = 0; plane < HW_PLANE; plane++)
			heads[plane * number + one] = records[offset + plane];
		memcpy(rest, records + offset + HW_PLANE, length - HW_PLANE);
		rest += length - HW_PLANE;
		offset += length;
	}
	return (int64_t)(size + COUNT_SIZE);
}

int64_t hw_whole(const uint8_t *planes, uint64_t size, uint8_t *records)
{
	const uint8_t *heads = planes + COUNT_SIZE;
	const uint8_t *rest, *end = planes + size;
	uint8_t *record = records;
	uint64_t number;

	if (size < COUNT_SIZE)
		return -1;
	number = length_at(planes);
	if (number * HW_PLANE > size - COUNT_SIZE)
		return -1;
	rest = heads + number * HW_PLANE;
	for (uint64_t one = 0; one < number; one++) {
		uint64_t length;

		for (uint64_t plane = 0; plane < HW_PLANE; plane++)
			record[plane] = heads[plane * number + one];
		length = length_at(record);
		if (length < HW_PLANE || length - HW_PLANE > (uint64_t)(end - rest))
			return -1;
		memcpy(record + HW_PLANE, rest, length - HW_PLANE);
		rest += length - HW_PLANE;
		record += length;
	}
	return rest == end ? record - records : -1;
}
