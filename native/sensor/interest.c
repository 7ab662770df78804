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

/* What is wanted now. */
struct interest {
	const __u16 *types;
	size_t count;
};

bool interest_is_on_demand(const char *program)
{
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		if (!strcmp(handlers[i].program, program))
			return true;
	for (size_t i = 0; i < ENTER_HANDLER_COUNT; i++)
		if (!strcmp(enter_handlers[i].program, program))
			return true;
	return !strcmp(program, ENTER_HOOK) || !strcmp(program, IO_URING_HOOK);
}

static bool is_wanted(const struct interest *interest, __u16 event)
{
	for (size_t i = 0; i < interest->count; i++)
		if (interest->types[i] == event)
			return true;
	return false;
}

/* Whether one of the events that a system call can be is wanted. */
static bool is_call_wanted(const struct interest *interest, int syscall)
{
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		if (handlers[i].syscall == syscall && is_wanted(interest, handlers[i].event))
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
static void share_tables(struct programs *programs, struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		int error;

		if (strstr(bpf_map__name(map), ".rodata")) /* constants: each has its own */
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
		share_tables(programs, object);
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
	__u8 wanted[INDEX_COUNT] = {0};
	__u32 zero = 0;

	for (int index = 0; index < INDEX_UNKNOWN; index++)
		wanted[index] = is_wanted(interest, event_rows[index].number);
	if (bpf_map_update_elem(programs_table(programs, "interest_buffer"), &zero, wanted, BPF_ANY))
		fail("what is to be sent can not be written into the kernel: %s", strerror(errno));
}

/* Put a handler into its dispatch table, or take it out. */
static void switch_handler(struct programs *programs, int table, const struct handler *handler, bool on)
{
	struct bpf_program *program = find_loaded(programs, handler->program);
	int descriptor;

	if (!on || !program) {
		bpf_map_delete_elem(table, &handler->syscall); /* absent already is as good */
		return;
	}
	descriptor = bpf_program__fd(program);
	if (bpf_map_update_elem(table, &handler->syscall, &descriptor, BPF_ANY))
		fail("the program %s can not be switched on: %s", handler->program, strerror(errno));
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

void programs_set_interest(struct programs *programs, const __u16 *types, size_t count)
{
	struct interest interest = {.types = types, .count = count};
	int table = programs_table(programs, "syscall_handlers");
	int enter_table = programs_table(programs, "enter_handlers");

	load_needed(programs, &interest);
	write_interest(programs, &interest);
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		switch_handler(programs, table, &handlers[i], is_call_wanted(&interest, handlers[i].syscall));
	for (size_t i = 0; i < ENTER_HANDLER_COUNT; i++)
		switch_handler(programs, enter_table, &enter_handlers[i],
			       is_wanted(&interest, enter_handlers[i].event));
	switch_hook(programs, &programs->enter, ENTER_HOOK, is_enter_wanted(&interest));
	programs->settings.io_uring_openat = is_wanted(&interest, EVENT_OPENAT);
	programs->settings.io_uring_openat2 = is_wanted(&interest, EVENT_OPENAT2);
	programs_store_settings(programs);
	switch_hook(programs, &programs->io_uring_opens, IO_URING_HOOK, is_io_uring_wanted(&interest));
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
	bpf_link__destroy(programs->io_uring_opens);
	for (int i = 0; i < programs->loads; i++)
		bpf_object__close(programs->handlers[i]);
}
