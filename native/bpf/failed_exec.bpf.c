// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Execs that fail. They never reach the hook on execs, and leave nothing in the kernel: what was to be run is read
 * from the caller's memory, and everything else says what the caller is and goes on to be.
 */
#include "call.h"
#include "program.h"

#define ARGUMENT_MAXIMUM FOR_TIER(256, 48)

struct argument_walk {
	struct scratch *scratch;
	const char **arguments; /* in the caller's memory */
	__u32 begin;
	__u32 length;
	__u32 cut;
};

STEP int append_one_argument(__u32 step, struct argument_walk *walk)
{
	const char *argument = NULL;
	__u32 position = walk->begin + walk->length;
	long length;

	if (bpf_probe_read_user(&argument, sizeof(argument), walk->arguments + step) || !argument)
		return 1;
	barrier_var(position);
	position &= SCRATCH_BYTES - 1;
	length = bpf_probe_read_user_str(&walk->scratch->record[position], VALUE_MAXIMUM, argument);
	if (length <= 0)
		return 1;
	walk->length += length;
	walk->cut = walk->length > VALUE_MAXIMUM - 1 || step == ARGUMENT_MAXIMUM - 1;
	return walk->cut;
}

static __always_inline __u32 append_caller_arguments(struct scratch *scratch, __u32 position, const char **arguments)
{
	struct record_header *header = (struct record_header *)scratch->record;
	struct argument_walk walk = {.scratch = scratch, .arguments = arguments, .begin = position};

	LOOP(ARGUMENT_MAXIMUM, ARGUMENT_MAXIMUM, append_one_argument, &walk);
	if (walk.cut)
		header->flags |= RECORD_TRUNCATED;
	return walk.length > VALUE_MAXIMUM - 1 ? VALUE_MAXIMUM - 1 : walk.length;
}

static __always_inline int report_failed_exec(__u16 type, enum event_index index, long result, const void *name,
					      const char **arguments)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct record_program *record;
	__u32 position = sizeof(*record);
	struct scratch *scratch;

	if (result >= 0) /* reported when it was done */
		return 0;
	scratch = begin_record(type, index);
	if (!scratch)
		return 0;
	record = (struct record_program *)scratch->record;
	record->res = result;
	fill_identity(record, task);
	record->argv_length = append_caller_arguments(scratch, position, arguments);
	position += reread(&record->argv_length);
	position = append_places(scratch, position, task);
	record->filename_length = append_caller_string(scratch, position, name);
	position += reread(&record->filename_length);
	record->env_length = 0; /* the caller goes on with its own, which is known */
	record->ancestors_length = append_ancestors(scratch, position, task);
	position += reread(&record->ancestors_length);
	send_record(scratch, position, index);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_failed_execve, struct pt_regs *regs, long result)
{
	return report_failed_exec(NAMED(EXECVE), result, (void *)SYSCALL_ARGUMENT_1(regs),
				  (void *)SYSCALL_ARGUMENT_2(regs));
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_failed_execveat, struct pt_regs *regs, long result)
{
	return report_failed_exec(NAMED(EXECVEAT), result, (void *)SYSCALL_ARGUMENT_2(regs),
				  (void *)SYSCALL_ARGUMENT_3(regs));
}
