// SPDX-License-Identifier: Apache-2.0
/*
 * Ends of calls that Python was asked about before: one that differs in nothing that it can be judged by, or that
 * changes nothing though others of its type do, is nothing either. What it makes is the same, but for its inode.
 */
#include "scap_event.h"
#include "siphash.h"

#define LONGEST_KEY 2048

void hw_scap_forget_threads(struct hw_scap *scap)
{
	scap->epoch++;
	if (!scap->epoch)
		scap->epoch = 1;
}

void hw_scap_learn(struct hw_scap *scap, uint64_t key, uint32_t made)
{
	cache_put(&scap->again, key, made);
}

void hw_scap_forget(struct hw_scap *scap)
{
	scap->secret[0]++; /* no key of before comes again; what has them makes room for others */
}

/* Whether it tells of nothing new: a message without its ends, a command that only asks. */
static int changes_nothing(const struct hw_scap *scap, const struct event *event, const struct event *begin)
{
	uint32_t tuple = event->type->tuple, command = event->type->command;
	const struct event *says = event;
	const uint8_t *value;

	if (tuple != HW_SCAP_NOWHERE)
		return !length_at(event, tuple) && !(begin && length_at(begin, begin->type->tuple));
	if (command == HW_SCAP_NOWHERE)
		return 0;
	if (event->count <= command) { /* an old writer has said it at the beginning */
		if (event->count != 1 || !begin)
			return 0;
		says = begin;
		command = begin->type->command;
	}
	if (length_at(says, command) != 1)
		return 0;
	value = says->values;
	for (uint32_t one = 0; one < command; one++)
		value += read_u16(says->lengths + 2 * one);
	return !scap->calls.changes[*value];
}

/* Writes the values of an event, each behind its length; the end, or NULL when there is no room. */
static uint8_t *put_values(uint8_t *to, const uint8_t *end, const struct event *event, uint32_t number, uint32_t inode)
{
	const uint8_t *value = event->values;

	for (uint32_t one = 0; one < event->count; one++) {
		uint16_t length = read_u16(event->lengths + 2 * one);

		if (end - to < length + 2)
			return NULL;
		memcpy(to, &length, sizeof(length));
		to += sizeof(length);
		if (one == number) { /* of errors each is another result */
			int64_t result = number_at(event, one, 0);

			if (result > 0)
				result = 0;
			memcpy(to, &result, sizeof(result));
		} else if (one != inode) {
			memcpy(to, value, length);
		} else {
			memset(to, 0, length);
		}
		to += length;
		value += length;
	}
	return to;
}

/* What an event is known again by; 0 when it is too long. */
static uint64_t make_key(const struct hw_scap *scap, const struct event *event, const struct event *begin,
			 uint64_t context)
{
	uint8_t flags = event->type->flags, bytes[LONGEST_KEY], *to = bytes;
	int is_number_free = flags & HW_SCAP_MAKES && !(flags & HW_SCAP_NUMBERED);
	struct siphash hash;

	to = put_values(to, bytes + sizeof(bytes), event, is_number_free ? 0 : HW_SCAP_NOWHERE,
			flags & HW_SCAP_MAKES ? event->type->inode : HW_SCAP_NOWHERE);
	if (to && begin)
		to = put_values(to, bytes + sizeof(bytes), begin, HW_SCAP_NOWHERE, HW_SCAP_NOWHERE);
	if (!to)
		return 0;
	siphash_begin(&hash, scap->secret, context);
	siphash_word(&hash, event->number | (uint64_t)event->count << 16 |
				    (begin ? (uint64_t)(begin->number + 1) << 32 | (uint64_t)begin->count << 48 : 0));
	siphash_add(&hash, bytes, (uint64_t)(to - bytes));
	return siphash_end(&hash);
}

/* Whether there is room for what an event has made; then it is noted. */
static int note_made(struct hw_scap *scap, const struct event *event, int64_t fd, uint64_t made)
{
	if (!scap->counts->room)
		return 0;
	scap->counts->room--;
	note_change(scap, &(struct hw_scap_change){.tid = event->tid,
						   .fd = fd,
						   .made = (uint32_t)made,
						   .has_inode = event->type->inode != HW_SCAP_NOWHERE,
						   .inode = (uint64_t)number_at(event, event->type->inode, 0)});
	return 1;
}

int scap_again(struct hw_scap *scap, const struct event *event, const struct event *begin, struct thread *thread)
{
	uint8_t flags = event->type->flags;
	int64_t fd = -1;
	uint64_t key, made;

	if (!(flags & HW_SCAP_AGAIN))
		return changes_nothing(scap, event, begin);
	if (flags & HW_SCAP_MAKES) {
		if (length_at(event, 0) != sizeof(fd))
			return AGAIN_NO;
		fd = number_at(event, 0, -1);
	}
	if (thread->epoch != scap->epoch) {
		scap->counts->asked = 1;
		scap->counts->thread = event->tid;
		return AGAIN_ASK;
	}
	key = make_key(scap, event, begin, thread->context);
	made = key ? cache_get(&scap->again, key) : 0;
	if (made && (fd < 0 || note_made(scap, event, fd, made)))
		return AGAIN_YES;
	if (!made)
		scap->counts->key = key;
	return AGAIN_NO;
}
