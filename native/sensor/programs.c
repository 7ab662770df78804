// SPDX-License-Identifier: Apache-2.0
/* The kernel programs: loaded, given their buffers, attached; those that are not always needed are in interest.c. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "programs.h"

#define RING_BYTES_TOGETHER (32u << 20)
#define RING_BYTES_MAXIMUM (4u << 20)
#define RING_BYTES_MINIMUM (256u << 10)
#define SEQUENCE_SLACK 64 /* records of one CPU whose order may be another than that of their numbers */

static char last_warning[512];

static int remember_warning(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (getenv("HULLWATCH_DEBUG") && level != LIBBPF_DEBUG)
		return vfprintf(stderr, format, arguments);
	if (level == LIBBPF_WARN && !last_warning[0])
		vsnprintf(last_warning, sizeof(last_warning), format, arguments);
	last_warning[strcspn(last_warning, "\n")] = 0;
	return 0;
}

/* The hierarchy of the version 1 memory controller, 0 when it is in the unified one. */
static __u32 memory_hierarchy(void)
{
	FILE *file = fopen("/proc/cgroups", "re");
	char line[256];
	unsigned int hierarchy = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "memory %u", &hierarchy) == 1)
			break;
	if (file)
		fclose(file);
	return hierarchy;
}

/* The number of our own mount namespace, which is the host's; 0 when it can not be read. */
static __u32 own_mounts(void)
{
	char text[64] = {0};
	unsigned int number = 0;

	if (readlink("/proc/self/ns/mnt", text, sizeof(text) - 1) > 0)
		sscanf(text, "mnt:[%u]", &number);
	return number;
}

static __u32 choose_ring_bytes(const struct options *options, int cpus)
{
	__u32 bytes = RING_BYTES_MAXIMUM;

	if (options->ring_bytes)
		return options->ring_bytes;
	while (bytes > RING_BYTES_MINIMUM && bytes > RING_BYTES_TOGETHER / cpus)
		bytes /= 2;
	return bytes;
}

/* What the records of a ring are taken with: the programs, and the queue that they go to. */
struct ring_context {
	struct programs *programs;
	struct queue *queue;
	__u32 sequence; /* of the last record */
	bool begun;
};

/* A negative answer ends the drain of this ring; the record itself was taken. */
static int take_record(void *context, void *data, size_t size)
{
	struct ring_context *ring = context;
	const struct record_header *header = data;

	/* Somebody has moved the reader's position: back, or into the midst of a record. */
	if (size < sizeof(*header) || header->length != size ||
	    (ring->begun && (__s32)(header->sequence - ring->sequence) <= -SEQUENCE_SLACK)) {
		ring->programs->came_again++;
		return 0;
	}
	ring->begun = true;
	ring->sequence = header->sequence;
	ring->programs->taken++;
	if (queue_push(ring->queue, data, size))
		return 0;
	ring->programs->cut_short = true;
	return -ENOBUFS;
}

static void make_rings(struct programs *programs, const struct options *options, struct queue *queues)
{
	__u32 bytes = choose_ring_bytes(options, programs->cpus);
	int rings = programs_table(programs, "rings");
	struct ring_context *contexts = calloc(programs->cpus, sizeof(*contexts));

	if (!contexts)
		fail("there is no memory");
	for (int cpu = 0; cpu < programs->cpus; cpu++) {
		int ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "hullwatch_ring", 0, 0, bytes, NULL);

		if (ring < 0 || bpf_map_update_elem(rings, &cpu, &ring, BPF_ANY))
			fail("the ring buffer of CPU %d (%u bytes) can not be made: %s", cpu, bytes, strerror(errno));
		queues[cpu].limit =
			bytes; /* what waits is bounded like the ring buffers, however many CPUs there are */
		contexts[cpu] = (struct ring_context){.programs = programs, .queue = &queues[cpu]};
		if (!programs->rings)
			programs->rings = ring_buffer__new(ring, take_record, &contexts[cpu], NULL);
		else if (ring_buffer__add(programs->rings, ring, take_record, &contexts[cpu]))
			programs->rings = NULL;
		if (!programs->rings)
			fail("the ring buffer of CPU %d can not be read: %s", cpu, strerror(errno));
	}
}

void programs_store_settings(struct programs *programs)
{
	__u32 zero = 0;

	if (bpf_map_update_elem(programs_table(programs, "settings_buffer"), &zero, &programs->settings, BPF_ANY))
		fail("the settings can not be written into the kernel: %s", strerror(errno));
}

void *programs_map_memory(struct programs *programs, const char *table, size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, programs_table(programs, table), 0);

	if (memory == MAP_FAILED)
		fail("the table %s can not be mapped: %s", table, strerror(errno));
	return memory;
}

static void map_ruled_out(struct programs *programs)
{
	programs->ruled_out = programs_map_memory(programs, "ruled_out", RULED_OUT_ENTRIES * sizeof(__u64));
	programs->remembering = programs_map_memory(programs, "remembering_buffer", sizeof(*programs->remembering));
	programs->written.ruled_out = calloc(RULED_OUT_ENTRIES, sizeof(__u64));
	if (!programs->written.ruled_out)
		fail("there is no memory");
	programs_new_secret(programs);
}

/* With another secret all fingerprints of before fit no call any more. */
void programs_new_secret(struct programs *programs)
{
	__u64 secret;

	if (getrandom(&secret, sizeof(secret), 0) != sizeof(secret))
		fail("there are no random numbers: %s", strerror(errno));
	__atomic_store_n(&programs->remembering->secret, secret, __ATOMIC_RELAXED);
	programs->written.secret = secret;
}

static void write_settings(struct programs *programs, const struct options *options)
{
	programs->settings.memory_hierarchy = memory_hierarchy();
	programs->settings.snapshot_scratch = programs->cpus;
	programs->settings.host_mounts = own_mounts();
	memcpy(programs->settings.own_processes, options->own_processes, sizeof(options->own_processes));
	programs_store_settings(programs);
}

/* Handlers are called through the dispatch table, not attached; so nothing is attached by itself. */
static void prepare(struct programs *programs, struct bpf_object *object)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
	{
		bpf_program__set_autoattach(program, false);
		if (loading_is_refused(programs, bpf_program__name(program)))
			bpf_program__set_autoload(program, false);
	}
	hooks_leave_out_missing(object);
	process_counts_leave_out_tables(object);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "rings"), programs->cpus);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "scratch_buffers"), programs->cpus + 1);
}

/* The kernel programs, opened and not loaded. */
struct bpf_object *programs_open(struct programs *programs)
{
	struct bpf_object *object = tier_open(programs->tier);

	if (!object)
		fail("the kernel programs can not be opened: %s", strerror(errno));
	prepare(programs, object);
	return object;
}

enum tiers programs_tier(const struct programs *programs)
{
	return programs->tier;
}

__u32 programs_lacks(const struct programs *programs)
{
	return programs->lacks;
}

int programs_table(struct programs *programs, const char *name)
{
	return bpf_map__fd(bpf_object__find_map_by_name(programs->always, name));
}

void programs_forget_warning(void)
{
	last_warning[0] = 0;
}

void programs_fail_to_load(int error)
{
	fail("the kernel refuses the programs (%s; %s): 'hullwatch doctor' tells what is missing", strerror(-error),
	     last_warning[0] ? last_warning : "no reason given");
}

/* All but those that are loaded when they are needed. */
static int choose_always(struct programs *programs, struct bpf_object *object, const void *context)
{
	struct bpf_program *program;
	int chosen = 0;

	(void)programs;
	(void)context;
	bpf_object__for_each_program(program, object)
	{
		if (interest_is_on_demand(bpf_program__name(program)))
			bpf_program__set_autoload(program, false);
		chosen += bpf_program__autoload(program);
	}
	return chosen;
}

struct programs *programs_load(const struct options *options, struct queue *queues, int cpus)
{
	struct programs *programs = calloc(1, sizeof(*programs));

	libbpf_set_print(remember_warning);
	if (!programs)
		fail("there is no memory");
	programs->cpus = cpus;
	programs->counters = calloc(cpus, (sizeof(*programs->counters) + 7) & ~7ul);
	if (!programs->counters)
		fail("there is no memory");
	programs->tier = options->tier < 0 ? tier_of_kernel() : (enum tiers)options->tier;
	programs->lacks = hooks_lacking(programs->tier);
	programs->always = loading_load(programs, &(struct choice){.choose = choose_always});
	make_rings(programs, options, queues);
	write_settings(programs, options);
	map_ruled_out(programs);
	process_interest_map(programs);
	programs_protect(programs);
	return programs;
}

/* The number by which the kernel knows a link; 0 when the link is gone. */
__u32 programs_link_id(const struct bpf_link *link)
{
	struct bpf_link_info info = {};
	__u32 length = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_link__fd(link), &info, &length) ? 0 : info.id;
}

static struct bpf_program *find_program(struct programs *programs, const char *name)
{
	return bpf_object__find_program_by_name(programs->always, name);
}

static struct bpf_link *attach(struct bpf_program *program)
{
	struct bpf_link *link = bpf_program__attach(program);

	if (!link)
		fail("the kernel program %s can not be attached: %s", bpf_program__name(program), strerror(errno));
	return link;
}

void programs_attach_one(struct programs *programs, struct bpf_program *program)
{
	struct attached *attached = &programs->attached[programs->attached_count];

	if (programs->attached_count == ATTACHED_MAXIMUM)
		fail("more programs are to be attached than there are places for");
	attached->program = program;
	attached->link = attach(program);
	attached->link_id = programs_link_id(attached->link);
	programs->attached_count++;
}

void programs_attach(struct programs *programs)
{
	static const char *const attached[] = {
		"handle_exec",	       "handle_fork",	      "handle_exit",
		"handle_cgroup_mkdir", "handle_cgroup_rmdir", "dispatch_system_call",
	};
	struct bpf_program *program;

	programs->snapshot = attach(find_program(programs, "list_process"));
	own_processes_translate(programs);
	for (size_t i = 0; i < sizeof(attached) / sizeof(*attached); i++)
		programs_attach_one(programs, find_program(programs, attached[i]));
	bpf_object__for_each_program(program, programs->always)
	{
		if (hooks_is_optional(bpf_program__name(program)) && bpf_program__autoload(program))
			programs_attach_one(programs, program);
	}
}

/* Calls with these fingerprints are not sent again, until their places are taken by others. */
void programs_rule_out(struct programs *programs, const __u64 *fingerprints, size_t count)
{
	for (size_t one = 0; one < count; one++) {
		size_t place = fingerprints[one] & (RULED_OUT_ENTRIES - 1);

		__atomic_store_n(&programs->ruled_out[place], fingerprints[one], __ATOMIC_RELAXED);
		programs->written.ruled_out[place] = fingerprints[one];
	}
}

/* The first call begins the remembering. */
void programs_forget(struct programs *programs, bool calls_only)
{
	if (!calls_only)
		__atomic_fetch_add(&programs->remembering->rules, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&programs->remembering->generation, 1, __ATOMIC_RELAXED);
}

void programs_drain(struct programs *programs)
{
	programs->cut_short = false;
	ring_buffer__consume(programs->rings);
}

void programs_count_drops(struct programs *programs, __u64 drops[INDEX_COUNT][DROP_REASON_COUNT])
{
	__u32 zero = 0;

	memset(drops, 0, sizeof(__u64) * INDEX_COUNT * DROP_REASON_COUNT);
	if (bpf_map_lookup_elem(programs_table(programs, "counter_buffers"), &zero, programs->counters))
		return;
	for (int cpu = 0; cpu < programs->cpus; cpu++)
		for (int event = 0; event < INDEX_COUNT; event++)
			for (int reason = 0; reason < DROP_REASON_COUNT; reason++)
				drops[event][reason] += programs->counters[cpu].dropped[event][reason];
	drops[INDEX_UNKNOWN][DROP_TOO_LATE] = queues_late();
	drops[INDEX_BPF][DROP_OWN_PROCESS] = 0; /* check.c's looks at the tables, and nobody else's */
	drops[INDEX_PROCESS][DROP_UNREADABLE] += programs->unread_arguments;
}

void programs_unload(struct programs *programs)
{
	bpf_link__destroy(programs->snapshot);
	interest_unload(programs);
	bpf_object__close(programs->counting);
	ring_buffer__free(programs->rings);
	bpf_object__close(programs->always);
	free(programs->counters);
	free(programs);
}
