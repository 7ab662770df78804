/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012): keyed, so that nobody can make two
 * names that are taken for one. */
#ifndef HULLWATCH_SIPHASH_H
#define HULLWATCH_SIPHASH_H

#include <stdint.h>
#include <string.h>

struct siphash {
	uint64_t v0, v1, v2, v3;
	uint64_t tail; /* bytes that make no whole word yet */
	uint64_t length;
};

static inline uint64_t siphash_rotate(uint64_t value, int bits)
{
	return value << bits | value >> (64 - bits);
}

static inline void siphash_round(struct siphash *s)
{
	s->v0 += s->v1;
	s->v1 = siphash_rotate(s->v1, 13) ^ s->v0;
	s->v0 = siphash_rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = siphash_rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = siphash_rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = siphash_rotate(s->v1, 17) ^ s->v2;
	s->v2 = siphash_rotate(s->v2, 32);
}

static inline void siphash_word(struct siphash *s, uint64_t word)
{
	s->v3 ^= word;
	siphash_round(s);
	s->v0 ^= word;
}

/* `space` tells values of different meaning apart. */
static inline void siphash_begin(struct siphash *s, const uint64_t key[2], uint64_t space)
{
	s->v0 = key[0] ^ 0x736f6d6570736575;
	s->v1 = key[1] ^ 0x646f72616e646f6d;
	s->v2 = key[0] ^ 0x6c7967656e657261;
	s->v3 = key[1] ^ 0x7465646279746573;
	s->tail = 0;
	s->length = 0;
	siphash_word(s, space);
}

/* Only the last piece may have a size that is no multiple of 8. */
static inline void siphash_add(struct siphash *s, const uint8_t *data, uint64_t size)
{
	uint64_t word;

	s->length += size;
	for (; size >= 8; size -= 8, data += 8) {
		memcpy(&word, data, 8);
		siphash_word(s, word);
	}
	for (uint64_t byte = 0; byte < size; byte++)
		s->tail |= (uint64_t)data[byte] << (8 * byte);
}

/* Never 0. */
static inline uint64_t siphash_end(struct siphash *s)
{
	siphash_word(s, s->tail | s->length << 56);
	s->v2 ^= 0xff;
	siphash_round(s);
	siphash_round(s);
	siphash_round(s);
	uint64_t hash = s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
	return hash ? hash : 1;
}

#endif
