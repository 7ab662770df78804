// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where a process lives: namespaces, root and working directory, session and process group. */
#include "call.h"
#include "descriptor.h"
#include "caller_path.h"
#include "namespaces.h"
#include "process_change.h"

#define NSFS_MAGIC 0x6e736673

/* The kernel's flags of unshare(), setns() and clone() in Falco's portable values. */
static const struct {
	__u64 kernel;
	__u32 portable;
} clone_flag_names[] = {
	{0x00000100, CLONE_FLAG_CLONE_VM},	{0x00000200, CLONE_FLAG_CLONE_FS},
	{0x00000400, CLONE_FLAG_CLONE_FILES},	{0x00000800, CLONE_FLAG_CLONE_SIGHAND},
	{0x00010000, CLONE_FLAG_CLONE_THREAD},	{0x00020000, CLONE_FLAG_CLONE_NEWNS},
	{0x00040000, CLONE_FLAG_CLONE_SYSVSEM}, {0x02000000, CLONE_FLAG_CLONE_NEWCGROUP},
	{0x04000000, CLONE_FLAG_CLONE_NEWUTS},	{0x08000000, CLONE_FLAG_CLONE_NEWIPC},
	{0x10000000, CLONE_FLAG_CLONE_NEWUSER}, {0x20000000, CLONE_FLAG_CLONE_NEWPID},
	{0x40000000, CLONE_FLAG_CLONE_NEWNET},
};

static __always_inline __u32 portable_clone_flags(__u64 flags)
{
	__u32 portable = 0;

#pragma unroll
	for (unsigned long i = 0; i < sizeof(clone_flag_names) / sizeof(*clone_flag_names); i++)
		if (flags & clone_flag_names[i].kernel)
			portable |= clone_flag_names[i].portable;
	return portable;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_unshare, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(UNSHARE));
	struct record_unshare *record;

	if (!scratch)
		return 0;
	record = (struct record_unshare *)scratch->record;
	record->res = result;
	record->flags = portable_clone_flags(SYSCALL_ARGUMENT_1(regs));
	record->namespaces_length = append_namespaces(scratch, sizeof(*record), bpf_get_current_task_btf());
	send_record(scratch, sizeof(*record) + reread(&record->namespaces_length), INDEX_UNSHARE);
	note_move(result);
	return 0;
}

/* What a descriptor of a namespace stands for; NULL for one of a process. */
static __always_inline struct ns_common *namespace_of(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	if (!inode || BPF_CORE_READ(inode, i_sb, s_magic) != NSFS_MAGIC)
		return NULL;
	return BPF_CORE_READ(inode, i_private);
}

static __always_inline __u64 type_of_namespace(struct ns_common *namespace)
{
	if (bpf_core_field_exists(struct ns_common___v618, ns_type))
		return BPF_CORE_READ((struct ns_common___v618 *)namespace, ns_type);
	return BPF_CORE_READ(namespace, ops, type);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_setns, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = begin_record(NAMED(SETNS));
	__u64 type = SYSCALL_ARGUMENT_2(regs);
	struct record_join_namespace *record;
	struct ns_common *namespace;

	if (!scratch)
		return 0;
	record = (struct record_join_namespace *)scratch->record;
	record->res = result;
	record->fd = (int)SYSCALL_ARGUMENT_1(regs);
	namespace = namespace_of(file_of_descriptor(task, record->fd));
	record->ns_inum = namespace ? BPF_CORE_READ(namespace, inum) : 0;
	if (!type && namespace)
		type = type_of_namespace(namespace);
	record->nstype = portable_clone_flags(type);
	record->namespaces_length = append_namespaces(scratch, sizeof(*record), task);
	send_record(scratch, sizeof(*record) + reread(&record->namespaces_length), INDEX_SETNS);
	note_move(result);
	return 0;
}

static __always_inline __u32 append_working_directory(struct scratch *scratch, __u32 position, struct task_struct *task)
{
	return append_path(scratch, position, working_directory(task), task);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_chdir, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = begin_record(NAMED(CHDIR));
	struct record_change_directory *record;
	__u32 position = sizeof(*record);

	if (!scratch)
		return 0;
	record = (struct record_change_directory *)scratch->record;
	record->res = result;
	if (result == 0)
		record->path_length = append_working_directory(scratch, position, task);
	else
		record->path_length = append_caller_path(scratch, position, task, (void *)SYSCALL_ARGUMENT_1(regs));
	send_record(scratch, position + reread(&record->path_length), INDEX_CHDIR);
	note_change(result, 0);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_fchdir, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = begin_record(NAMED(FCHDIR));
	struct record_change_directory_to_descriptor *record;
	__u32 position = sizeof(*record);

	if (!scratch)
		return 0;
	record = (struct record_change_directory_to_descriptor *)scratch->record;
	record->res = result;
	record->fd = (int)SYSCALL_ARGUMENT_1(regs);
	record->path_length = 0;
	if (result == 0)
		record->path_length = append_working_directory(scratch, position, task);
	send_record(scratch, position + reread(&record->path_length), INDEX_FCHDIR);
	note_change(result, 0);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_chroot, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = begin_record(NAMED(CHROOT));
	struct record_change_root *record;
	__u32 position = sizeof(*record);

	if (!scratch)
		return 0;
	record = (struct record_change_root *)scratch->record;
	record->res = result;
	if (result == 0)
		record->path_length = append_path_of_namespace(scratch, position, root_directory(task));
	else
		record->path_length = append_caller_path(scratch, position, task, (void *)SYSCALL_ARGUMENT_1(regs));
	send_record(scratch, position + reread(&record->path_length), INDEX_CHROOT);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_pivot_root, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(PIVOT_ROOT));
	struct record_pivot_root *record;
	__u32 position = sizeof(*record);

	if (!scratch)
		return 0;
	record = (struct record_pivot_root *)scratch->record;
	record->res = result;
	record->new_root_length = append_caller_string(scratch, position, (void *)SYSCALL_ARGUMENT_1(regs));
	position += reread(&record->new_root_length);
	record->put_old_length = append_caller_string(scratch, position, (void *)SYSCALL_ARGUMENT_2(regs));
	send_record(scratch, position + reread(&record->put_old_length), INDEX_PIVOT_ROOT);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_setsid, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(SETSID));
	struct record_new_session *record;

	if (!scratch)
		return 0;
	record = (struct record_new_session *)scratch->record;
	record->res = result;
	send_record(scratch, sizeof(*record), INDEX_SETSID);
	note_change(result, 0);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_setpgid, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(SETPGID));
	struct record_process_group *record;

	if (!scratch)
		return 0;
	record = (struct record_process_group *)scratch->record;
	record->res = result;
	record->pid = (int)SYSCALL_ARGUMENT_1(regs);
	record->pgid = (int)SYSCALL_ARGUMENT_2(regs);
	send_record(scratch, sizeof(*record), INDEX_SETPGID);
	note_change(result, record->pid != 0);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_seccomp, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(SECCOMP));
	struct record_system_call_filter *record;

	if (!scratch)
		return 0;
	record = (struct record_system_call_filter *)scratch->record;
	record->res = result;
	record->op = SYSCALL_ARGUMENT_1(regs);
	record->flags = SYSCALL_ARGUMENT_2(regs);
	send_record(scratch, sizeof(*record), INDEX_SECCOMP);
	return 0;
}
