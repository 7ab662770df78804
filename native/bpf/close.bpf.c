// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Closing of files that were open for writing: the hook is attached only while a rule asks for it. */
#include "closing.h"

#define DESCRIPTORS_LOOKED_AT 16384    /* of one close_range(); more are counted */
#define DESCRIPTORS_BASIC 1024	       /* in the basic tier */
#define KERNEL_CLOSE_RANGE_CLOEXEC 0x4 /* which closes nothing, but at the next exec */

SEC("tp_btf/sys_enter")
int BPF_PROG(handle_close, struct pt_regs *regs, long number)
{
	report_closing((int)SYSCALL_ARGUMENT_1(regs), 0);
	return 0;
}

struct closed_range {
	__u32 first;
};

/* Not static, so that the verifier looks at it once and not in each step of a loop; as append_ends(). */
__noinline int report_descriptor(__u64 fd)
{
	report_closing(fd, 0);
	return 0;
}

STEP int report_one_of_range(__u32 number, struct closed_range *range)
{
	report_descriptor((__u64)range->first + number);
	return 0;
}

/* close_range() means the same as one close() for each of its descriptors. */
SEC("tp_btf/sys_enter")
int BPF_PROG(handle_close_range, struct pt_regs *regs, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 last = SYSCALL_ARGUMENT_2(regs), end = READ(task, files, fdt, max_fds), count;
	struct closed_range range = {.first = SYSCALL_ARGUMENT_1(regs)};

	if ((__u32)SYSCALL_ARGUMENT_3(regs) & KERNEL_CLOSE_RANGE_CLOEXEC || range.first > last || range.first >= end)
		return 0;
	count = (last < end ? last + 1 : end) - range.first;
	LOOP(count < DESCRIPTORS_LOOKED_AT ? count : DESCRIPTORS_LOOKED_AT, DESCRIPTORS_BASIC, report_one_of_range,
	     &range);
	if (count > FOR_TIER(DESCRIPTORS_LOOKED_AT, DESCRIPTORS_BASIC))
		count_drop(INDEX_CLOSE, FOR_TIER(DROP_UNREADABLE, DROP_BASIC_TIER));
	return 0;
}
