/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Closing of a file that was open for writing, told when the call begins: when it has ended the file is gone. Every other
 * close ends at the first test of the file.
 */
#pragma once

#include "open_file.h"

#define FMODE_WRITE 0x2 /* the kernel's note in an open file */
#define FILE_TYPE_MASK 0170000
#define FILE_TYPE_REGULAR 0100000

static __always_inline int is_written(struct file *file)
{
	return BPF_CORE_READ(file, f_mode) & FMODE_WRITE &&
	       (BPF_CORE_READ(file, f_inode, i_mode) & FILE_TYPE_MASK) == FILE_TYPE_REGULAR;
}

/* `record_flags`: how the call was made. */
static __always_inline void report_closing(long fd, __u16 record_flags)
{
	struct file *file = file_of_descriptor(bpf_get_current_task_btf(), fd);
	struct record_close *record;
	struct scratch *scratch;
	__u32 end;

	if (!is_written(file))
		return;
	scratch = begin_record(EVENT_CLOSE, INDEX_CLOSE);
	if (!scratch)
		return;
	record = (struct record_close *)scratch->record;
	record->header.flags |= record_flags;
	record->res = 0;
	record->fd = fd;
	end = FILL_FILE(record, scratch, sizeof(*record), file);
	send_record(scratch, end, INDEX_CLOSE);
}
