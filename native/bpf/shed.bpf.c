// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What stands in the dispatch tables in the place of a handler while its calls are left out to save time: the call is
 * counted, and no more. Of opens those that only read can be left out, and the others go on to their handler.
 */
#include "event.h"

#define SYSCALL_MAXIMUM 512 /* as in dispatch.bpf.c */

/* Where a call has its flags, so that one program serves the whole open family. */
enum flags_place {
	FLAGS_IN_ARGUMENT_2 = 2,
	FLAGS_IN_ARGUMENT_3 = 3,
	FLAGS_BEHIND_ARGUMENT_3 = 4, /* in a structure of the caller, at its beginning */
};

struct shed_call {
	__u32 index; /* of the event */
	__u32 flags_place;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SYSCALL_MAXIMUM);
	__type(key, __u32);
	__type(value, struct shed_call);
} shed_calls SEC(".maps");

/* The handlers of the calls of which only a part is left out. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SYSCALL_MAXIMUM);
	__type(key, __u32);
	__type(value, __u32);
} kept_handlers SEC(".maps");

static __always_inline void count_shed(const struct shed_call *call)
{
	__u32 index = call->index;

	barrier_var(index);
	if (index < INDEX_COUNT && !is_own_process(bpf_get_current_task_btf(), index))
		count_drop(index, DROP_SHED);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(count_shed_call, struct pt_regs *regs, long result)
{
	__u32 number = SYSCALL_NUMBER(regs);
	struct shed_call *call = bpf_map_lookup_elem(&shed_calls, &number);

	if (call)
		count_shed(call);
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(count_shed_enter, struct pt_regs *regs, long system_call)
{
	__u32 number = system_call;
	struct shed_call *call = bpf_map_lookup_elem(&shed_calls, &number);

	if (call)
		count_shed(call);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(shed_reading_open, struct pt_regs *regs, long result)
{
	__u32 number = SYSCALL_NUMBER(regs);
	struct shed_call *call = bpf_map_lookup_elem(&shed_calls, &number);
	__u64 flags = 0;

	if (!call)
		return 0;
	if (call->flags_place == FLAGS_IN_ARGUMENT_2)
		flags = SYSCALL_ARGUMENT_2(regs);
	else if (call->flags_place == FLAGS_IN_ARGUMENT_3)
		flags = SYSCALL_ARGUMENT_3(regs);
	else if (bpf_probe_read_user(&flags, sizeof(flags), (void *)SYSCALL_ARGUMENT_3(regs)))
		return 0; /* then the call has failed too */
	if (flags & (KERNEL_O_ACCMODE | KERNEL_O_CREAT | KERNEL_O_TRUNC))
		bpf_tail_call(ctx, &kept_handlers, number);
	else
		count_shed(call);
	return 0;
}
