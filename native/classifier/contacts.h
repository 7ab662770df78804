/* SPDX-License-Identifier: Apache-2.0 */
/* Which container has connected to which peer: the caller sees the first such call, ruled out or not. */
#ifndef HULLWATCH_CONTACTS_H
#define HULLWATCH_CONTACTS_H

#include <stdint.h>
#include <string.h>

#include "classifier.h"
#include "records.h"
#include "siphash.h"
#include "texts.h"

#define CONTACTS (1 << 13) /* that are remembered; a power of two */
#define CONTACT_SPACE UINT64_MAX
#define CONNECTING (-115ull) /* the result of a call that does not wait (EINPROGRESS) */

/* What a process context says of the container alone: id of its control group, and of which hierarchy that is. */
enum { CGROUP_OFFSET = CONTEXT_OFFSET + 8, CGROUP_SIZE = 12, CGROUP_PADDED = 16 };

struct contacts {
	uint64_t keys[CONTACTS / 2][2]; /* of two with the same place the one that was seen last stands first */
};

/* Whether it was not there; it is from now on. */
static inline int contacts_add(struct contacts *contacts, uint64_t key)
{
	uint64_t *pair = contacts->keys[key & (CONTACTS / 2 - 1)];

	if (pair[0] == key)
		return 0;
	if (pair[1] != key) {
		pair[1] = pair[0];
		pair[0] = key;
		return 1;
	}
	pair[1] = pair[0];
	pair[0] = key;
	return 0;
}

/* The key of a container and the peer that a record names; 0 when that is no address of IPv4 or IPv6. */
static inline uint64_t contact_key(const uint64_t key[2], const struct hw_type *type, const uint8_t *record,
				   uint64_t length)
{
	const struct hw_peer *peer = &type->peer;
	uint8_t cgroup[CGROUP_PADDED] = {0};
	struct siphash hash;
	struct text text;

	if (length < type->shortest)
		return 0;
	if (type->sign && record[type->sign] & 0x80 && read_u64(record + type->sign - 7) != CONNECTING)
		return 0; /* it failed, and may succeed yet */
	text = text_at(record, length, type->shortest, peer->lengths, peer->variable);
	if (!text.bytes || text.size < 5 || (text.bytes[0] != 2 && text.bytes[0] != 10))
		return 0;
	siphash_begin(&hash, key, CONTACT_SPACE);
	memcpy(cgroup, record + CGROUP_OFFSET, CGROUP_SIZE);
	siphash_add(&hash, cgroup, sizeof(cgroup));
	return peer_key(&hash, text, record[peer->protocol]);
}

#endif
