/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The fingerprint of a call on a socket: of who calls (ruled_out.h), and of the very bytes of the record that the
 * engine judges it by: both ends, but for the client's port, which is another one every time, and what the caller adds.
 *
 * Whoever runs in a container may choose most of these bytes (names of sockets, addresses), so they go through a hash
 * that is made to be fed by strangers: SipHash with one round a word and three at the end, its key a secret.
 */
#pragma once

#include "ruled_out.h"
#include "socket.h"

#define PEER_WORDS 17 /* that are looked at: a unix socket's longest name, and what stands before it */

struct peer_hash {
	__u64 v0, v1, v2, v3;
};

#define ROTATE_LEFT(value, bits) ((value) << (bits) | (value) >> (64 - (bits)))

static __always_inline void hash_round(struct peer_hash *hash)
{
	hash->v0 += hash->v1;
	hash->v1 = ROTATE_LEFT(hash->v1, 13) ^ hash->v0;
	hash->v0 = ROTATE_LEFT(hash->v0, 32);
	hash->v2 += hash->v3;
	hash->v3 = ROTATE_LEFT(hash->v3, 16) ^ hash->v2;
	hash->v0 += hash->v3;
	hash->v3 = ROTATE_LEFT(hash->v3, 21) ^ hash->v0;
	hash->v2 += hash->v1;
	hash->v1 = ROTATE_LEFT(hash->v1, 17) ^ hash->v2;
	hash->v2 = ROTATE_LEFT(hash->v2, 32);
}

static __always_inline void hash_word(struct peer_hash *hash, __u64 word)
{
	hash->v3 ^= word;
	hash_round(hash);
	hash->v0 ^= word;
}

/*
 * What the fingerprint of a call begins with; 0 when nothing is remembered. Asked for before the record gets its time:
 * what changes the outcome begins a generation behind its own time, so that a call which has the new generation comes
 * behind the change in the stream too.
 */
static __always_inline __u64 begin_fingerprint(void)
{
	struct remembering *remembering = get_remembering();

	if (FOR_TIER(0, 1) || !remembering || !remembering->generation) /* the basic tier remembers no calls */
		return 0;
	return mix(remembering->secret, remembering->generation);
}

/* Where the client's port stands in a tuple; 0 without. */
static __always_inline __u32 client_port_offset(__u8 family)
{
	if (family == FAMILY_IPV4)
		return offsetof(struct tuple_ipv4, source.port);
	return family == FAMILY_IPV6 ? offsetof(struct tuple_ipv6, source.port) : 0;
}

/* All words of the tuple, zeros behind its end. */
static __always_inline void hash_tuple(struct peer_hash *hash, struct scratch *scratch, __u32 position, __u32 length)
{
	__u32 end = position + length;

	barrier_var(end);
	end &= SCRATCH_BYTES - 1;
	__builtin_memset(&scratch->record[end], 0, sizeof(__u64)); /* sent with it: records end at such a border */
	for (int word = 0; word < PEER_WORDS && word * sizeof(__u64) < length; word++)
		hash_word(hash, *(__u64 *)&scratch->record[position + word * sizeof(__u64)]);
}

/*
 * The fingerprint of the call whose record is in `scratch`, with a tuple of `length` bytes at `position`, which is a
 * constant; 0 when it cannot be remembered. `more` is what else the engine can judge it by.
 */
static __always_inline __u64 fingerprint_peer(__u64 begun, struct scratch *scratch, struct task_struct *task,
					      __u32 position, __u32 length, __u32 more)
{
	struct record_header *header = (struct record_header *)scratch->record;
	__u32 port_offset = client_port_offset(scratch->record[position]);
	__u16 *port = (__u16 *)&scratch->record[position + port_offset];
	__u64 process;
	struct peer_hash hash;
	__u64 kept = *port;

	if (!begun || length == 0 || length > PEER_WORDS * sizeof(__u64))
		return 0;
	process = mix_process(begun, task, header);
	hash = (struct peer_hash){
		.v0 = process ^ 0x736f6d6570736575ull,
		.v1 = begun ^ 0x646f72616e646f6dull,
		.v2 = process ^ 0x6c7967656e657261ull,
		.v3 = begun ^ 0x7465646279746573ull,
	};
	if (port_offset)
		*port = 0;
	hash_tuple(&hash, scratch, position, length);
	if (port_offset)
		*port = kept;
	hash_word(&hash, (__u64)header->flags << 48 | (__u64)length << 32 | more);
	hash.v2 ^= 0xff;
	hash_round(&hash);
	hash_round(&hash);
	hash_round(&hash);
	return call_fingerprint(hash.v0 ^ hash.v1 ^ hash.v2 ^ hash.v3);
}

/* Whether a call is not to be sent; counts it if so. */
static __always_inline int is_left_out(__u64 fingerprint, enum event_index index)
{
	if (!fingerprint || !is_ruled_out(fingerprint))
		return 0;
	count_drop(index, DROP_RULED_OUT);
	return 1;
}
