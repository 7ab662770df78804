// SPDX-License-Identifier: Apache-2.0
/* The kernel programs: loaded, given their buffers, attached, and told what is of interest. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handlers.h"
#include "sensor.h"
#include "sensor_programs.skel.h"

#define RING_BYTES_TOGETHER (32u << 20)
#define RING_BYTES_MAXIMUM (4u << 20)
#define RING_BYTES_MINIMUM (256u << 10)
#define SNAPSHOT_READ_BYTES (128 * 1024)

/* As in event.h, which only BPF programs can include. */
struct settings {
	__u32 own_processes[OWN_PROCESS_LIMIT];
	__u32 memory_hierarchy;
	__u32 snapshot_scratch;
	__u32 io_uring_openat;
	__u32 io_uring_openat2;
};

struct counters {
	__u64 sent;
	__u32 sequence;
	__u64 dropped[INDEX_COUNT][DROP_REASON_COUNT];
};

struct programs {
	struct sensor_programs *skeleton;
	struct ring_buffer *rings;
	struct bpf_link *snapshot;
	struct bpf_link *io_uring_opens; /* NULL while nobody asks for them */
	struct settings settings;
	int cpus;
	struct counters *counters; /* one for each CPU, to read them into */
};

/* Programs for hooks that not every kernel has. */
static const struct optional {
	const char *type; /* that stands for the hook in the kernel's type information */
	const char *program;
	bool on_demand;
} optional[] = {
	{"btf_trace_sched_prepare_exec", "note_execveat", false},
	{"btf_trace_io_uring_submit_req", "count_io_uring", false},
	{"btf_trace_io_uring_submit_req", "handle_io_uring_open", true},
	{"btf_trace_io_uring_submit_sqe", "count_io_uring_before_6_4", false},
};

static char last_warning[512];

static int remember_warning(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (getenv("HULLWATCH_DEBUG"))
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

static __u32 choose_ring_bytes(const struct options *options, int cpus)
{
	__u32 bytes = RING_BYTES_MAXIMUM;

	if (options->ring_bytes)
		return options->ring_bytes;
	while (bytes > RING_BYTES_MINIMUM && bytes > RING_BYTES_TOGETHER / cpus)
		bytes /= 2;
	return bytes;
}

/* A negative answer ends the drain of this ring; the record itself was taken. */
static int take_record(void *context, void *data, size_t size)
{
	return queue_push(context, data, size) ? 0 : -ENOBUFS;
}

static void make_rings(struct programs *programs, const struct options *options, struct queue *queues)
{
	__u32 bytes = choose_ring_bytes(options, programs->cpus);
	int rings = bpf_map__fd(programs->skeleton->maps.rings);

	for (int cpu = 0; cpu < programs->cpus; cpu++) {
		int ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "hullwatch_ring", 0, 0, bytes, NULL);

		if (ring < 0 || bpf_map_update_elem(rings, &cpu, &ring, BPF_ANY))
			fail("the ring buffer of CPU %d (%u bytes) can not be made: %s", cpu, bytes, strerror(errno));
		if (!programs->rings)
			programs->rings = ring_buffer__new(ring, take_record, &queues[cpu], NULL);
		else if (ring_buffer__add(programs->rings, ring, take_record, &queues[cpu]))
			programs->rings = NULL;
		if (!programs->rings)
			fail("the ring buffer of CPU %d can not be read: %s", cpu, strerror(errno));
	}
}

static void store_settings(struct programs *programs)
{
	__u32 zero = 0;

	if (bpf_map_update_elem(bpf_map__fd(programs->skeleton->maps.settings_buffer), &zero, &programs->settings,
				BPF_ANY))
		fail("the settings can not be written into the kernel: %s", strerror(errno));
}

static void write_settings(struct programs *programs, const struct options *options)
{
	programs->settings.memory_hierarchy = memory_hierarchy();
	programs->settings.snapshot_scratch = programs->cpus;
	memcpy(programs->settings.own_processes, options->own_processes, sizeof(options->own_processes));
	store_settings(programs);
}

/* A program for a hook that this kernel has not would keep all others from being loaded. */
static void leave_out_missing_hooks(struct sensor_programs *skeleton)
{
	struct btf *types = btf__load_vmlinux_btf();

	for (size_t i = 0; i < sizeof(optional) / sizeof(*optional); i++)
		if (btf__find_by_name_kind(types, optional[i].type, BTF_KIND_TYPEDEF) < 0)
			bpf_program__set_autoload(bpf_object__find_program_by_name(skeleton->obj, optional[i].program),
						  false);
	btf__free(types);
}

/* Handlers are called through the dispatch table, not attached; so nothing is attached by itself. */
static void prepare(struct sensor_programs *skeleton, int cpus)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, skeleton->obj) bpf_program__set_autoattach(program, false);
	leave_out_missing_hooks(skeleton);
	bpf_map__set_max_entries(skeleton->maps.rings, cpus);
	bpf_map__set_max_entries(skeleton->maps.scratch_buffers, cpus + 1);
}

struct programs *programs_load(const struct options *options, struct queue *queues, int cpus)
{
	struct programs *programs = calloc(1, sizeof(*programs));
	int error;

	libbpf_set_print(remember_warning);
	if (!programs)
		fail("there is no memory");
	programs->cpus = cpus;
	programs->counters = calloc(cpus, (sizeof(*programs->counters) + 7) & ~7ul);
	programs->skeleton = sensor_programs__open();
	if (!programs->skeleton || !programs->counters)
		fail("the kernel programs can not be opened: %s", strerror(errno));
	prepare(programs->skeleton, cpus);
	error = sensor_programs__load(programs->skeleton);
	if (error)
		fail("the kernel refuses the programs (%s; %s): 'hullwatch doctor' tells what is missing",
		     strerror(-error), last_warning[0] ? last_warning : "no reason given");
	make_rings(programs, options, queues);
	write_settings(programs, options);
	return programs;
}

void programs_attach(struct programs *programs)
{
	struct sensor_programs *skeleton = programs->skeleton;
	struct bpf_program *attached[] = {
		skeleton->progs.handle_exec,	     skeleton->progs.handle_fork,
		skeleton->progs.handle_exit,	     skeleton->progs.handle_cgroup_mkdir,
		skeleton->progs.handle_cgroup_rmdir, skeleton->progs.dispatch_system_call,
	};

	for (size_t i = 0; i < sizeof(attached) / sizeof(*attached); i++)
		if (!bpf_program__attach(attached[i]))
			fail("the kernel program %s can not be attached: %s", bpf_program__name(attached[i]),
			     strerror(errno));
	for (size_t i = 0; i < sizeof(optional) / sizeof(*optional); i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(skeleton->obj, optional[i].program);

		if (!optional[i].on_demand && bpf_program__autoload(program) && !bpf_program__attach(program))
			fail("the kernel program %s can not be attached: %s", optional[i].program, strerror(errno));
	}
	programs->snapshot = bpf_program__attach(skeleton->progs.list_process);
	if (!programs->snapshot)
		fail("the list of running processes can not be read from the kernel: %s", strerror(errno));
}

static bool is_wanted(__u16 event, const __u16 *types, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (types[i] == event)
			return true;
	return false;
}

/* Completions of io_uring are looked at only while a rule asks for opens. */
static void switch_io_uring_opens(struct programs *programs, bool openat, bool openat2)
{
	struct bpf_program *program = programs->skeleton->progs.handle_io_uring_open;

	programs->settings.io_uring_openat = openat;
	programs->settings.io_uring_openat2 = openat2;
	store_settings(programs);
	if (!openat && !openat2) {
		bpf_link__destroy(programs->io_uring_opens);
		programs->io_uring_opens = NULL;
	} else if (!programs->io_uring_opens && bpf_program__autoload(program)) {
		programs->io_uring_opens = bpf_program__attach(program);
		if (!programs->io_uring_opens)
			fail("the kernel program handle_io_uring_open can not be attached: %s", strerror(errno));
	}
}

void programs_set_interest(struct programs *programs, const __u16 *types, size_t count)
{
	int table = bpf_map__fd(programs->skeleton->maps.syscall_handlers);

	for (size_t i = 0; i < sizeof(handlers) / sizeof(*handlers); i++) {
		const struct handler *handler = &handlers[i];
		struct bpf_program *program =
			bpf_object__find_program_by_name(programs->skeleton->obj, handler->program);
		int descriptor = bpf_program__fd(program);

		if (!is_wanted(handler->event, types, count))
			bpf_map_delete_elem(table, &handler->syscall); /* absent already is as good */
		else if (bpf_map_update_elem(table, &handler->syscall, &descriptor, BPF_ANY))
			fail("the program %s can not be switched on: %s", handler->program, strerror(errno));
	}
	switch_io_uring_opens(programs, is_wanted(EVENT_OPENAT, types, count), is_wanted(EVENT_OPENAT2, types, count));
}

void programs_drain(struct programs *programs)
{
	ring_buffer__consume(programs->rings);
}

/* List the running processes into the queue. */
void programs_snapshot(struct programs *programs, struct queue *queue)
{
	struct record_snapshot_end end = {.started = boot_time()};
	int iterator = bpf_iter_create(bpf_link__fd(programs->snapshot));
	static __u8 buffer[SNAPSHOT_READ_BYTES];
	size_t length = 0;
	ssize_t got;

	if (iterator < 0)
		fail("the list of running processes can not be started: %s", strerror(errno));
	while ((got = read(iterator, buffer + length, sizeof(buffer) - length)) != 0) {
		size_t position = 0;

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got < 0)
			fail("the list of running processes can not be read: %s", strerror(errno));
		length += got;
		while (length - position >= sizeof(struct record_header)) {
			const struct record_header *header = (const void *)(buffer + position);

			if (header->length > length - position)
				break;
			queue_push(queue, header, header->length);
			position += header->length;
			end.processes++;
		}
		length -= position;
		memmove(buffer, buffer + position, length);
	}
	close(iterator);
	end.header.length = sizeof(end);
	end.header.type = EVENT_SNAPSHOT_END;
	end.header.time = boot_time();
	queue_push(queue, &end, sizeof(end));
}

void programs_count_drops(struct programs *programs, __u64 drops[INDEX_COUNT][DROP_REASON_COUNT])
{
	__u32 zero = 0;

	memset(drops, 0, sizeof(__u64) * INDEX_COUNT * DROP_REASON_COUNT);
	if (bpf_map_lookup_elem(bpf_map__fd(programs->skeleton->maps.counter_buffers), &zero, programs->counters))
		return;
	for (int cpu = 0; cpu < programs->cpus; cpu++)
		for (int event = 0; event < INDEX_COUNT; event++)
			for (int reason = 0; reason < DROP_REASON_COUNT; reason++)
				drops[event][reason] += programs->counters[cpu].dropped[event][reason];
	drops[INDEX_UNKNOWN][DROP_TOO_LATE] = queues_late();
}

void programs_unload(struct programs *programs)
{
	bpf_link__destroy(programs->snapshot);
	bpf_link__destroy(programs->io_uring_opens);
	ring_buffer__free(programs->rings);
	sensor_programs__destroy(programs->skeleton);
	free(programs->counters);
	free(programs);
}
