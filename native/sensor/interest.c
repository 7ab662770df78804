// SPDX-License-Identifier: Apache-2.0
/*
 * What the engine wants to be told: handlers of system calls are loaded when they are first needed, for each takes the
 * kernel some milliseconds, and switched on and off in the dispatch tables.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#define EVENT_TABLE_ROWS
#include "handlers.h"
#include "programs.h"

#define HANDLER_COUNT (sizeof(handlers) / sizeof(*handlers))
#define ENTER_HANDLER_COUNT (sizeof(enter_handlers) / sizeof(*enter_handlers))
#define ENTER_HOOK "dispatch_system_call_enter"
#define IO_URING_HANDLER_COUNT (sizeof(io_uring_handlers) / sizeof(*io_uring_handlers))
#define IO_URING_HOOK "dispatch_io_uring"

/* What stands in a dispatch table for a call that is left out to save time; shed.bpf.c. */
#define SHED_CALL "count_shed_call"
#define SHED_ENTER "count_shed_enter"
#define SHED_READING_OPEN "shed_reading_open"

/* As in shed.bpf.c. */
struct shed_call {
	__u32 index;
	__u32 flags_place;
};

/* What stands before handlers of calls that processes can be ruled out for; process_interest.bpf.c. */
#define NARROWING "narrow_system_call"
#define NARROWING_ENTER "narrow_system_call_enter"

bool interest_is_on_demand(const char *program)
{
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		if (!strcmp(handlers[i].program, program))
			return true;
	for (size_t i = 0; i < ENTER_HANDLER_COUNT; i++)
		if (!strcmp(enter_handlers[i].program, program))
			return true;
	for (size_t i = 0; i < IO_URING_HANDLER_COUNT; i++)
		if (!strcmp(io_uring_handlers[i].program, program))
			return true;
	return !strcmp(program, ENTER_HOOK) || !strcmp(program, IO_URING_HOOK) || !strcmp(program, SHED_CALL) ||
	       !strcmp(program, SHED_ENTER) || !strcmp(program, SHED_READING_OPEN) || !strcmp(program, NARROWING) ||
	       !strcmp(program, NARROWING_ENTER) || process_counts_has_program(program);
}

bool types_have(const struct types *types, __u16 event)
{
	for (size_t i = 0; i < types->count; i++)
		if (types->numbers[i] == event)
			return true;
	return false;
}

static bool is_wanted(const struct interest *interest, __u16 event)
{
	return types_have(&interest->wanted, event);
}

/* Whether one of the events that a system call can be is wanted. */
static bool is_call_wanted(const struct interest *interest, int syscall)
{
	if (syscall == SYS_bpf) /* it is by these calls that the programs show that they still see; check.c */
		return true;
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		if (handlers[i].syscall == syscall && is_wanted(interest, handlers[i].event))
			return true;
	return false;
}

/* Whether a list has all wanted events that a system call can be when it ends, and there are such. */
static bool are_all_among(const struct interest *interest, int syscall, const struct types *types)
{
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		if (handlers[i].syscall == syscall && is_wanted(interest, handlers[i].event) &&
		    !types_have(types, handlers[i].event))
			return false;
	return is_call_wanted(interest, syscall) && syscall != SYS_bpf; /* all of which has to be seen; check.c */
}

/* Whether all that is wanted of a system call is to be left out; it is counted as one event. */
static bool is_call_shed(const struct interest *interest, int syscall)
{
	return are_all_among(interest, syscall, &interest->shed);
}

/* Where a call of the open family has its flags, as in shed.bpf.c; 0 for all others. */
static __u32 flags_place(__u16 event)
{
	return event == EVENT_OPEN ? 2 : event == EVENT_OPENAT ? 3 : event == EVENT_OPENAT2 ? 4 : 0;
}

static bool is_call_narrowed(const struct interest *interest, int syscall)
{
	return are_all_among(interest, syscall, &interest->narrowed);
}

/* What would stand before a handler: where the kernel refused it the call goes to the handler, and nothing is missed. */
static const char *or_handler(const struct programs *programs, const char *before, const char *handler)
{
	return loading_is_refused(programs, before) ? handler : before;
}

static bool is_enter_narrowed(const struct interest *interest, __u16 event)
{
	return is_wanted(interest, event) && types_have(&interest->narrowed, event);
}

static bool is_narrowing_needed(const struct interest *interest)
{
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		if (is_call_narrowed(interest, handlers[i].syscall))
			return true;
	return false;
}

static bool is_narrowing_enter_needed(const struct interest *interest)
{
	for (size_t i = 0; i < ENTER_HANDLER_COUNT; i++)
		if (is_enter_narrowed(interest, enter_handlers[i].event))
			return true;
	return false;
}

static bool is_enter_wanted(const struct interest *interest)
{
	for (size_t i = 0; i < ENTER_HANDLER_COUNT; i++)
		if (is_wanted(interest, enter_handlers[i].event))
			return true;
	return false;
}

static bool is_io_uring_wanted(const struct interest *interest)
{
	for (size_t i = 0; i < IO_URING_HANDLER_COUNT; i++)
		if (is_wanted(interest, io_uring_handlers[i].event))
			return true;
	return false;
}

/* Whether one of the events that an operation can be is wanted. */
static bool is_operation_wanted(const struct interest *interest, int operation)
{
	for (size_t i = 0; i < IO_URING_HANDLER_COUNT; i++)
		if (io_uring_handlers[i].syscall == operation && is_wanted(interest, io_uring_handlers[i].event))
			return true;
	return false;
}

static bool is_needed(const struct interest *interest, const char *program)
{
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		if (!strcmp(handlers[i].program, program) && is_call_wanted(interest, handlers[i].syscall))
			return true;
	for (size_t i = 0; i < ENTER_HANDLER_COUNT; i++)
		if (!strcmp(enter_handlers[i].program, program) && is_wanted(interest, enter_handlers[i].event))
			return true;
	if (!strcmp(program, SHED_CALL) || !strcmp(program, SHED_ENTER))
		return interest->shed.count;
	if (!strcmp(program, SHED_READING_OPEN))
		return interest->shed_reads;
	for (size_t i = 0; i < IO_URING_HANDLER_COUNT; i++)
		if (!strcmp(io_uring_handlers[i].program, program) && is_wanted(interest, io_uring_handlers[i].event))
			return true;
	if (!strcmp(program, ENTER_HOOK))
		return is_enter_wanted(interest);
	if (!strcmp(program, NARROWING))
		return is_narrowing_needed(interest);
	if (!strcmp(program, NARROWING_ENTER))
		return is_narrowing_enter_needed(interest);
	return !strcmp(program, IO_URING_HOOK) && is_io_uring_wanted(interest);
}

/* A program that is loaded; NULL when it is not, or not on this kernel. */
static struct bpf_program *find_loaded(struct programs *programs, const char *name)
{
	for (int i = 0; i < programs->loads; i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(programs->handlers[i], name);

		if (program && bpf_program__fd(program) >= 0)
			return program;
	}
	return NULL;
}

/* The programs share the tables of those that were loaded first. */
void programs_share_tables(struct programs *programs, struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		int error;

		if (strstr(bpf_map__name(map), ".rodata")) /* constants: each has its own */
			continue;
		if (!bpf_map__autocreate(map))
			continue;
		error = bpf_map__reuse_fd(map, programs_table(programs, bpf_map__name(map)));
		if (error)
			fail("the table %s can not be shared: %s", bpf_map__name(map), strerror(-error));
	}
}

/* Choose what is needed and not loaded yet; returns how much that is. */
static int choose(struct programs *programs, struct bpf_object *object, const void *context)
{
	const struct interest *interest = context;
	struct bpf_program *program;
	int chosen = 0;

	bpf_object__for_each_program(program, object)
	{
		const char *name = bpf_program__name(program);
		/* What the kernel has no hook for was left out when the object was opened. */
		bool load = bpf_program__autoload(program) && is_needed(interest, name) && !find_loaded(programs, name);

		bpf_program__set_autoload(program, load);
		chosen += load;
	}
	if (chosen)
		programs_share_tables(programs, object);
	return chosen;
}

static void load_needed(struct programs *programs, const struct interest *interest)
{
	struct bpf_object *object = loading_load(programs, &(struct choice){.choose = choose, .context = interest});

	if (!object)
		return;
	if (programs->loads == LOADS_LIMIT)
		fail("the rules have asked for more kernel programs %d times: start again", LOADS_LIMIT);
	programs->handlers[programs->loads++] = object;
}

/* Some programs make more than one event of a call, and have to be told which are wanted. */
static void write_interest(struct programs *programs, const struct interest *interest)
{
	__u8 *wanted = programs->written.wanted;
	__u32 zero = 0;

	for (int index = 0; index < INDEX_UNKNOWN; index++)
		wanted[index] = is_wanted(interest, event_rows[index].number);
	if (bpf_map_update_elem(programs_table(programs, "interest_buffer"), &zero, wanted, BPF_ANY))
		fail("what is to be sent can not be written into the kernel: %s", strerror(errno));
}

static __u32 program_id(int descriptor)
{
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);

	return bpf_obj_get_info_by_fd(descriptor, &info, &length) ? 0 : info.id;
}

/*
 * Put a program into a dispatch table, or take out what is there: when the name is NULL, or this kernel has no such hook.
 */
static void dispatch_to(struct programs *programs, struct dispatch_table *table, int syscall, const char *name)
{
	int descriptor, map = programs_table(programs, table->name);
	struct bpf_program *program = name ? find_loaded(programs, name) : NULL;

	if (!program) {
		bpf_map_delete_elem(map, &syscall); /* absent already is as good */
		table->ids[syscall] = 0;
		return;
	}
	descriptor = bpf_program__fd(program);
	if (bpf_map_update_elem(map, &syscall, &descriptor, BPF_ANY))
		fail("the program %s can not be switched on: %s", name, strerror(errno));
	table->ids[syscall] = program_id(descriptor);
}

/* Tell the programs that stand in for a handler what they count. */
static void describe_shed(struct programs *programs, const struct handler *handler)
{
	struct shed_call call = {.flags_place = flags_place(handler->event)};

	for (int index = 0; index < INDEX_UNKNOWN; index++)
		if (event_rows[index].number == handler->event)
			call.index = index;
	if (bpf_map_update_elem(programs_table(programs, "shed_calls"), &handler->syscall, &call, BPF_ANY))
		fail("what is to be left out can not be written into the kernel: %s", strerror(errno));
}

/* Failed calls that no rule can match: by the number of the call, the index of the event, for the counts, and 1. */
static void write_failures(struct programs *programs, const struct interest *interest)
{
	__u64 *failures = programs->written.failures;

	for (size_t i = 0; i < HANDLER_COUNT; i++) {
		int syscall = handlers[i].syscall;
		bool left_out = are_all_among(interest, syscall, &interest->succeeded);

		failures[syscall] = left_out ? programs->written.call_classes->indexes[syscall] + 1 : 0;
	}
	memcpy(programs->failures, failures, sizeof(programs->written.failures));
}

/*
 * Who is given a call: what leaves it out to save time, then what looks whether its process is ruled out, then its
 * handler. Each is put into its table before what leads to it, and taken out behind that.
 */
static void switch_handler(struct programs *programs, const struct interest *interest, const struct handler *handler)
{
	struct written *written = &programs->written;
	bool wanted = is_call_wanted(interest, handler->syscall);
	bool narrowed = wanted && is_call_narrowed(interest, handler->syscall);
	bool part = wanted && interest->shed_reads && flags_place(handler->event);
	const char *name = wanted ? handler->program : NULL, *first;

	if (narrowed)
		name = or_handler(programs, NARROWING, name);
	first = name;
	if (wanted && is_wanted(interest, handler->event))
		describe_shed(programs, handler);
	if (narrowed)
		dispatch_to(programs, &written->narrowed, handler->syscall, handler->program);
	if (part)
		dispatch_to(programs, &written->kept, handler->syscall, name);
	if (wanted && is_call_shed(interest, handler->syscall))
		first = or_handler(programs, SHED_CALL, name);
	else if (part)
		first = or_handler(programs, SHED_READING_OPEN, name);
	dispatch_to(programs, &written->handlers, handler->syscall, first);
	if (!part)
		dispatch_to(programs, &written->kept, handler->syscall, NULL);
	if (!narrowed)
		dispatch_to(programs, &written->narrowed, handler->syscall, NULL);
}

static void switch_enter_handler(struct programs *programs, const struct interest *interest,
				 const struct handler *handler)
{
	struct written *written = &programs->written;
	bool wanted = is_wanted(interest, handler->event);
	bool narrowed = is_enter_narrowed(interest, handler->event);
	const char *name = wanted ? handler->program : NULL;

	if (narrowed)
		name = or_handler(programs, NARROWING_ENTER, name);
	if (wanted)
		describe_shed(programs, handler);
	if (narrowed)
		dispatch_to(programs, &written->narrowed_enter, handler->syscall, handler->program);
	if (wanted && types_have(&interest->shed, handler->event))
		name = or_handler(programs, SHED_ENTER, name);
	dispatch_to(programs, &written->enter, handler->syscall, name);
	if (!narrowed)
		dispatch_to(programs, &written->narrowed_enter, handler->syscall, NULL);
}

/* A hook costs those who pass it something, so it is there only while it is needed. */
static void switch_hook(struct programs *programs, struct bpf_link **link, const char *name, bool on)
{
	struct bpf_program *program = find_loaded(programs, name);

	if (!on) {
		bpf_link__destroy(*link);
		*link = NULL;
	} else if (!*link && program) {
		*link = bpf_program__attach(program);
		if (!*link)
			fail("the kernel program %s can not be attached: %s", name, strerror(errno));
	}
}

/* Bring the kernel to what is wanted now; what is there already stays. */
void interest_apply(struct programs *programs)
{
	const struct interest *interest = &programs->interest;

	programs->written.handlers.name = "syscall_handlers";
	programs->written.enter.name = "enter_handlers";
	programs->written.kept.name = "kept_handlers";
	programs->written.narrowed.name = "narrowed_handlers";
	programs->written.narrowed_enter.name = "narrowed_enter_handlers";
	programs->written.io_uring.name = "io_uring_handlers";
	load_needed(programs, interest);
	write_interest(programs, interest);
	process_interest_count_by(programs);
	write_failures(programs, interest);
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		switch_handler(programs, interest, &handlers[i]);
	for (size_t i = 0; i < ENTER_HANDLER_COUNT; i++)
		switch_enter_handler(programs, interest, &enter_handlers[i]);
	switch_hook(programs, &programs->enter, ENTER_HOOK, is_enter_wanted(interest));
	for (size_t i = 0; i < IO_URING_HANDLER_COUNT; i++)
		dispatch_to(programs, &programs->written.io_uring, io_uring_handlers[i].syscall,
			    is_operation_wanted(interest, io_uring_handlers[i].syscall) ? io_uring_handlers[i].program
											: NULL);
	switch_hook(programs, &programs->io_uring, IO_URING_HOOK, is_io_uring_wanted(interest));
}

void programs_set_interest(struct programs *programs, const struct interest *interest)
{
	programs->interest.wanted = interest->wanted;
	programs->interest.narrowed = interest->narrowed;
	programs->interest.succeeded = interest->succeeded;
	interest_apply(programs);
}

/* Leave out calls of these types that are wanted, and count them. */
void programs_shed(struct programs *programs, const struct types *types, bool reads)
{
	programs->interest.shed = *types;
	programs->interest.shed_reads = reads;
	interest_apply(programs);
}

/* Whether a wanted event has a system call whose program is not there, because the kernel refused it. */
static bool is_unseen(struct programs *programs, __u16 event)
{
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		if (handlers[i].event == event && loading_is_refused(programs, handlers[i].program))
			return true;
	for (size_t i = 0; i < ENTER_HANDLER_COUNT; i++)
		if (enter_handlers[i].event == event && (loading_is_refused(programs, enter_handlers[i].program) ||
							 loading_is_refused(programs, ENTER_HOOK)))
			return true;
	for (size_t i = 0; i < IO_URING_HANDLER_COUNT; i++)
		if (io_uring_handlers[i].event == event &&
		    (loading_is_refused(programs, io_uring_handlers[i].program) ||
		     loading_is_refused(programs, IO_URING_HOOK)))
			return true;
	return false;
}

/* Which of the wanted events can not be seen, or not all of their calls; returns how many they are. */
size_t programs_unseen(struct programs *programs, const __u16 *types, size_t count, __u16 unseen[INDEX_COUNT])
{
	size_t found = 0;

	for (size_t i = 0; i < count && found < INDEX_COUNT; i++)
		if (is_unseen(programs, types[i]))
			unseen[found++] = types[i];
	return found;
}

void interest_unload(struct programs *programs)
{
	bpf_link__destroy(programs->enter);
	bpf_link__destroy(programs->io_uring);
	for (int i = 0; i < programs->loads; i++)
		bpf_object__close(programs->handlers[i]);
}
