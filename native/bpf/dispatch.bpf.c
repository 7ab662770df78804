// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One hook on the end of every system call, which costs a system call that nobody asks for a few nanoseconds: the
 * sensor puts a handler into the table for each call that the rules need, and the others find an empty place. A second
 * hook, on the beginning, is attached only while one of the few calls that have to be looked at there is asked for.
 */
#include "event.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SYSCALL_MAXIMUM 512 /* above the highest number of both processors */

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SYSCALL_MAXIMUM);
	__type(key, __u32);
	__type(value, __u32);
} syscall_handlers SEC(".maps");

/* By the number of a call: the index of its event and 1, if no rule can match such a call that has failed; 0 else. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SYSCALL_MAXIMUM);
	__type(key, __u32);
	__type(value, __u64);
} failures_left_out SEC(".maps");

static __always_inline int is_left_out(struct task_struct *task, __u32 number)
{
	__u64 *mark = bpf_map_lookup_elem(&failures_left_out, &number);
	__u64 index;

	index = mark ? *mark : 0;
	if (!index)
		return 0;
	index--;
	barrier_var(index);
	if (index < INDEX_COUNT && !is_own_process(task, index))
		count_drop(index, DROP_RULED_OUT);
	return 1;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(dispatch_system_call, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	long number = SYSCALL_NUMBER(regs);

	if (IS_COMPAT_SYSCALL(task, number)) {
		count_drop(INDEX_UNKNOWN, DROP_COMPAT_SYSCALL);
		return 0;
	}
	if (result < 0 && is_left_out(task, number))
		return 0;
	/* The busiest call that has a handler: with a number that is known here the kernel makes it a plain jump. */
	if (number == NUMBER_OPENAT)
		bpf_tail_call_static(ctx, &syscall_handlers, NUMBER_OPENAT);
	else
		bpf_tail_call(ctx, &syscall_handlers, number);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SYSCALL_MAXIMUM);
	__type(key, __u32);
	__type(value, __u32);
} enter_handlers SEC(".maps");

/* Calls of 32-bit programs are counted where they end. */
SEC("tp_btf/sys_enter")
int BPF_PROG(dispatch_system_call_enter, struct pt_regs *regs, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!IS_COMPAT_SYSCALL(task, number))
		bpf_tail_call(ctx, &enter_handlers, number);
	return 0;
}
