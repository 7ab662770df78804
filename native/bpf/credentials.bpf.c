// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who a process is: users, groups and capabilities. The numbers are those of the call's registers, which nobody can
 * change meanwhile; the header's user is already the new one.
 */
#include "call.h"
#include "capabilities.h"
#include "process_change.h"

/* The layouts set_uid and set_gid: one number. */
static __always_inline int report_one(__u16 type, enum event_index index, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(type, index);
	struct record_set_uid *record;

	if (!scratch)
		return 0;
	record = (struct record_set_uid *)scratch->record;
	record->res = result;
	record->uid = SYSCALL_ARGUMENT_1(regs);
	send_record(scratch, sizeof(*record), index);
	note_change(result, 0);
	return 0;
}

/* The layouts set_uids and set_gids: the real and the effective one. */
static __always_inline int report_two(__u16 type, enum event_index index, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(type, index);
	struct record_set_uids *record;

	if (!scratch)
		return 0;
	record = (struct record_set_uids *)scratch->record;
	record->res = result;
	record->ruid = SYSCALL_ARGUMENT_1(regs);
	record->euid = SYSCALL_ARGUMENT_2(regs);
	send_record(scratch, sizeof(*record), index);
	note_change(result, 0);
	return 0;
}

/* The layouts set_all_uids and set_all_gids: the saved one too. */
static __always_inline int report_three(__u16 type, enum event_index index, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(type, index);
	struct record_set_all_uids *record;

	if (!scratch)
		return 0;
	record = (struct record_set_all_uids *)scratch->record;
	record->res = result;
	record->ruid = SYSCALL_ARGUMENT_1(regs);
	record->euid = SYSCALL_ARGUMENT_2(regs);
	record->suid = SYSCALL_ARGUMENT_3(regs);
	send_record(scratch, sizeof(*record), index);
	note_change(result, 0);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_setuid, struct pt_regs *regs, long result)
{
	return report_one(NAMED(SETUID), regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_setgid, struct pt_regs *regs, long result)
{
	return report_one(NAMED(SETGID), regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_setreuid, struct pt_regs *regs, long result)
{
	return report_two(NAMED(SETREUID), regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_setregid, struct pt_regs *regs, long result)
{
	return report_two(NAMED(SETREGID), regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_setresuid, struct pt_regs *regs, long result)
{
	return report_three(NAMED(SETRESUID), regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_setresgid, struct pt_regs *regs, long result)
{
	return report_three(NAMED(SETRESGID), regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_setgroups, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(SETGROUPS));
	struct record_set_groups *record;

	if (!scratch)
		return 0;
	record = (struct record_set_groups *)scratch->record;
	record->res = result;
	record->count = SYSCALL_ARGUMENT_1(regs);
	send_record(scratch, sizeof(*record), INDEX_SETGROUPS);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_capset, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct cred *cred = READ(task, cred);
	struct scratch *scratch = begin_record(NAMED(CAPSET));
	struct record_capabilities *record;

	if (!scratch)
		return 0;
	record = (struct record_capabilities *)scratch->record;
	record->res = result;
	record->cap_inheritable = CAPABILITIES(cred, cap_inheritable);
	record->cap_permitted = CAPABILITIES(cred, cap_permitted);
	record->cap_effective = CAPABILITIES(cred, cap_effective);
	send_record(scratch, sizeof(*record), INDEX_CAPSET);
	note_change(result, 0);
	return 0;
}
