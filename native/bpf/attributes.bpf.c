// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Who may do what with a file, and when it was changed: chmod, chown, utimes, setxattr, truncate and their kin. */
#include "named_path.h"
#include "open_file.h"

#define PERMISSION_BITS 07777

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_chmod, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_CHMOD, INDEX_CHMOD);
	struct record_chmod *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_chmod *)scratch->record;
	record->res = result;
	record->mode = SYSCALL_ARGUMENT_2(regs) & PERMISSION_BITS;
	end = append_named_path(scratch, sizeof(*record), result, GIVEN(WORKING_DIRECTORY, SYSCALL_ARGUMENT_1(regs)),
				&record->filename_length, &record->nameraw_length);
	send_record(scratch, end, INDEX_CHMOD);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_fchmodat, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_FCHMODAT, INDEX_FCHMODAT);
	struct record_fchmodat *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_fchmodat *)scratch->record;
	record->res = result;
	record->dirfd = (int)SYSCALL_ARGUMENT_1(regs);
	record->mode = SYSCALL_ARGUMENT_3(regs) & PERMISSION_BITS;
	end = append_named_path(scratch, sizeof(*record), result, GIVEN(record->dirfd, SYSCALL_ARGUMENT_2(regs)),
				&record->filename_length, &record->nameraw_length);
	send_record(scratch, end, INDEX_FCHMODAT);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_fchmodat2, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_FCHMODAT2, INDEX_FCHMODAT2);
	struct record_fchmodat2 *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_fchmodat2 *)scratch->record;
	record->res = result;
	record->dirfd = (int)SYSCALL_ARGUMENT_1(regs);
	record->mode = SYSCALL_ARGUMENT_3(regs) & PERMISSION_BITS;
	record->flags = portable_at_flags(SYSCALL_ARGUMENT_4(regs));
	end = append_named_path(scratch, sizeof(*record), result, GIVEN(record->dirfd, SYSCALL_ARGUMENT_2(regs)),
				&record->filename_length, &record->nameraw_length);
	send_record(scratch, end, INDEX_FCHMODAT2);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_fchmod, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_FCHMOD, INDEX_FCHMOD);
	struct record_fchmod *record;
	long fd = (int)SYSCALL_ARGUMENT_1(regs);
	struct file *file = file_of_descriptor(bpf_get_current_task_btf(), fd);
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_fchmod *)scratch->record;
	record->res = result;
	record->fd = fd;
	record->mode = SYSCALL_ARGUMENT_2(regs) & PERMISSION_BITS;
	end = FILL_FILE(record, scratch, sizeof(*record), file);
	send_record(scratch, end, INDEX_FCHMOD);
	return 0;
}

static __always_inline int report_chown(__u16 type, enum event_index index, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(type, index);
	struct record_chown *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_chown *)scratch->record;
	record->res = result;
	record->uid = SYSCALL_ARGUMENT_2(regs);
	record->gid = SYSCALL_ARGUMENT_3(regs);
	end = append_named_path(scratch, sizeof(*record), result, GIVEN(WORKING_DIRECTORY, SYSCALL_ARGUMENT_1(regs)),
				&record->path_length, &record->nameraw_length);
	send_record(scratch, end, index);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_chown, struct pt_regs *regs, long result)
{
	return report_chown(EVENT_CHOWN, INDEX_CHOWN, regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_lchown, struct pt_regs *regs, long result)
{
	return report_chown(EVENT_LCHOWN, INDEX_LCHOWN, regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_fchownat, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_FCHOWNAT, INDEX_FCHOWNAT);
	struct record_fchownat *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_fchownat *)scratch->record;
	record->res = result;
	record->dirfd = (int)SYSCALL_ARGUMENT_1(regs);
	record->uid = SYSCALL_ARGUMENT_3(regs);
	record->gid = SYSCALL_ARGUMENT_4(regs);
	record->flags = portable_at_flags(SYSCALL_ARGUMENT_5(regs));
	end = append_named_path(scratch, sizeof(*record), result, GIVEN(record->dirfd, SYSCALL_ARGUMENT_2(regs)),
				&record->pathname_length, &record->nameraw_length);
	send_record(scratch, end, INDEX_FCHOWNAT);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_fchown, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_FCHOWN, INDEX_FCHOWN);
	struct record_fchown *record;
	long fd = (int)SYSCALL_ARGUMENT_1(regs);
	struct file *file = file_of_descriptor(bpf_get_current_task_btf(), fd);
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_fchown *)scratch->record;
	record->res = result;
	record->fd = fd;
	record->uid = SYSCALL_ARGUMENT_2(regs);
	record->gid = SYSCALL_ARGUMENT_3(regs);
	end = FILL_FILE(record, scratch, sizeof(*record), file);
	send_record(scratch, end, INDEX_FCHOWN);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_truncate, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_TRUNCATE, INDEX_TRUNCATE);
	struct record_truncate *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_truncate *)scratch->record;
	record->res = result;
	record->length = SYSCALL_ARGUMENT_2(regs);
	end = append_named_path(scratch, sizeof(*record), result, GIVEN(WORKING_DIRECTORY, SYSCALL_ARGUMENT_1(regs)),
				&record->path_length, &record->nameraw_length);
	send_record(scratch, end, INDEX_TRUNCATE);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_ftruncate, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_FTRUNCATE, INDEX_FTRUNCATE);
	struct record_ftruncate *record;
	long fd = (int)SYSCALL_ARGUMENT_1(regs);
	struct file *file = file_of_descriptor(bpf_get_current_task_btf(), fd);
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_ftruncate *)scratch->record;
	record->res = result;
	record->fd = fd;
	record->length = SYSCALL_ARGUMENT_2(regs);
	end = FILL_FILE(record, scratch, sizeof(*record), file);
	send_record(scratch, end, INDEX_FTRUNCATE);
	return 0;
}
