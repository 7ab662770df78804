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
#define IO_URING_HOOK "handle_io_uring_open"
#define NARROWING "narrow_system_call" /* stands before handlers: process_interest.bpf.c */
#define NARROWING_ENTER "narrow_system_call_enter"

bool interest_is_on_demand(const char *program)
{
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		if (!strcmp(handlers[i].program, program))
			return true;
	for (size_t i = 0; i < ENTER_HANDLER_COUNT; i++)
		if (!strcmp(enter_handlers[i].program, program))
			return true;
	return !strcmp(program, ENTER_HOOK) || !strcmp(program, IO_URING_HOOK) || !strcmp(program, NARROWING) ||
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
	return is_call_wanted(interest, syscall);
}

static bool is_call_narrowed(const struct interest *interest, int syscall)
{
	return are_all_among(interest, syscall, &interest->narrowed);
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
	return is_wanted(interest, EVENT_OPENAT) || is_wanted(interest, EVENT_OPENAT2);
}

static bool is_needed(const struct interest *interest, const char *program)
{
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		if (!strcmp(handlers[i].program, program) && is_call_wanted(interest, handlers[i].syscall))
			return true;
	for (size_t i = 0; i < ENTER_HANDLER_COUNT; i++)
		if (!strcmp(enter_handlers[i].program, program) && is_wanted(interest, enter_handlers[i].event))
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

/* Choose what is needed and not loaded yet; returns how much that is. */
static int choose(struct programs *programs, struct bpf_object *object, const struct interest *interest)
{
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
	return chosen;
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

static void load_needed(struct programs *programs, const struct interest *interest)
{
	struct bpf_object *object = programs_open(programs);
	int error;

	if (!choose(programs, object, interest)) {
		bpf_object__close(object);
		return;
	}
	if (programs->loads == LOADS_LIMIT)
		fail("the rules have asked for more kernel programs %d times: start again", LOADS_LIMIT);
	programs_share_tables(programs, object);
	error = bpf_object__load(object);
	if (error)
		programs_fail_to_load(error);
	programs->handlers[programs->loads++] = object;
}

/* Some programs make more than one event of a call, and have to be told which are wanted. */
static void write_interest(struct programs *programs, const struct interest *interest)
{
	__u32 zero = 0;

	memset(programs->wanted, 0, sizeof(programs->wanted));
	for (int index = 0; index < INDEX_UNKNOWN; index++)
		programs->wanted[index] = is_wanted(interest, event_rows[index].number);
	if (bpf_map_update_elem(programs_table(programs, "interest_buffer"), &zero, programs->wanted, BPF_ANY))
		fail("what is to be sent can not be written into the kernel: %s", strerror(errno));
}

/* Failed calls that no rule can match: by the number of the call, the index of the event, for the counts, and 1. */
static void write_failures(struct programs *programs, const struct interest *interest)
{
	int table = programs_table(programs, "failures_left_out");

	for (size_t i = 0; i < HANDLER_COUNT; i++) {
		__u16 mark = 0;

		if (are_all_among(interest, handlers[i].syscall, &interest->succeeded))
			mark = programs->call_classes->indexes[handlers[i].syscall] + 1;
		if (bpf_map_update_elem(table, &handlers[i].syscall, &mark, BPF_ANY))
			fail("which failed calls are sent can not be written into the kernel: %s", strerror(errno));
	}
}

static void put_program(struct programs *programs, int table, int syscall, const char *name)
{
	int descriptor = bpf_program__fd(find_loaded(programs, name));

	if (bpf_map_update_elem(table, &syscall, &descriptor, BPF_ANY))
		fail("the program %s can not be switched on: %s", name, strerror(errno));
}

/* The dispatch table of a hook, that of the handlers which stand behind another program, and that program. */
struct tables {
	int direct, narrowed;
	const char *narrowing;
};

/* Put a handler into its dispatch table, behind another program where that is asked for, or take it out. */
static void switch_handler(struct programs *programs, const struct tables *tables, const struct handler *handler,
			   bool on, bool narrowed)
{
	if (on && narrowed) {
		put_program(programs, tables->narrowed, handler->syscall, handler->program);
		put_program(programs, tables->direct, handler->syscall, tables->narrowing);
		return;
	}
	if (on)
		put_program(programs, tables->direct, handler->syscall, handler->program);
	else
		bpf_map_delete_elem(tables->direct, &handler->syscall); /* absent already is as good */
	bpf_map_delete_elem(tables->narrowed, &handler->syscall);
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

static void switch_handlers(struct programs *programs, const struct interest *interest)
{
	const struct tables ends = {
		.direct = programs_table(programs, "syscall_handlers"),
		.narrowed = programs_table(programs, "narrowed_handlers"),
		.narrowing = NARROWING,
	};
	const struct tables beginnings = {
		.direct = programs_table(programs, "enter_handlers"),
		.narrowed = programs_table(programs, "narrowed_enter_handlers"),
		.narrowing = NARROWING_ENTER,
	};

	for (size_t i = 0; i < HANDLER_COUNT; i++)
		switch_handler(programs, &ends, &handlers[i], is_call_wanted(interest, handlers[i].syscall),
			       is_call_narrowed(interest, handlers[i].syscall));
	for (size_t i = 0; i < ENTER_HANDLER_COUNT; i++)
		switch_handler(programs, &beginnings, &enter_handlers[i], is_wanted(interest, enter_handlers[i].event),
			       is_enter_narrowed(interest, enter_handlers[i].event));
}

void programs_set_interest(struct programs *programs, const struct interest *interest)
{
	load_needed(programs, interest);
	write_interest(programs, interest);
	process_interest_count_by(programs);
	write_failures(programs, interest);
	switch_handlers(programs, interest);
	switch_hook(programs, &programs->enter, ENTER_HOOK, is_enter_wanted(interest));
	programs->settings.io_uring_openat = is_wanted(interest, EVENT_OPENAT);
	programs->settings.io_uring_openat2 = is_wanted(interest, EVENT_OPENAT2);
	programs_store_settings(programs);
	switch_hook(programs, &programs->io_uring_opens, IO_URING_HOOK, is_io_uring_wanted(interest));
}

void interest_unload(struct programs *programs)
{
	bpf_link__destroy(programs->enter);
	bpf_link__destroy(programs->io_uring_opens);
	for (int i = 0; i < programs->loads; i++)
		bpf_object__close(programs->handlers[i]);
}
