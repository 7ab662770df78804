// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Names of files, made, removed and changed: unlink, rename, link, symlink, mkdir, rmdir and mknod with their kin. */
#include "named_path.h"

static __always_inline int report_path(__u16 type, enum event_index index, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(type, index);
	struct record_path *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_path *)scratch->record;
	record->res = result;
	end = append_named_path(scratch, sizeof(*record), result, GIVEN(WORKING_DIRECTORY, SYSCALL_ARGUMENT_1(regs)),
				&record->path_length, &record->nameraw_length);
	send_record(scratch, end, index);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_unlink, struct pt_regs *regs, long result)
{
	return report_path(EVENT_UNLINK, INDEX_UNLINK, regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_rmdir, struct pt_regs *regs, long result)
{
	return report_path(EVENT_RMDIR, INDEX_RMDIR, regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_unlinkat, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_UNLINKAT, INDEX_UNLINKAT);
	struct record_unlinkat *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_unlinkat *)scratch->record;
	record->res = result;
	record->dirfd = (int)SYSCALL_ARGUMENT_1(regs);
	record->flags = SYSCALL_ARGUMENT_3(regs) & UNLINKAT_FLAG_AT_REMOVEDIR;
	end = append_named_path(scratch, sizeof(*record), result, GIVEN(record->dirfd, SYSCALL_ARGUMENT_2(regs)),
				&record->name_length, &record->nameraw_length);
	send_record(scratch, end, INDEX_UNLINKAT);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_mkdir, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_MKDIR, INDEX_MKDIR);
	struct record_mkdir *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_mkdir *)scratch->record;
	record->res = result;
	record->mode = (__u16)SYSCALL_ARGUMENT_2(regs);
	end = append_named_path(scratch, sizeof(*record), result, GIVEN(WORKING_DIRECTORY, SYSCALL_ARGUMENT_1(regs)),
				&record->path_length, &record->nameraw_length);
	send_record(scratch, end, INDEX_MKDIR);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_mkdirat, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_MKDIRAT, INDEX_MKDIRAT);
	struct record_mkdirat *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_mkdirat *)scratch->record;
	record->res = result;
	record->dirfd = (int)SYSCALL_ARGUMENT_1(regs);
	record->mode = (__u16)SYSCALL_ARGUMENT_3(regs);
	end = append_named_path(scratch, sizeof(*record), result, GIVEN(record->dirfd, SYSCALL_ARGUMENT_2(regs)),
				&record->path_length, &record->nameraw_length);
	send_record(scratch, end, INDEX_MKDIRAT);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_mknod, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_MKNOD, INDEX_MKNOD);
	struct record_mknod *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_mknod *)scratch->record;
	record->res = result;
	record->mode = (__u16)SYSCALL_ARGUMENT_2(regs);
	record->dev = SYSCALL_ARGUMENT_3(regs);
	end = append_named_path(scratch, sizeof(*record), result, GIVEN(WORKING_DIRECTORY, SYSCALL_ARGUMENT_1(regs)),
				&record->path_length, &record->nameraw_length);
	send_record(scratch, end, INDEX_MKNOD);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_mknodat, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_MKNODAT, INDEX_MKNODAT);
	struct record_mknodat *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_mknodat *)scratch->record;
	record->res = result;
	record->dirfd = (int)SYSCALL_ARGUMENT_1(regs);
	record->mode = (__u16)SYSCALL_ARGUMENT_3(regs);
	record->dev = SYSCALL_ARGUMENT_4(regs);
	end = append_named_path(scratch, sizeof(*record), result, GIVEN(record->dirfd, SYSCALL_ARGUMENT_2(regs)),
				&record->path_length, &record->nameraw_length);
	send_record(scratch, end, INDEX_MKNODAT);
	return 0;
}
