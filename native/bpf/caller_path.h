/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A path as the caller wrote it, for calls that leave no kernel object behind: made absolute, and marked as such. */
#pragma once

#include "call.h"
#include "path.h"

/* Append the caller's path; a relative one behind the working directory, which is the kernel's. */
static __always_inline __u32 append_caller_path(struct scratch *scratch, __u32 position, struct task_struct *task,
						const void *name)
{
	struct record_header *header = (struct record_header *)scratch->record;
	__u32 length = 0;
	char first = 0;

	bpf_probe_read_user(&first, sizeof(first), name);
	header->flags |= RECORD_USER_MEMORY;
	if (first == 0) /* empty or unreadable: it names nothing */
		return 0;
	if (first != '/') {
		length = append_path(scratch, position, working_directory(task), task);
		if (length > 1) /* not the root directory, which ends in a slash */
			length += append_kernel(scratch, position + length, "/", 1);
	}
	return length + append_caller_string(scratch, position + length, name);
}
