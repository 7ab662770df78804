// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "scap.h"

#define BLOCK_HEAD 8	/* its type and its length */
#define BLOCK_AROUND 12 /* and its length again */
#define LONGEST_BLOCK ((1 << 16) + 64)
#define EVENT_HEAD 22 /* time, thread, length, type */
#define EVENT_V1 0x204
#define EVENT_V1_OLD 0x8010ABCDu
#define EVENT_V1_FLAGS 0x208
#define EVENT_V2 0x216
#define EVENT_V2_FLAGS 0x217
#define ANY_NUMBER 0xffff
#define PROBES 16

struct thread {
	int64_t tid;
	int64_t fd; /* that is being closed */
	uint8_t is_used;
	uint8_t is_known;
	uint8_t is_closing; /* it has begun to close a descriptor, and Python was not told */
	uint8_t is_pending; /* Python has kept the beginning of a call, which the next beginning takes the place of */
};

struct hw_scap {
	struct hw_scap_type types[HW_SCAP_TYPES];
	struct hw_scap_calls calls;
	struct hw_scap_counts *counts;
	struct thread *threads;
};

struct event {
	const struct hw_scap_type *type;
	const uint8_t *values; /* behind the lengths */
	const uint8_t *lengths;
	int64_t tid;
	uint32_t number; /* of the type */
	uint32_t count;	 /* of values */
};

static uint16_t u16_at(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint32_t u32_at(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

struct hw_scap *hw_scap_new(const struct hw_scap_type *types, uint32_t count, const struct hw_scap_calls *calls,
			    struct hw_scap_counts *counts)
{
	struct hw_scap *scap = calloc(1, sizeof(*scap));

	if (!scap || count > HW_SCAP_TYPES) {
		free(scap);
		return NULL;
	}
	scap->threads = calloc(HW_SCAP_THREADS, sizeof(*scap->threads));
	if (!scap->threads) {
		free(scap);
		return NULL;
	}
	memcpy(scap->types, types, count * sizeof(*types));
	scap->calls = *calls;
	scap->counts = counts;
	return scap;
}

void hw_scap_free(struct hw_scap *scap)
{
	free(scap->threads);
	free(scap);
}

/* The place of a thread; NULL when there is no room near where it belongs. */
static struct thread *find_thread(struct hw_scap *scap, int64_t tid, int make)
{
	uint64_t place = (uint64_t)tid * 0x9e3779b97f4a7c15u >> 46;

	for (int probe = 0; probe < PROBES; probe++) {
		struct thread *one = &scap->threads[(place + (uint64_t)probe) % HW_SCAP_THREADS];

		if (one->is_used && one->tid == tid)
			return one;
		if (!one->is_used && !make)
			return NULL;
		if (!one->is_used) {
			one->tid = tid;
			one->is_used = 1;
			return one;
		}
	}
	return NULL;
}

void hw_scap_know(struct hw_scap *scap, int64_t tid, uint32_t known)
{
	struct thread *one = find_thread(scap, tid, known != 0);

	if (one)
		one->is_known = known != 0;
}

/* The number of values whose lengths fit; -1 when none does. Old writers do not say it. */
static int find_count(const struct hw_scap_type *type, const uint8_t *lengths, uint64_t left)
{
	for (int count = type->values; count >= 0; count--) {
		uint64_t sum = 2 * (uint64_t)count;

		if (sum > left)
			continue;
		for (int value = 0; value < count; value++)
			sum += u16_at(lengths + 2 * value);
		if (sum == left)
			return count;
	}
	return -1;
}

/* Whether the values are of their types: the format has no checksums. */
static int are_right(const struct event *event)
{
	const uint8_t *value = event->values;
	uint32_t count = event->count < event->type->values ? event->count : event->type->values;

	for (uint32_t one = 0; one < count; one++) {
		uint16_t length = u16_at(event->lengths + 2 * one);
		uint8_t size = event->type->sizes[one];

		if (length && size == HW_SCAP_TEXT && value[length - 1])
			return 0;
		if (length && size != HW_SCAP_TEXT && size != HW_SCAP_ANY && size != length)
			return 0;
		value += length;
	}
	return 1;
}

/* Reads an event of `size` bytes, its block's body; 0 when Python has to look at it. */
static int read_event(const struct hw_scap *scap, uint32_t block, const uint8_t *body, uint64_t size,
		      struct event *event)
{
	uint64_t at = 2, length, sum;
	int is_old = block == EVENT_V1 || block == EVENT_V1_OLD || block == EVENT_V1_FLAGS;
	int count;

	if (block == EVENT_V1_FLAGS || block == EVENT_V2_FLAGS) {
		if (size < 6 || u32_at(body + 2))
			return 0;
		at = 6;
	}
	if (size < at + EVENT_HEAD)
		return 0;
	memcpy(&event->tid, body + at + 8, sizeof(event->tid));
	length = u32_at(body + at + 16);
	event->number = u16_at(body + at + 20);
	if (length < EVENT_HEAD || length > size - at || event->number >= HW_SCAP_TYPES)
		return 0;
	event->type = &scap->types[event->number];
	if (!(event->type->flags & HW_SCAP_KNOWN))
		return 0;
	body += at + EVENT_HEAD;
	length -= EVENT_HEAD;
	if (is_old) {
		count = find_count(event->type, body, length);
		if (count < 0)
			return 0;
		event->count = (uint32_t)count;
	} else {
		if (length < 4)
			return 0;
		event->count = u32_at(body);
		body += 4;
		length -= 4;
		sum = 2 * (uint64_t)event->count;
		if (event->count > HW_SCAP_VALUES || sum > length)
			return 0;
		for (uint32_t value = 0; value < event->count; value++)
			sum += u16_at(body + 2 * value);
		if (sum != length)
			return 0;
	}
	event->lengths = body;
	event->values = body + 2 * (uint64_t)event->count;
	if (event->count > event->type->values)
		event->count = event->type->values;
	return are_right(event);
}

/* What the code and the number of a call without a type of its own say: `count` is where it is counted. */
static int is_asked_for(struct hw_scap *scap, const struct event *event, uint64_t **count)
{
	uint32_t code, number = ANY_NUMBER;
	uint16_t right;

	if (!event->count || !u16_at(event->lengths))
		return 1;
	code = u16_at(event->values);
	if (event->count > 1 && u16_at(event->lengths + 2))
		number = u16_at(event->values + 2);
	if (code >= HW_SCAP_CALLS)
		return 1;
	if (scap->calls.by_code[code] == HW_SCAP_CALL_BY_NUMBER) {
		*count = &scap->counts->numbers[number % HW_SCAP_CALLS];
		if (event->type->flags & HW_SCAP_BEGINS) /* the end may have no number */
			return 1;
		return number >= HW_SCAP_CALLS || scap->calls.by_number[number] != HW_SCAP_CALL_SKIPPED;
	}
	*count = &scap->counts->codes[code];
	right = scap->calls.number_of[code];
	if (number != ANY_NUMBER && right != ANY_NUMBER && right != number)
		return 1;
	return scap->calls.by_code[code] != HW_SCAP_CALL_SKIPPED;
}

/* Whether the beginning of a call is nothing; if not, Python keeps it. */
static int begins_nothing(struct hw_scap *scap, const struct event *event, struct thread *thread, int is_asked)
{
	uint8_t action = event->type->actions[event->count];

	if (event->type->flags & HW_SCAP_CLOSES) {
		is_asked |= !thread || !thread->is_known || thread->is_pending || event->count != 1 ||
			    !u16_at(event->lengths);
		if (!is_asked) {
			memcpy(&thread->fd, event->values, sizeof(thread->fd));
			thread->is_closing = 1;
			return 1;
		}
	}
	if (thread && action & HW_SCAP_STORED)
		thread->is_closing = 0;
	if (is_asked) {
		thread = find_thread(scap, event->tid, 1);
		if (thread)
			thread->is_pending = 1;
		return 0;
	}
	if (thread && thread->is_pending) {
		thread->is_pending = 0;
		return 0;
	}
	return 1;
}

/* Notes that a descriptor was closed; 0 when it cannot be told which. */
static int note_close(struct hw_scap *scap, const struct event *event, struct thread *thread)
{
	struct hw_scap_closed *closed = &scap->counts->list[scap->counts->closed % HW_SCAP_CLOSED];
	int64_t result;
	int is_closing = thread->is_closing;

	thread->is_closing = 0;
	if (!event->count || !u16_at(event->lengths))
		return 0;
	memcpy(&result, event->values, sizeof(result));
	closed->tid = event->tid;
	closed->fd = thread->fd;
	if (event->count > 1) {
		if (!u16_at(event->lengths + 2))
			return 0;
		memcpy(&closed->fd, event->values + sizeof(result), sizeof(closed->fd));
	} else if (!is_closing) {
		return 0;
	}
	scap->counts->closed += result >= 0;
	return 1;
}

/* Whether nothing is to be done for an event; then it is counted. */
static int is_nothing(struct hw_scap *scap, const struct event *event)
{
	uint8_t action = event->type->actions[event->count], flags = event->type->flags;
	struct thread *thread = find_thread(scap, event->tid, 0);
	uint64_t *count = &scap->counts->types[event->type->counted_as[event->count] % HW_SCAP_TYPES];
	uint64_t *nobody = NULL; /* is told of the beginnings of calls */
	int is_asked = action & HW_SCAP_NEEDED;

	if (flags & HW_SCAP_GENERIC)
		is_asked |= is_asked_for(scap, event, flags & HW_SCAP_BEGINS ? &nobody : &count);
	if (flags & HW_SCAP_BEGINS && !begins_nothing(scap, event, thread, is_asked))
		return 0;
	if (event->number % 2 && thread && thread->is_pending) {
		thread->is_pending = 0; /* Python lets go of what it has kept */
		return 0;
	}
	if (is_asked)
		return 0;
	if (!(action & HW_SCAP_COUNTED))
		return 1;
	if (flags & HW_SCAP_ANNOUNCES && !(thread && thread->is_known))
		return 0;
	if (flags & HW_SCAP_CLOSES && !(flags & HW_SCAP_BEGINS) && !(thread && note_close(scap, event, thread)))
		return 0;
	if (event->number % 2 && thread)
		thread->is_closing = 0;
	++*count;
	scap->counts->events++;
	return 1;
}

uint64_t hw_scap_skip(struct hw_scap *scap, const uint8_t *data, uint64_t begin, uint64_t size)
{
	struct event event;

	while (begin < size && size - begin >= BLOCK_AROUND && scap->counts->closed < HW_SCAP_CLOSED) {
		uint32_t block = u32_at(data + begin);
		uint64_t length = u32_at(data + begin + 4);

		if (block != EVENT_V2 && block != EVENT_V2_FLAGS && block != EVENT_V1 && block != EVENT_V1_FLAGS &&
		    block != EVENT_V1_OLD)
			break;
		if (length < BLOCK_AROUND || length % 4 || length > LONGEST_BLOCK || length > size - begin)
			break;
		if (u32_at(data + begin + length - 4) != length)
			break;
		if (!read_event(scap, block, data + begin + BLOCK_HEAD, length - BLOCK_AROUND, &event))
			break;
		if (!is_nothing(scap, &event))
			break;
		scap->counts->blocks++;
		begin += length;
	}
	return begin;
}
