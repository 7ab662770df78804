// SPDX-License-Identifier: Apache-2.0
/*
 * Whether everything in the kernel is still as it was left there. A process with CAP_BPF can open the sensor's tables
 * by their ids and write them; one that may trace the sensor can close its descriptors. What never changes is frozen;
 * the rest is compared with what was written, once a second, and put right. That the programs see anything at all is
 * shown by these looks themselves: each is a call of bpf() by one of Hullwatch's own processes, which are counted.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "handlers.h"
#include "programs.h"

#define HANDLER_COUNT (sizeof(handlers) / sizeof(*handlers))
#define CANARIES_MISSED_MAXIMUM 3 /* looks in a row that no program saw: then everything is to be loaded anew */
#define NAMES_BYTES 400		  /* of the names in a sentence */

/* Who is told what was found. */
struct check {
	struct programs *programs;
	struct bpf_caller caller;
	void (*found)(const char *what, bool repaired, const struct bpf_caller *caller, void *context);
	void *context;
};

static const char *const own_tables[] = {
	"settings_buffer",
	"interest_buffer",
	"syscall_handlers",
	"enter_handlers",
	"kept_handlers",
	"shed_calls",
	"ruled_out",
	"remembering_buffer",
	"counter_buffers",
	"rings",
	"own_maps_buffer",
	"io_uring_handlers",
	"environment_names_buffer",
	"scratch_buffers",
	"io_uring_short_names",
	"io_uring_long_names",
	"io_uring_descriptors",
	"io_uring_listening",
	"told_libraries",
	"mount_sources",
	"execveat_calls",
	"ended_processes",
	"narrowed_handlers",
	"narrowed_enter_handlers",
	"judged_processes",
	"waiting_processes",
	"call_classes_buffer",
	"failures_left_out",
};

/* Tables that only the kernel programs write from now on, or nobody. On kernels that can not do this they are as open
 * as the others. */
static const char *const frozen_tables[] = {"counter_buffers", "rings", "own_maps_buffer"};

_Static_assert(sizeof(own_tables) / sizeof(*own_tables) <= OWN_MAP_MAXIMUM, "there are places for all ids");

static __u32 table_id(struct programs *programs, const char *name)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	return bpf_obj_get_info_by_fd(programs_table(programs, name), &info, &length) ? 0 : info.id;
}

/* Have the kernel note who works on the tables, and refuse what nobody has to do. */
void programs_protect(struct programs *programs)
{
	struct own_maps own = {};
	__u32 zero = 0;

	for (size_t i = 0; i < sizeof(own_tables) / sizeof(*own_tables); i++)
		own.ids[i] = table_id(programs, own_tables[i]);
	if (bpf_map_update_elem(programs_table(programs, "own_maps_buffer"), &zero, &own, BPF_ANY))
		fail("the ids of the tables can not be written into the kernel: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(frozen_tables) / sizeof(*frozen_tables); i++)
		bpf_map_freeze(programs_table(programs, frozen_tables[i]));
}

static void tell(struct check *check, bool repaired, const char *what)
{
	check->found(what, repaired, &check->caller, check->context);
}

static void check_attached(struct check *check)
{
	struct programs *programs = check->programs;
	char what[NAMES_BYTES];

	for (int i = 0; i < programs->attached_count; i++) {
		struct attached *attached = &programs->attached[i], old = *attached;

		if (old.link_id && programs_link_id(old.link) == old.link_id)
			continue;
		bpf_link__disconnect(old.link); /* its descriptor may be another file's by now */
		bpf_link__destroy(old.link);
		attached->link = bpf_program__attach(old.program);
		if (!attached->link)
			fail("the kernel program %s was detached and can not be attached again: %s",
			     bpf_program__name(old.program), strerror(errno));
		attached->link_id = programs_link_id(attached->link);
		snprintf(what, sizeof(what), "the kernel program %s was detached", bpf_program__name(old.program));
		tell(check, true, what);
	}
}

/* The name of an event that a system call is, for people. */
static const char *call_name(int syscall)
{
	for (size_t i = 0; i < HANDLER_COUNT; i++)
		if (handlers[i].syscall == syscall)
			return handlers[i].program + strlen("handle_");
	return "close";
}

static const char *request_name(int operation)
{
	for (size_t i = 0; i < sizeof(io_uring_handlers) / sizeof(*io_uring_handlers); i++)
		if (io_uring_handlers[i].syscall == operation)
			return io_uring_handlers[i].program + strlen("handle_");
	return "io_uring";
}

/* Whether a dispatch table has lost programs or got others; the names of their calls are appended to `names`. */
static bool has_changed(struct programs *programs, const struct dispatch_table *table, const char *(*name_of)(int),
			char *names)
{
	int map = programs_table(programs, table->name);
	bool changed = false;

	for (int syscall = 0; syscall < SYSCALL_MAXIMUM; syscall++) {
		size_t length = strlen(names);
		__u32 id = 0;

		if (!table->ids[syscall] || (bpf_map_lookup_elem(map, &syscall, &id) == 0 && id == table->ids[syscall]))
			continue;
		changed = true;
		snprintf(names + length, NAMES_BYTES - length, "%s%s", length ? ", " : "", name_of(syscall));
	}
	return changed;
}

static bool is_as_written(struct programs *programs, const char *table, const void *written, void *buffer, size_t size)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(programs_table(programs, table), &zero, buffer) == 0 &&
	       memcmp(written, buffer, size) == 0;
}

/* What says which calls are sent, and whose: looked at before any of it is put right, which writes all of it. */
static void check_interest(struct check *check)
{
	struct programs *programs = check->programs;
	const struct written *written = &programs->written;
	char names[NAMES_BYTES] = "", what[NAMES_BYTES + 100];
	__u8 wanted_buffer[INDEX_COUNT];
	struct settings settings_buffer;
	bool handlers_changed = has_changed(programs, &written->handlers, call_name, names);
	bool enter_changed = has_changed(programs, &written->enter, call_name, names);
	bool kept_changed = has_changed(programs, &written->kept, call_name, names);
	bool narrowed_changed = has_changed(programs, &written->narrowed, call_name, names);
	bool narrowed_enter_changed = has_changed(programs, &written->narrowed_enter, call_name, names);
	bool io_uring_changed = has_changed(programs, &written->io_uring, request_name, names);
	bool settings_changed = !is_as_written(programs, "settings_buffer", &programs->settings, &settings_buffer,
					       sizeof(settings_buffer));
	bool wanted_changed =
		!is_as_written(programs, "interest_buffer", written->wanted, wanted_buffer, sizeof(wanted_buffer));

	bool failures_changed = memcmp(programs->failures, written->failures, sizeof(written->failures));
	bool dispatch_changed = handlers_changed || enter_changed || kept_changed || narrowed_changed ||
				narrowed_enter_changed || io_uring_changed;

	if (dispatch_changed || wanted_changed || failures_changed)
		interest_apply(programs);
	if (settings_changed)
		programs_store_settings(programs);
	if (settings_changed)
		tell(check, true, "the settings in the kernel were changed (whose calls are left out, among others)");
	if (wanted_changed)
		tell(check, true, "the kernel's note of which events are to be sent was changed");
	if (failures_changed)
		tell(check, true, "the kernel's note of which failed calls need not be sent was changed");
	if (!dispatch_changed)
		return;
	snprintf(what, sizeof(what), "the programs for some system calls were taken out of the kernel's table (%s)",
		 names);
	tell(check, true, what);
}

static void check_ruled_out(struct check *check)
{
	struct programs *programs = check->programs;
	size_t bytes = RULED_OUT_ENTRIES * sizeof(__u64);

	if (programs->remembering->secret == programs->written.secret &&
	    memcmp(programs->ruled_out, programs->written.ruled_out, bytes) == 0)
		return;
	programs_new_secret(programs);
	memset(programs->ruled_out, 0, bytes);
	memset(programs->written.ruled_out, 0, bytes);
	tell(check, true, "the kernel's table of calls that need not be sent was changed");
}

static void check_processes(struct check *check)
{
	if (process_interest_repair(check->programs))
		tell(check, true, "the kernel's table of processes whose calls need not be sent was changed");
}

/* Each look at a table is a call that the programs have to see, and to count as Hullwatch's own. */
static void check_canary(struct check *check)
{
	struct programs *programs = check->programs;
	struct written *written = &programs->written;
	__u64 seen = 0;

	for (int cpu = 0; cpu < programs->cpus; cpu++)
		seen += programs->counters[cpu].dropped[INDEX_BPF][DROP_OWN_PROCESS];
	written->canaries_missed = seen == written->canary ? written->canaries_missed + 1 : 0;
	written->canary = seen;
	if (written->canaries_missed == CANARIES_MISSED_MAXIMUM)
		fail("the kernel programs do not see the sensor's own calls any more: they are loaded anew");
	if (written->canaries_missed)
		tell(check, false, "the kernel programs did not see the sensor's own calls");
}

/*
 * Whether all that was put into the ring buffers came out of them here, and once. What was put in while they are read
 * makes up for a few that are missing; those are found at a quieter moment, for the sums are since the start.
 */
static void check_rings(struct check *check)
{
	struct programs *programs = check->programs;
	char what[NAMES_BYTES];
	__u64 sent = 0;

	for (int cpu = 0; cpu < programs->cpus; cpu++)
		sent += programs->counters[cpu].sent;
	if (programs->came_again) {
		snprintf(what, sizeof(what), "somebody else moved a ring buffer's reader back; %llu events came twice",
			 (unsigned long long)programs->came_again);
		programs->came_again = 0;
		tell(check, true, what);
	}
	programs_drain(programs); /* all that the counters speak of, and little more */
	if (!programs->cut_short && programs->taken < sent) {
		snprintf(what, sizeof(what), "somebody else took %llu events out of the ring buffers",
			 (unsigned long long)(sent - programs->taken));
		programs->taken = sent;
		tell(check, false, what);
	}
}

/* The counters were read just before, by the report of drops. */
void programs_check(struct programs *programs,
		    void (*found)(const char *what, bool repaired, const struct bpf_caller *caller, void *context),
		    void *context)
{
	struct check check = {.programs = programs, .found = found, .context = context};
	struct own_maps own = {};
	__u32 zero = 0;

	if (bpf_map_lookup_elem(programs_table(programs, "own_maps_buffer"), &zero, &own) == 0)
		check.caller = own.last;
	check_canary(&check);
	check_rings(&check);
	check_attached(&check);
	check_interest(&check);
	check_ruled_out(&check);
	check_processes(&check);
}
