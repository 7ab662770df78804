// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Closing of files that were open for writing. When the call has ended its file is gone, so this looks when it begins:
 * the hook is attached only while a rule asks for it, and every other close ends at the first test of the file.
 */
#include "open_file.h"

#define FMODE_WRITE 0x2 /* the kernel's note in an open file */
#define FILE_TYPE_MASK 0170000
#define FILE_TYPE_REGULAR 0100000

SEC("tp_btf/sys_enter")
int BPF_PROG(handle_close, struct pt_regs *regs, long number)
{
	long fd = (int)SYSCALL_ARGUMENT_1(regs);
	struct file *file = file_of_descriptor(bpf_get_current_task_btf(), fd);
	struct record_close *record;
	struct scratch *scratch;
	__u32 end;

	if (!(BPF_CORE_READ(file, f_mode) & FMODE_WRITE) ||
	    (BPF_CORE_READ(file, f_inode, i_mode) & FILE_TYPE_MASK) != FILE_TYPE_REGULAR)
		return 0;
	scratch = begin_record(EVENT_CLOSE, INDEX_CLOSE);
	if (!scratch)
		return 0;
	record = (struct record_close *)scratch->record;
	record->res = 0;
	record->fd = fd;
	end = FILL_FILE(record, scratch, sizeof(*record), file);
	send_record(scratch, end, INDEX_CLOSE);
	return 0;
}
