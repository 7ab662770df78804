// SPDX-License-Identifier: Apache-2.0
/* What each process does, in numbers: bpf/process_counts.bpf.c is loaded when they are first asked for. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "programs.h"

#define TABLE "process_counts"
#define CALLS_TABLE "counted_calls"
#define READ_TOGETHER 512 /* processes */

/* As in process_counts.bpf.c. */
enum counted { COUNTED_NOT, COUNTED_OPEN, COUNTED_CONNECT, COUNTED_READ, COUNTED_WRITE };

static const struct counted_call {
	int syscall;
	__u8 counted;
} counted_calls[] = {
#ifdef SYS_open
	{SYS_open, COUNTED_OPEN},     {SYS_creat, COUNTED_OPEN},
#endif
	{SYS_openat, COUNTED_OPEN},   {SYS_openat2, COUNTED_OPEN},   {SYS_connect, COUNTED_CONNECT},
	{SYS_read, COUNTED_READ},     {SYS_pread64, COUNTED_READ},   {SYS_readv, COUNTED_READ},
	{SYS_preadv, COUNTED_READ},   {SYS_recvfrom, COUNTED_READ},  {SYS_recvmsg, COUNTED_READ},
	{SYS_write, COUNTED_WRITE},   {SYS_pwrite64, COUNTED_WRITE}, {SYS_writev, COUNTED_WRITE},
	{SYS_pwritev, COUNTED_WRITE}, {SYS_sendto, COUNTED_WRITE},   {SYS_sendmsg, COUNTED_WRITE},
};

static const char *const programs_that_count[] = {"count_process_call", "count_process_exec", "count_process_fork"};

struct process_key {
	__u64 start;
	__u64 pid;
};

struct process_counts {
	__u64 opens, connects, programs, children, bytes_read, bytes_written;
};

bool process_counts_has_program(const char *program)
{
	for (size_t i = 0; i < sizeof(programs_that_count) / sizeof(*programs_that_count); i++)
		if (!strcmp(programs_that_count[i], program))
			return true;
	return false;
}

/* Its tables are made when they are needed. */
void process_counts_leave_out_tables(struct bpf_object *object)
{
	bpf_map__set_autocreate(bpf_object__find_map_by_name(object, TABLE), false);
	bpf_map__set_autocreate(bpf_object__find_map_by_name(object, CALLS_TABLE), false);
}

static void attach(struct programs *programs)
{
	for (size_t i = 0; i < sizeof(programs_that_count) / sizeof(*programs_that_count); i++)
		programs_attach_one(programs,
				    bpf_object__find_program_by_name(programs->counting, programs_that_count[i]));
}

static void begin(struct programs *programs)
{
	struct bpf_object *object = programs_open(programs);
	struct bpf_program *program;
	int error, calls;

	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, process_counts_has_program(bpf_program__name(program)));
	programs_share_tables(programs, object);
	bpf_map__set_autocreate(bpf_object__find_map_by_name(object, TABLE), true);
	bpf_map__set_autocreate(bpf_object__find_map_by_name(object, CALLS_TABLE), true);
	error = bpf_object__load(object);
	if (error)
		programs_fail_to_load(error);
	calls = bpf_map__fd(bpf_object__find_map_by_name(object, CALLS_TABLE));
	for (size_t i = 0; i < sizeof(counted_calls) / sizeof(*counted_calls); i++)
		if (bpf_map_update_elem(calls, &counted_calls[i].syscall, &counted_calls[i].counted, BPF_ANY))
			fail("what is to be counted can not be written into the kernel: %s", strerror(errno));
	programs->counting = object;
	if (!programs->counting_paused)
		attach(programs);
}

static void detach(struct programs *programs)
{
	int kept = 0;

	for (int i = 0; i < programs->attached_count; i++) {
		struct attached *attached = &programs->attached[i];

		if (process_counts_has_program(bpf_program__name(attached->program)))
			bpf_link__destroy(attached->link);
		else
			programs->attached[kept++] = *attached;
	}
	programs->attached_count = kept;
}

/* To save time: a hook costs each call that passes it something. What was counted until then is kept. */
void programs_pause_counting(struct programs *programs, bool paused)
{
	if (paused == programs->counting_paused)
		return;
	programs->counting_paused = paused;
	if (!programs->counting)
		return;
	if (paused)
		detach(programs);
	else
		attach(programs);
}

static void push(struct queue *queue, const struct process_key *key, const struct process_counts *counts)
{
	struct record_process_counts record = {
		.header = {.length = sizeof(record),
			   .type = EVENT_PROCESS_COUNTS,
			   .time = boot_time(),
			   .process_start = key->start,
			   .pid = key->pid},
		.opens = counts->opens,
		.connects = counts->connects,
		.programs = counts->programs,
		.children = counts->children,
		.bytes_read = counts->bytes_read,
		.bytes_written = counts->bytes_written,
	};

	queue_push(queue, &record, sizeof(record));
}

static void list(struct programs *programs, struct queue *queue)
{
	static struct process_key keys[READ_TOGETHER];
	static struct process_counts counts[READ_TOGETHER];
	int table = bpf_map__fd(bpf_object__find_map_by_name(programs->counting, TABLE)), error = 0;
	__u32 position, number;
	void *before = NULL;

	while (!error) {
		number = READ_TOGETHER;
		error = bpf_map_lookup_batch(table, before, &position, keys, counts, &number, NULL);
		if (error && error != -ENOENT) /* which says that these were the last */
			fail("the counts of processes can not be read: %s", strerror(-error));
		for (__u32 i = 0; i < number; i++)
			push(queue, &keys[i], &counts[i]);
		before = &position;
	}
}

/* The first call begins the counting; each later one lists what was counted since. */
void programs_count_processes(struct programs *programs, struct queue *queue)
{
	if (programs->counting)
		list(programs, queue);
	else
		begin(programs);
}
