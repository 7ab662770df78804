// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What each process does, in numbers: for views and baselines, which need no events for that. Loaded and attached when
 * the engine first asks for the numbers, so it costs nothing before.
 */
#include "event.h"

#define COUNTED_PROCESSES 16384
#define COUNTED_CALLS 512 /* as in dispatch.bpf.c */
#define EINPROGRESS 115

/* What a system call counts as; the sensor says which does. */
enum counted { COUNTED_NOT, COUNTED_OPEN, COUNTED_CONNECT, COUNTED_READ, COUNTED_WRITE };

struct process_key {
	__u64 start;
	__u64 pid;
};

struct process_counts {
	__u64 opens, connects, programs, children, bytes_read, bytes_written;
};

/* Those that do something; when it is full the one that was idle for longest is forgotten. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, COUNTED_PROCESSES);
	__type(key, struct process_key);
	__type(value, struct process_counts);
} process_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COUNTED_CALLS);
	__type(key, __u32);
	__type(value, __u8);
} counted_calls SEC(".maps");

static __always_inline struct process_counts *counts_of(struct task_struct *task)
{
	struct process_key key = {.start = READ(task, group_leader, start_boottime), .pid = READ(task, tgid)};
	struct process_counts *counts = bpf_map_lookup_elem(&process_counts, &key);
	struct process_counts none = {};

	if (counts)
		return counts;
	bpf_map_update_elem(&process_counts, &key, &none, BPF_NOEXIST); /* another thread may have been first */
	return bpf_map_lookup_elem(&process_counts, &key);
}

static __always_inline void count_one(__u64 *number)
{
	__sync_fetch_and_add(number, 1);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(count_process_call, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 number = SYSCALL_NUMBER(regs);
	__u8 *counted = bpf_map_lookup_elem(&counted_calls, &number);
	struct process_counts *counts;

	if (!counted || *counted == COUNTED_NOT || IS_COMPAT_SYSCALL(task, number))
		return 0;
	if (result < 0 && !(*counted == COUNTED_CONNECT && result == -EINPROGRESS))
		return 0;
	counts = counts_of(task);
	if (!counts)
		return 0;
	if (*counted == COUNTED_OPEN)
		count_one(&counts->opens);
	else if (*counted == COUNTED_CONNECT)
		count_one(&counts->connects);
	else if (*counted == COUNTED_READ)
		__sync_fetch_and_add(&counts->bytes_read, result);
	else
		__sync_fetch_and_add(&counts->bytes_written, result);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(count_process_exec, struct task_struct *leader, int old_pid, struct linux_binprm *program)
{
	struct process_counts *counts = counts_of(bpf_get_current_task_btf());

	if (counts)
		count_one(&counts->programs);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(count_process_fork, struct task_struct *parent, struct task_struct *child)
{
	struct process_counts *counts;

	if (child->tgid != child->pid) /* a thread */
		return 0;
	counts = counts_of(bpf_get_current_task_btf());
	if (counts)
		count_one(&counts->children);
	return 0;
}
