/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Everything that is known of a process and the program it runs: for an exec and for the snapshot alike. */
#pragma once

#include "capabilities.h"
#include "inode_times.h"
#include "namespaces.h"
#include "path.h"
#include "ruled_out.h"
#include "writable.h"

#define ANCESTOR_MAXIMUM 8
#define NOT_SET 0xffffffffu

/* One entry of the parameter `ancestors`. */
struct ancestor {
	__u64 start;
	__u64 pid;
};

static __always_inline void fill_executable(struct record_program *record, struct file *file, const struct cred *cred)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct inode_times times;
	struct dentry *dentry;
	int layer;

	record->exe_ino = 0;
	record->exe_ino_mtime = 0;
	record->exe_ino_ctime = 0;
	record->flags = 0;
	if (!inode)
		return;
	layer = overlay_layer(inode);
	record->exe_ino = BPF_CORE_READ(inode, i_ino);
	times = times_of(inode);
	record->exe_ino_mtime = times.mtime;
	record->exe_ino_ctime = times.ctime;
	if (is_writable(file, inode, cred))
		record->flags |= EXE_WRITABLE;
	record->flags |= layer == 1 ? EXE_UPPER_LAYER : layer == 2 ? EXE_LOWER_LAYER : 0;
	dentry = BPF_CORE_READ(file, f_path.dentry);
	/* Without a link, and in no directory: a deleted file still names the one that it was in. */
	if (BPF_CORE_READ(inode, i_sb, s_magic) == TMPFS_MAGIC && BPF_CORE_READ(inode, i_nlink) == 0 &&
	    BPF_CORE_READ(dentry, d_parent) == dentry)
		record->flags |= EXE_FROM_MEMFD;
}

/* The number of a process (group, session) on the host, or in its innermost pid namespace. */
static __always_inline __s64 number_of(struct task_struct *task, int type, int innermost)
{
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct pid *pid = NULL;
	__u32 level;
	int number = 0;

	bpf_core_read(&pid, sizeof(pid), &signal->pids[type]);
	level = innermost ? BPF_CORE_READ(pid, level) : 0;
	/* The array has one entry for each level of namespaces; the number is an entry's first field. */
	bpf_probe_read_kernel(&number, sizeof(number),
			      (char *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid));
	return number;
}

static __always_inline void fill_credentials(struct record_program *record, const struct cred *cred)
{
	record->gid = BPF_CORE_READ(cred, egid.val);
	record->cap_inheritable = CAPABILITIES(cred, cap_inheritable);
	record->cap_permitted = CAPABILITIES(cred, cap_permitted);
	record->cap_effective = CAPABILITIES(cred, cap_effective);
}

static __always_inline void fill_namespaces(struct record_program *record, struct task_struct *task)
{
	struct namespaces found = namespaces_of(task);

	record->pid_ns = found.pid;
	record->mnt_ns = found.mnt;
	record->net_ns = found.net;
	record->user_ns = found.user;
	record->ipc_ns = found.ipc;
	record->uts_ns = found.uts;
	record->cgroup_ns = found.cgroup;
}

static __always_inline void fill_identity(struct record_program *record, struct task_struct *task)
{
	struct task_struct *parent = READ(task, real_parent);
	struct tty_struct *tty = READ(task, signal, tty);

	record->ptid = READ(parent, tgid);
	record->parent_start = READ(parent, group_leader, start_boottime);
	record->pgid = number_of(task, PIDTYPE_PGID, 0);
	record->sid = number_of(task, PIDTYPE_SID, 0);
	record->vpid = number_of(task, PIDTYPE_TGID, 1);
	fill_credentials(record, READ(task, cred));
	record->loginuid = bpf_core_field_exists(task->loginuid) ? READ(task, loginuid.val) : NOT_SET;
	fill_namespaces(record, task);
	record->tty = 0;
	if (tty)
		record->tty = encode_device(BPF_CORE_READ(tty, driver, major),
					    BPF_CORE_READ(tty, driver, minor_start) + BPF_CORE_READ(tty, index));
}

/* Append the keys of the ancestors, parent first, ending with the first process of the system. */
static __always_inline __u32 append_ancestors(struct scratch *scratch, __u32 position, struct task_struct *task)
{
	struct task_struct *ancestor = task;
	__u32 length = 0;

	for (int i = 0; i < ANCESTOR_MAXIMUM; i++) {
		struct ancestor entry;

		ancestor = READ(ancestor, real_parent);
		entry.pid = READ(ancestor, tgid);
		if (entry.pid == 0)
			break;
		entry.start = READ(ancestor, group_leader, start_boottime);
		append_kernel(scratch, position + length, &entry, sizeof(entry));
		length += sizeof(entry);
	}
	return length;
}

/* Append cwd, comm, cgroups and the executable's path, in the table's order. Returns where the next value goes. */
static __always_inline __u32 append_places(struct scratch *scratch, __u32 position, struct task_struct *task)
{
	struct record_program *record = (struct record_program *)scratch->record;
	struct fs_struct *fs = READ(task, fs);
	struct file *file = BPF_CORE_READ(task, mm, exe_file);
	struct settings *settings = get_settings();

	record->cwd_length = fs ? append_path(scratch, position, __builtin_preserve_access_index(&fs->pwd), task) : 0;
	position += reread(&record->cwd_length);
	record->comm_length =
		append_kernel_string(scratch, position, (void *)__builtin_preserve_access_index(&task->comm));
	position += reread(&record->comm_length);
	record->cgroup_v1_length = 0;
	if (settings && settings->memory_hierarchy)
		record->cgroup_v1_length = append_cgroup(scratch, position, BPF_CORE_READ(memory_cgroup(task), kn));
	position += reread(&record->cgroup_v1_length);
	record->cgroup_v2_length = append_cgroup(scratch, position, BPF_CORE_READ(task, cgroups, dfl_cgrp, kn));
	position += reread(&record->cgroup_v2_length);
	record->trusted_exepath_length =
		file ? append_path(scratch, position, __builtin_preserve_access_index(&file->f_path), task) : 0;
	position += reread(&record->trusted_exepath_length);
	fill_executable(record, file, READ(task, cred));
	return position;
}
