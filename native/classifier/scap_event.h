/* SPDX-License-Identifier: Apache-2.0 */
/* What scap.c, which walks over events, and scap_again.c, which knows them again, have in common. */
#ifndef HULLWATCH_SCAP_EVENT_H
#define HULLWATCH_SCAP_EVENT_H

#include <string.h>

#include "cache.h"
#include "records.h"
#include "scap.h"

#define EVENT_V1 0x204
#define EVENT_V1_OLD 0x8010ABCDu
#define EVENT_V1_FLAGS 0x208
#define EVENT_V2 0x216
#define EVENT_V2_FLAGS 0x217
#define EVENT_V2_LARGE 0x221
#define EVENT_V2_FLAGS_LARGE 0x222

struct event {
	const struct hw_scap_type *type;
	const uint8_t *values; /* behind the lengths */
	const uint8_t *lengths;
	int64_t tid;
	uint32_t number; /* of the type */
	uint32_t count;	 /* of values */
};

/* The beginning of a call that Python was not told. */
struct begun {
	struct event event; /* in the block */
	uint32_t length;
	uint8_t block[HW_SCAP_LONGEST_BEGUN];
};

struct thread {
	int64_t tid;
	uint64_t context;    /* what its events are judged by; true in one epoch */
	struct begun *begun; /* room for one */
	uint32_t epoch;
	uint8_t is_used;
	uint8_t is_known;
	uint8_t is_begun;   /* `begun` has one */
	uint8_t is_pending; /* Python may have kept the beginning of a call */
};

struct hw_scap {
	struct hw_scap_type types[HW_SCAP_TYPES];
	struct hw_scap_calls calls;
	struct hw_scap_counts *counts;
	struct thread *threads;
	struct cache again; /* what was made, by the keys of events */
	uint64_t secret[2];
	uint32_t epoch;			/* of what threads are judged by */
	uint32_t rooms;			/* for beginnings of calls */
	uint16_t last[HW_SCAP_CHANGES]; /* place of the last change of a descriptor, by the low bits of its number */
};

/* A value of 8 bytes, or what is to be taken without it. */
static inline int64_t number_at(const struct event *event, uint32_t place, int64_t absent)
{
	const uint8_t *value = event->values;
	int64_t number;

	if (place >= event->count || read_u16(event->lengths + 2 * place) != sizeof(number))
		return absent;
	for (uint32_t one = 0; one < place; one++)
		value += read_u16(event->lengths + 2 * one);
	memcpy(&number, value, sizeof(number));
	return number;
}

/* The bytes of a value; 0 when there is none. */
static inline uint32_t length_at(const struct event *event, uint32_t place)
{
	return place < event->count ? read_u16(event->lengths + 2 * place) : 0;
}

#define AGAIN_NO 0
#define AGAIN_YES 1
#define AGAIN_ASK 2 /* Python has to say how the thread is judged */

/* Notes that a descriptor was made or closed, in the place of what was noted of it before. */
static inline void note_change(struct hw_scap *scap, const struct hw_scap_change *change)
{
	struct hw_scap_counts *counts = scap->counts;
	uint16_t *last = &scap->last[(uint64_t)change->fd % HW_SCAP_CHANGES];
	const struct hw_scap_change *before = &counts->changes[*last];

	/* What another thread has done since may have been to the same descriptor. */
	if (*last >= counts->changed || before->fd != change->fd || before->tid != change->tid)
		*last = (uint16_t)(counts->changed++ % HW_SCAP_CHANGES);
	counts->changes[*last] = *change;
}

/* Whether the end of a call, of which Python would want to see each, is known to be nothing. `begin` may be NULL. */
int scap_again(struct hw_scap *scap, const struct event *event, const struct event *begin, struct thread *thread);

#endif
