/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what stands in a batch of records. */
#ifndef HULLWATCH_RECORDS_H
#define HULLWATCH_RECORDS_H

#include <stdint.h>
#include <string.h>

/* The header of a record: see events/table.py. */
enum { HEADER_SIZE = 56, TYPE_OFFSET = 4, CONTEXT_OFFSET = 16 };

static inline uint16_t read_u16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint32_t read_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint64_t read_u64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* The length of the record at an offset; 0 when there is no whole one. */
static inline uint64_t record_length(const uint8_t *batch, uint64_t size, uint64_t offset)
{
	uint64_t length;

	if (offset > size || size - offset < HEADER_SIZE)
		return 0;
	length = read_u32(batch + offset);
	return length < HEADER_SIZE || length % 8 || length > size - offset ? 0 : length;
}

#endif
