/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the record of a system call that has ended says of the caller's memory. */
#pragma once

#include "event.h"

/* The event's number and its place in the table, which always go together. */
#define NAMED(name) EVENT_##name, INDEX_##name

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
