// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Calls with two names: rename, link and symlink with their kin. */
#include "named_path.h"

static __always_inline int report_two_paths(__u16 type, enum event_index index, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(type, index);
	struct record_two_paths *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_two_paths *)scratch->record;
	record->res = result;
	end = append_two_paths(scratch, sizeof(*record), result, GIVEN(WORKING_DIRECTORY, SYSCALL_ARGUMENT_1(regs)),
			       GIVEN(WORKING_DIRECTORY, SYSCALL_ARGUMENT_2(regs)),
			       (struct two_paths *)&record->oldpath_length);
	send_record(scratch, end, index);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_rename, struct pt_regs *regs, long result)
{
	return report_two_paths(EVENT_RENAME, INDEX_RENAME, regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_link, struct pt_regs *regs, long result)
{
	return report_two_paths(EVENT_LINK, INDEX_LINK, regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_renameat, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_RENAMEAT, INDEX_RENAMEAT);
	struct record_renameat *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_renameat *)scratch->record;
	record->res = result;
	record->olddirfd = (int)SYSCALL_ARGUMENT_1(regs);
	record->newdirfd = (int)SYSCALL_ARGUMENT_3(regs);
	end = append_two_paths(scratch, sizeof(*record), result, GIVEN(record->olddirfd, SYSCALL_ARGUMENT_2(regs)),
			       GIVEN(record->newdirfd, SYSCALL_ARGUMENT_4(regs)),
			       (struct two_paths *)&record->oldpath_length);
	send_record(scratch, end, INDEX_RENAMEAT);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_renameat2, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_RENAMEAT2, INDEX_RENAMEAT2);
	struct record_renameat2 *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_renameat2 *)scratch->record;
	record->res = result;
	record->olddirfd = (int)SYSCALL_ARGUMENT_1(regs);
	record->newdirfd = (int)SYSCALL_ARGUMENT_3(regs);
	record->flags = SYSCALL_ARGUMENT_5(regs);
	end = append_two_paths(scratch, sizeof(*record), result, GIVEN(record->olddirfd, SYSCALL_ARGUMENT_2(regs)),
			       GIVEN(record->newdirfd, SYSCALL_ARGUMENT_4(regs)),
			       (struct two_paths *)&record->oldpath_length);
	send_record(scratch, end, INDEX_RENAMEAT2);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_linkat, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_LINKAT, INDEX_LINKAT);
	struct record_linkat *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_linkat *)scratch->record;
	record->res = result;
	record->olddir = (int)SYSCALL_ARGUMENT_1(regs);
	record->newdir = (int)SYSCALL_ARGUMENT_3(regs);
	record->flags = SYSCALL_ARGUMENT_5(regs) & (LINKAT_FLAG_AT_SYMLINK_FOLLOW | LINKAT_FLAG_AT_EMPTY_PATH);
	end = append_two_paths(scratch, sizeof(*record), result, GIVEN(record->olddir, SYSCALL_ARGUMENT_2(regs)),
			       GIVEN(record->newdir, SYSCALL_ARGUMENT_4(regs)),
			       (struct two_paths *)&record->oldpath_length);
	send_record(scratch, end, INDEX_LINKAT);
	return 0;
}

/* The text that a link holds, then the link's own path. */
static __always_inline __u32 append_link(struct scratch *scratch, __u32 position, long result, const void *target,
					 struct given_name link, __u16 *lengths)
{
	lengths[0] = append_user_string(scratch, position, target);
	position += reread(&lengths[0]);
	return append_named_path(scratch, position, result, link, &lengths[1], &lengths[2]);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_symlink, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_SYMLINK, INDEX_SYMLINK);
	struct record_symlink *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_symlink *)scratch->record;
	record->res = result;
	end = append_link(scratch, sizeof(*record), result, (void *)SYSCALL_ARGUMENT_1(regs),
			  GIVEN(WORKING_DIRECTORY, SYSCALL_ARGUMENT_2(regs)), &record->target_length);
	send_record(scratch, end, INDEX_SYMLINK);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_symlinkat, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_SYMLINKAT, INDEX_SYMLINKAT);
	struct record_symlinkat *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_symlinkat *)scratch->record;
	record->res = result;
	record->linkdirfd = (int)SYSCALL_ARGUMENT_2(regs);
	end = append_link(scratch, sizeof(*record), result, (void *)SYSCALL_ARGUMENT_1(regs),
			  GIVEN(record->linkdirfd, SYSCALL_ARGUMENT_3(regs)), &record->target_length);
	send_record(scratch, end, INDEX_SYMLINKAT);
	return 0;
}
