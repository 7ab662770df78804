// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Mounts: mount and umount2. */
#include "named_path.h"

#define MOUNT_MAGIC 0xc0ed0000 /* old programs put it into the flags; the kernel takes it out */
#define MOUNT_MAGIC_MASK 0xffff0000

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_mount, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_MOUNT, INDEX_MOUNT);
	__u32 flags = SYSCALL_ARGUMENT_4(regs), position = sizeof(struct record_mount);
	struct record_mount *record;

	if (!scratch)
		return 0;
	record = (struct record_mount *)scratch->record;
	record->res = result;
	record->flags = (flags & MOUNT_MAGIC_MASK) == MOUNT_MAGIC ? flags & ~MOUNT_MAGIC_MASK : flags;
	record->dev_length = append_user_string(scratch, position, (void *)SYSCALL_ARGUMENT_1(regs));
	position += reread(&record->dev_length);
	position = append_resolved(scratch, position, result, 0, GIVEN(WORKING_DIRECTORY, SYSCALL_ARGUMENT_2(regs)),
				   &record->dir_length, &record->targetraw_length);
	record->type_length = append_user_string(scratch, position, (void *)SYSCALL_ARGUMENT_3(regs));
	position += reread(&record->type_length);
	append_kernel(scratch, position, scratch->names[0], reread(&record->targetraw_length));
	send_record(scratch, position + reread(&record->targetraw_length), INDEX_MOUNT);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_umount2, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_UMOUNT2, INDEX_UMOUNT2);
	struct record_umount2 *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_umount2 *)scratch->record;
	record->res = result;
	record->flags = SYSCALL_ARGUMENT_2(regs);
	end = append_named_path(scratch, sizeof(*record), result, GIVEN(WORKING_DIRECTORY, SYSCALL_ARGUMENT_1(regs)),
				&record->name_length, &record->nameraw_length);
	send_record(scratch, end, INDEX_UMOUNT2);
	return 0;
}
