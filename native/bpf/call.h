/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of a system call that has ended: begun, given what the caller's memory says, and sent. */
#pragma once

#include "event.h"

/* The event's number and its place in the table, which always go together. */
#define NAMED(name) EVENT_##name, INDEX_##name

/* Begin the record of the running thread's call. Returns NULL when it is not to be reported. */
static __always_inline struct scratch *begin_call(__u16 type, enum event_index index)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = get_scratch();

	if (!scratch || is_own_process(task, index))
		return NULL;
	fill_header((struct record_header *)scratch->record, task, type);
	return scratch;
}

/* Append a string of the caller's memory and say in the header that it comes from there, and whether it was cut. */
static __always_inline __u32 append_caller_string(struct scratch *scratch, __u32 position, const void *source)
{
	struct record_header *header = (struct record_header *)scratch->record;
	__u32 length = append_user_string(scratch, position, source);

	header->flags |= RECORD_USER_MEMORY;
	if (length == VALUE_MAXIMUM - 1)
		header->flags |= RECORD_TRUNCATED;
	return length;
}
