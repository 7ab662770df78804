// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The processes that run already, one record each, read by the sensor from the iterator's descriptor. */
#include "environment.h"
#include "program.h"

#ifdef BASIC_TIER

/*
 * Another process's memory can not be read here: the sensor takes its arguments from /proc, where the environment is not
 * open to it.
 */
#define ITERATOR "iter/task"

static __always_inline __u32 append_arguments_of(struct scratch *scratch, __u32 position, struct task_struct *task)
{
	return 0;
}

static __always_inline __u32 append_environment_of(struct scratch *scratch, __u32 position, struct task_struct *task)
{
	return 0;
}

#else

/* Sleepable, because another process's arguments may have to be paged in; hence a scratch buffer of its own. */
#define ITERATOR "iter.s/task"

static __always_inline __u32 append_arguments_of(struct scratch *scratch, __u32 position, struct task_struct *task)
{
	struct record_header *header = (struct record_header *)scratch->record;
	unsigned long start = BPF_CORE_READ(task, mm, arg_start);
	unsigned long length = BPF_CORE_READ(task, mm, arg_end) - start;

	if (!start)
		return 0; /* a kernel thread */
	if (length > VALUE_MAXIMUM - 1) {
		length = VALUE_MAXIMUM - 1;
		header->flags |= RECORD_TRUNCATED;
	}
	barrier_var(position);
	position &= SCRATCH_BYTES - 1;
	barrier_var(length);
	length &= VALUE_MAXIMUM - 1;
	if (bpf_copy_from_user_task(&scratch->record[position], length, (void *)start, task, 0)) {
		count_drop(INDEX_PROCESS, DROP_UNREADABLE);
		return 0;
	}
	return length;
}

#define ENVIRONMENT_COPY_BYTES (2 * VALUE_MAXIMUM - 1) /* what is behind is not looked at, and the record says so */

/* Append the variables of a process that runs; what it has written over its environment meanwhile is gone. */
static __always_inline __u32 append_environment_of(struct scratch *scratch, __u32 position, struct task_struct *task)
{
	struct record_header *header = (struct record_header *)scratch->record;
	unsigned long start = BPF_CORE_READ(task, mm, env_start);
	unsigned long length = BPF_CORE_READ(task, mm, env_end) - start;
	struct environment_walk walk = {
		.scratch = scratch,
		.names = get_environment_names(),
		.begin = position,
		.is_copy = 1,
	};

	if (!start || length == 0 || !walk.names || !walk.names->count)
		return 0;
	if (length > ENVIRONMENT_COPY_BYTES) {
		length = ENVIRONMENT_COPY_BYTES;
		header->flags |= RECORD_TRUNCATED;
	}
	barrier_var(length);
	length &= ENVIRONMENT_COPY_BYTES;
	if (bpf_copy_from_user_task(scratch->path, length, (void *)start, task, 0)) {
		count_drop(INDEX_PROCESS, DROP_UNREADABLE);
		return 0;
	}
	scratch->path[length] = 0;
	return append_named_variables(&walk, 0, length);
}

#endif

SEC(ITERATOR)
int list_process(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	struct settings *settings = get_settings();
	struct scratch *scratch;
	struct record_program *record;
	__u32 position = sizeof(*record), end;

	if (!task || !settings || task->pid != task->tgid)
		return 0;
	scratch = bpf_map_lookup_elem(&scratch_buffers, &settings->snapshot_scratch);
	if (!scratch)
		return 0;
	record = (struct record_program *)scratch->record;
	fill_header(&record->header, task, EVENT_PROCESS);
	record->header.sequence = 0;
	record->res = 0;
	fill_identity(record, task);
	record->argv_length = append_arguments_of(scratch, position, task);
	position += reread(&record->argv_length);
	position = append_places(scratch, position, task);
	record->filename_length = 0;
	record->env_length = append_environment_of(scratch, position, task);
	position += reread(&record->env_length);
	record->ancestors_length = append_ancestors(scratch, position, task);
	end = (position + reread(&record->ancestors_length) + 7) & ~7u;
	barrier_var(end);
	end &= SCRATCH_BYTES - 1;
	record->header.length = end;
	bpf_seq_write(context->meta->seq, scratch->record, end);
	return 0;
}
