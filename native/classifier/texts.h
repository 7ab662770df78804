/* SPDX-License-Identifier: Apache-2.0 */
/* Strings of a record: where they lie, and what of an address pair is looked at. */
#ifndef HULLWATCH_TEXTS_H
#define HULLWATCH_TEXTS_H

#include <stdint.h>
#include <string.h>

#include "classifier.h"
#include "records.h"
#include "siphash.h"

struct text {
	const uint8_t *bytes; /* NULL when it would lie outside of the record */
	uint64_t size;
};

/* A value of variable size; the record reaches to `begin` at least, where the first of them is. */
static inline struct text text_at(const uint8_t *record, uint64_t length, uint64_t begin, uint32_t lengths,
				  uint32_t variable)
{
	uint64_t size;

	for (uint32_t one = 0; one < variable; one++)
		begin += read_u16(record + lengths + 2 * one);
	size = read_u16(record + lengths + 2 * variable);
	if (begin + size > length)
		return (struct text){0};
	return (struct text){.bytes = record + begin, .size = size};
}

static inline struct text find_text(const struct hw_kind *kind, const struct hw_string *string, const uint8_t *record,
				    uint64_t length)
{
	return text_at(record, length, kind->fixed_end, kind->lengths, string->variable);
}

/* Of an address pair the client's port is left out: it is another one every time. */
static inline uint64_t peer_key(struct siphash *hash, struct text text, uint8_t protocol)
{
	uint8_t values[40] = {0};
	uint64_t address = !text.size ? 0 : text.bytes[0] == 2 ? 4 : text.bytes[0] == 10 ? 16 : 0;
	uint64_t size = 1 + address;

	if (!address || text.size != 2 * address + 5) {
		values[0] = 0xff; /* no family: an address pair of another form, as a whole */
		values[1] = protocol;
		siphash_add(hash, values, 8);
		siphash_add(hash, text.bytes, text.size);
		return siphash_end(hash);
	}
	memcpy(values, text.bytes, size);
	memcpy(values + size, text.bytes + size + 2, address + 2);
	values[size + address + 2] = protocol;
	siphash_add(hash, values, size + address + 3);
	return siphash_end(hash);
}

#endif
