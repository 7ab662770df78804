// SPDX-License-Identifier: Apache-2.0
/* Which calls are left out for which processes: what the engine answers, as bpf/process_interest.bpf.c looks it up. */
#include <stdlib.h>
#include <string.h>

#define EVENT_TABLE_ROWS
#include "handlers.h"
#include "programs.h"

#define HANDLER_COUNT (sizeof(handlers) / sizeof(*handlers))
#define ENTER_HANDLER_COUNT (sizeof(enter_handlers) / sizeof(*enter_handlers))
#define JUDGED_ENTRIES 8192 /* as in process_interest.bpf.c */

void process_interest_map(struct programs *programs)
{
	programs->judged = programs_map_memory(programs, "judged_processes", JUDGED_ENTRIES * sizeof(__u64));
	programs->call_classes = programs_map_memory(programs, "call_classes_buffer", sizeof(*programs->call_classes));
	programs->failures = programs_map_memory(programs, "failures_left_out", sizeof(programs->written.failures));
	programs->written.judged = calloc(JUDGED_ENTRIES, sizeof(__u64));
	programs->written.call_classes = calloc(1, sizeof(*programs->call_classes));
	if (!programs->written.judged || !programs->written.call_classes)
		fail("there is no memory");
}

/* Whether somebody else wrote the tables; then no process is ruled out for anything until the engine answers anew. */
bool process_interest_repair(struct programs *programs)
{
	const struct written *written = &programs->written;
	size_t bytes = JUDGED_ENTRIES * sizeof(__u64);

	if (!memcmp(programs->judged, written->judged, bytes) &&
	    !memcmp(programs->call_classes, written->call_classes, sizeof(*written->call_classes)))
		return false;
	memset(programs->judged, 0, bytes);
	memset(written->judged, 0, bytes);
	memcpy(programs->call_classes, written->call_classes, sizeof(*written->call_classes));
	return true;
}

static int index_of(__u16 event)
{
	int index = 0;

	while (index < INDEX_UNKNOWN && event_rows[index].number != event)
		index++;
	return index;
}

/* Say by which event the calls are counted that are left out: of those that are wanted the first. */
void process_interest_count_by(struct programs *programs)
{
	__u16 *indexes = programs->written.call_classes->indexes;

	for (size_t i = HANDLER_COUNT; i-- > 0;)
		if (programs->written.wanted[index_of(handlers[i].event)])
			indexes[handlers[i].syscall] = index_of(handlers[i].event);
	for (size_t i = 0; i < ENTER_HANDLER_COUNT; i++)
		indexes[enter_handlers[i].syscall] = index_of(enter_handlers[i].event);
	memcpy(programs->call_classes->indexes, indexes, sizeof(programs->call_classes->indexes));
}

static void set(__u64 *calls, int call, bool on)
{
	if (on)
		calls[call / 64] |= 1ull << call % 64;
	else
		calls[call / 64] &= ~(1ull << call % 64);
}

/* A call is left out when none of the events that it can be is needed. */
static void find_calls(const struct programs *programs, const struct types *types, __u64 *calls)
{
	memset(calls, 0, CALLS / 8);
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		if (programs->written.wanted[index_of(handlers[i].event)])
			set(calls, handlers[i].syscall, true);
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		if (programs->written.wanted[index_of(handlers[i].event)] && !types_have(types, handlers[i].event))
			set(calls, handlers[i].syscall, false);
	for (size_t i = 0; i < ENTER_HANDLER_COUNT; i++)
		set(calls, enter_handlers[i].syscall, types_have(types, enter_handlers[i].event));
}

/* Classes are never changed, for the kernel may be about to look: when there are no more, nothing is left out. */
static int find_class(struct programs *programs, const __u64 *calls)
{
	__u64(*classes)[CALLS / 64] = programs->written.call_classes->left_out;

	for (int class = 0; class <= programs->classes; class++)
		if (!memcmp(classes[class], calls, sizeof(*classes)))
			return class;
	if (programs->classes == CLASSES - 1)
		return 0;
	memcpy(classes[++programs->classes], calls, sizeof(*classes));
	memcpy(programs->call_classes->left_out[programs->classes], calls, sizeof(*classes));
	return programs->classes;
}

void programs_answer(struct programs *programs, __u64 fingerprint, const struct types *types)
{
	__u64 calls[CALLS / 64];
	size_t place = fingerprint >> CLASS_BITS & (JUDGED_ENTRIES - 1);

	find_calls(programs, types, calls);
	programs->written.judged[place] = (fingerprint & ~(CLASSES - 1ull)) | find_class(programs, calls);
	__atomic_store_n(&programs->judged[place], programs->written.judged[place], __ATOMIC_RELEASE);
}
