// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "scap_event.h"

#define BLOCK_HEAD 8	/* its type and its length */
#define BLOCK_AROUND 12 /* and its length again */
#define LONGEST_BLOCK ((1 << 16) + 64)
#define EVENT_HEAD 22 /* time, thread, length, type */
#define ANY_NUMBER 0xffff
#define PROBES 16
#define KEYS (1 << 17)

struct hw_scap *hw_scap_new(const struct hw_scap_type *types, uint32_t count, const struct hw_scap_calls *calls,
			    struct hw_scap_counts *counts, const uint8_t *secret)
{
	struct hw_scap *scap = calloc(1, sizeof(*scap));

	if (!scap || count > HW_SCAP_TYPES) {
		free(scap);
		return NULL;
	}
	scap->threads = calloc(HW_SCAP_THREADS, sizeof(*scap->threads));
	if (!scap->threads || cache_make(&scap->again, KEYS)) {
		free(scap->threads);
		free(scap);
		return NULL;
	}
	memcpy(scap->types, types, count * sizeof(*types));
	memcpy(scap->secret, secret, sizeof(scap->secret));
	scap->calls = *calls;
	scap->counts = counts;
	scap->epoch = 1;
	return scap;
}

void hw_scap_free(struct hw_scap *scap)
{
	for (uint32_t place = 0; scap->rooms && place < HW_SCAP_THREADS; place++)
		free(scap->threads[place].begun);
	free(scap->threads);
	free(scap->again.entries);
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

void hw_scap_judge_by(struct hw_scap *scap, int64_t tid, uint64_t context)
{
	struct thread *one = find_thread(scap, tid, 0);

	if (one) {
		one->context = context;
		one->epoch = scap->epoch;
	}
}

void hw_scap_no_numbers(struct hw_scap *scap)
{
	memset(scap->calls.by_number, HW_SCAP_CALL_NEEDED, sizeof(scap->calls.by_number));
}

/* The number of values whose lengths fit; -1 when none does. Old writers do not say it. */
static int find_count(const struct hw_scap_type *type, const uint8_t *lengths, uint64_t left)
{
	for (int count = type->values; count >= 0; count--) {
		uint64_t sum = 2 * (uint64_t)count;

		if (sum > left)
			continue;
		for (int value = 0; value < count; value++)
			sum += read_u16(lengths + 2 * value);
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
		uint16_t length = read_u16(event->lengths + 2 * one);
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
		if (size < 6 || read_u32(body + 2))
			return 0;
		at = 6;
	}
	if (size < at + EVENT_HEAD)
		return 0;
	memcpy(&event->tid, body + at + 8, sizeof(event->tid));
	length = read_u32(body + at + 16);
	event->number = read_u16(body + at + 20);
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
		event->count = read_u32(body);
		body += 4;
		length -= 4;
		sum = 2 * (uint64_t)event->count;
		if (event->count > HW_SCAP_VALUES || sum > length)
			return 0;
		for (uint32_t value = 0; value < event->count; value++)
			sum += read_u16(body + 2 * value);
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

	if (!event->count || !read_u16(event->lengths))
		return 1;
	code = read_u16(event->values);
	if (event->count > 1 && read_u16(event->lengths + 2))
		number = read_u16(event->values + 2);
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

/* Keeps the beginning of a call, so that Python sees it only if it has to look at the end; 0 when it cannot be kept. */
static int keep(struct hw_scap *scap, const struct event *event, struct thread *thread, const uint8_t *block,
		uint64_t length)
{
	struct begun *begun = thread->begun;

	if (length > HW_SCAP_LONGEST_BEGUN)
		return 0;
	if (!begun) {
		if (scap->rooms >= HW_SCAP_MOST_BEGUN)
			return 0;
		begun = thread->begun = malloc(sizeof(*begun));
		if (!begun)
			return 0;
		scap->rooms++;
	}
	memcpy(begun->block, block, length);
	begun->length = (uint32_t)length;
	begun->event = *event;
	begun->event.lengths = begun->block + (event->lengths - block);
	begun->event.values = begun->block + (event->values - block);
	thread->is_begun = 1;
	return 1;
}

/* Hands the beginning of a call to Python, with the event at which the walk ends. */
static void hand_over(struct hw_scap *scap, struct thread *thread)
{
	memcpy(scap->counts->block, thread->begun->block, thread->begun->length);
	scap->counts->begun = thread->begun->length;
	thread->is_begun = 0;
}

/* Notes that a descriptor was closed; 0 when it cannot be told which. */
static int note_close(struct hw_scap *scap, const struct event *event, const struct event *begin)
{
	const struct event *says = event->count > 1 ? event : begin;
	uint32_t place = event->count > 1;

	if (!length_at(event, 0) || !says || !length_at(says, place))
		return 0;
	if (number_at(event, 0, -1) >= 0)
		note_change(scap, &(struct hw_scap_change){.tid = event->tid, .fd = number_at(says, place, -1)});
	return 1;
}

/* Whether the end of a call is nothing, though Python sees others of its type; or AGAIN_ASK. */
static int ends_nothing(struct hw_scap *scap, const struct event *event, struct thread *thread, int is_asked)
{
	const struct event *begin = NULL;

	if (!thread || !thread->is_known || thread->is_pending)
		return AGAIN_NO;
	if (thread->is_begun) {
		begin = &thread->begun->event;
		if (begin->number + 1 != event->number)
			return AGAIN_NO;
	}
	if (event->type->flags & HW_SCAP_CLOSES)
		return note_close(scap, event, begin);
	return is_asked ? scap_again(scap, event, begin, thread) : AGAIN_YES;
}

/* Whether nothing is to be done for an event; then it is counted. Or AGAIN_ASK. */
static int is_nothing(struct hw_scap *scap, const struct event *event, struct thread *thread, const uint8_t *block,
		      uint64_t length)
{
	uint8_t action = event->type->actions[event->count], flags = event->type->flags;
	uint64_t *count = &scap->counts->types[event->type->counted_as[event->count] % HW_SCAP_TYPES];
	uint64_t *nobody = NULL; /* is told of the beginnings of calls */
	int is_asked = action & HW_SCAP_NEEDED, is_end = event->number % 2, is_again;

	if (flags & HW_SCAP_GENERIC)
		is_asked |= is_asked_for(scap, event, flags & HW_SCAP_BEGINS ? &nobody : &count);
	if (flags & HW_SCAP_BEGINS && thread && (thread->is_begun || thread->is_pending))
		return AGAIN_NO;
	if (flags & HW_SCAP_BEGINS && (is_asked || flags & HW_SCAP_CLOSES)) {
		if (!thread || !thread->is_known || flags & HW_SCAP_GENERIC ||
		    !keep(scap, event, thread, block, length))
			return AGAIN_NO;
	} else if (is_end &&
		   (is_asked || flags & HW_SCAP_CLOSES || (thread && (thread->is_begun || thread->is_pending)))) {
		is_again = ends_nothing(scap, event, thread, is_asked);
		if (is_again != AGAIN_YES)
			return is_again;
		thread->is_begun = 0;
	} else if (is_asked) {
		return AGAIN_NO;
	}
	if (!(action & HW_SCAP_COUNTED))
		return AGAIN_YES;
	if (flags & HW_SCAP_ANNOUNCES && !(thread && thread->is_known))
		return AGAIN_NO;
	++*count;
	scap->counts->events++;
	return AGAIN_YES;
}

/* The walk ends at an event of a thread: Python is told what it was not told of it, and what it may keep is noted. */
static void end_at(struct hw_scap *scap, const uint8_t *body, uint64_t size, uint32_t block)
{
	uint64_t at = block == EVENT_V1_FLAGS || block == EVENT_V2_FLAGS || block == EVENT_V2_FLAGS_LARGE ? 6 : 2;
	uint8_t flags = HW_SCAP_BEGINS; /* of a type that is not known here */
	struct thread *thread;
	uint32_t number;
	int64_t tid;

	if (size < at + EVENT_HEAD)
		return;
	memcpy(&tid, body + at + 8, sizeof(tid));
	number = read_u16(body + at + 20);
	if (number < HW_SCAP_TYPES && scap->types[number].flags & HW_SCAP_KNOWN)
		flags = scap->types[number].flags;
	thread = find_thread(scap, tid, !(number % 2) && flags & HW_SCAP_BEGINS);
	if (!thread)
		return;
	if (number % 2)
		thread->is_pending = 0;
	else if (thread->is_begun || flags & HW_SCAP_BEGINS)
		thread->is_pending = 1;
	if (thread->is_begun)
		hand_over(scap, thread);
}

static int is_event(uint32_t block)
{
	return block == EVENT_V2 || block == EVENT_V2_FLAGS || block == EVENT_V1 || block == EVENT_V1_FLAGS ||
	       block == EVENT_V1_OLD;
}

uint64_t hw_scap_skip(struct hw_scap *scap, const uint8_t *data, uint64_t begin, uint64_t size)
{
	struct hw_scap_counts *counts = scap->counts;
	struct event event;

	counts->key = counts->asked = counts->begun = 0;
	while (begin < size && size - begin >= BLOCK_AROUND && counts->changed < HW_SCAP_CHANGES) {
		const uint8_t *at = data + begin;
		uint32_t block = read_u32(at);
		uint64_t length = read_u32(at + 4);
		int is_again = AGAIN_NO;

		if (!is_event(block) && block != EVENT_V2_LARGE && block != EVENT_V2_FLAGS_LARGE)
			break;
		if (length < BLOCK_AROUND || length % 4 || length > size - begin)
			break;
		if (is_event(block) && length <= LONGEST_BLOCK && read_u32(at + length - 4) == length &&
		    read_event(scap, block, at + BLOCK_HEAD, length - BLOCK_AROUND, &event))
			is_again = is_nothing(scap, &event, find_thread(scap, event.tid, 0), at, length);
		if (is_again == AGAIN_NO)
			end_at(scap, at + BLOCK_HEAD, length - BLOCK_AROUND, block);
		if (is_again != AGAIN_YES)
			break;
		counts->blocks++;
		begin += length;
	}
	return begin;
}
