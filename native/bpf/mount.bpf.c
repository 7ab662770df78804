// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Mounts: mount and umount2, and the calls that do the same since Linux 5.2. Those make a mount that is nowhere, behind
 * a descriptor (open_tree, fsmount), put it somewhere (move_mount) and change it (mount_setattr). They are reported as
 * the mount() that they stand for, when something in the tree has changed.
 */
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

/* ---- since Linux 5.2 (linux/mount.h) ---- */

#define KERNEL_AT_RECURSIVE 0x8000
#define KERNEL_OPEN_TREE_CLONE 1
#define KERNEL_MOVE_MOUNT_F_EMPTY_PATH 4
#define SOURCES_KEPT 64 /* copies of trees that are nowhere yet */

/* What is on its way to a place of its own. A mount's number and memory are used again; its root's too is no chance. */
struct detached_mount {
	__u64 mount;
	__u64 root;
	__u64 number;
};

/* What it is a copy of, as the caller of open_tree() named it, made absolute. */
struct mount_source {
	__u32 flags; /* of mount() */
	__u32 length;
	__u8 path[VALUE_MAXIMUM];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SOURCES_KEPT);
	__type(key, struct detached_mount);
	__type(value, struct mount_source);
} mount_sources SEC(".maps");

/* MOUNT_ATTR_* of linux/mount.h, as callers give them. */
static __always_inline __u32 flags_of_attributes(__u64 attributes)
{
	__u32 flags = 0;

	flags |= attributes & 1 ? MOUNT_FLAG_RDONLY : 0;
	flags |= attributes & 2 ? MOUNT_FLAG_NOSUID : 0;
	flags |= attributes & 4 ? MOUNT_FLAG_NODEV : 0;
	flags |= attributes & 8 ? MOUNT_FLAG_NOEXEC : 0;
	flags |= attributes & 0x10 ? MOUNT_FLAG_NOATIME : 0;
	flags |= attributes & 0x20 ? MOUNT_FLAG_STRICTATIME : 0;
	flags |= attributes & 0x80 ? MOUNT_FLAG_NODIRATIME : 0;
	return flags;
}

/* MNT_* of linux/mount.h inside the kernel, which are others. */
static __always_inline __u32 flags_of_mount(struct vfsmount *mount)
{
	__u32 kernel = BPF_CORE_READ(mount, mnt_flags), flags = 0;

	flags |= kernel & 1 ? MOUNT_FLAG_NOSUID : 0;
	flags |= kernel & 2 ? MOUNT_FLAG_NODEV : 0;
	flags |= kernel & 4 ? MOUNT_FLAG_NOEXEC : 0;
	flags |= kernel & 8 ? MOUNT_FLAG_NOATIME : 0;
	flags |= kernel & 0x10 ? MOUNT_FLAG_NODIRATIME : 0;
	flags |= kernel & 0x20 ? MOUNT_FLAG_RELATIME : 0;
	flags |= kernel & 0x40 ? MOUNT_FLAG_RDONLY : 0;
	return flags;
}

static __always_inline struct detached_mount key_of_mount(struct vfsmount *mount)
{
	return (struct detached_mount){
		.mount = (__u64)mount,
		.root = (__u64)BPF_CORE_READ(mount, mnt_root),
		.number = BPF_CORE_READ(mount_around(mount), mnt_id),
	};
}

/* Remember what a copy was made of; the path is what was appended to the record last. */
static __always_inline void note_source(struct scratch *scratch, struct vfsmount *mount, __u32 position, __u32 length,
					__u32 flags)
{
	struct detached_mount key = key_of_mount(mount);
	struct mount_source *source = (struct mount_source *)scratch->path; /* which has room for two paths */

	source->flags = MOUNT_FLAG_BIND | (flags & KERNEL_AT_RECURSIVE ? MOUNT_FLAG_REC : 0);
	source->length = length & (VALUE_MAXIMUM - 1);
	barrier_var(position);
	bpf_probe_read_kernel(source->path, length & (VALUE_MAXIMUM - 1),
			      &scratch->record[position & (SCRATCH_BYTES - 1)]);
	bpf_map_update_elem(&mount_sources, &key, source, BPF_ANY);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_open_tree, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_OPEN_TREE, INDEX_OPEN_TREE);
	struct task_struct *task = bpf_get_current_task_btf();
	struct record_open_tree *record;
	__u32 position = sizeof(*record), end;
	struct file *file;

	if (!scratch)
		return 0;
	record = (struct record_open_tree *)scratch->record;
	record->fd = result;
	record->dirfd = (int)SYSCALL_ARGUMENT_1(regs);
	record->flags = SYSCALL_ARGUMENT_3(regs);
	end = append_named_path(scratch, position, result, GIVEN(record->dirfd, SYSCALL_ARGUMENT_2(regs)),
				&record->name_length, &record->nameraw_length);
	if (is_wanted(INDEX_OPEN_TREE))
		send_record(scratch, end, INDEX_OPEN_TREE);
	file = file_of_descriptor(task, result);
	if (file && SYSCALL_ARGUMENT_3(regs) & KERNEL_OPEN_TREE_CLONE)
		note_source(scratch, BPF_CORE_READ(file, f_path.mnt), position, reread(&record->name_length),
			    SYSCALL_ARGUMENT_3(regs));
	return 0;
}

/* Append what a mount was made of: the source that was noted or, of a new file system, the kernel's name of its device. */
static __always_inline __u32 append_source(struct scratch *scratch, __u32 position, struct vfsmount *mount)
{
	struct record_mount *record = (struct record_mount *)scratch->record;
	struct detached_mount key = key_of_mount(mount);
	struct mount_source *source = bpf_map_lookup_elem(&mount_sources, &key);

	record->flags |= flags_of_mount(mount);
	if (!source)
		return append_kernel_string(scratch, position, BPF_CORE_READ(mount_around(mount), mnt_devname));
	record->flags |= source->flags;
	return append_kernel(scratch, position, source->path, source->length);
}

/* A mount that was nowhere has a place now: all of it is the kernel's. */
static __always_inline __u32 append_attached(struct scratch *scratch, __u32 position, struct file *file)
{
	struct record_mount *record = (struct record_mount *)scratch->record;
	struct vfsmount *mount = BPF_CORE_READ(file, f_path.mnt);
	struct detached_mount key = key_of_mount(mount);

	record->dev_length = append_source(scratch, position, mount);
	position += reread(&record->dev_length);
	record->dir_length =
		append_path(scratch, position, (struct path *)__builtin_preserve_access_index(&file->f_path),
			    bpf_get_current_task_btf());
	position += reread(&record->dir_length);
	record->type_length = 0;
	if (!(record->flags & MOUNT_FLAG_BIND)) /* as with mount(), a part of a tree is of no type of its own */
		record->type_length =
			append_kernel_string(scratch, position, BPF_CORE_READ(mount, mnt_sb, s_type, name));
	bpf_map_delete_elem(&mount_sources, &key);
	return position + reread(&record->type_length);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_move_mount, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_MOUNT, INDEX_MOUNT);
	__u32 flags = SYSCALL_ARGUMENT_5(regs), position = sizeof(struct record_mount);
	struct task_struct *task = bpf_get_current_task_btf();
	struct file *file = NULL;
	struct record_mount *record;

	if (!scratch)
		return 0;
	record = (struct record_mount *)scratch->record;
	record->res = result;
	record->flags = 0;
	record->targetraw_length = 0;
	if (result == 0 && flags & KERNEL_MOVE_MOUNT_F_EMPTY_PATH)
		file = file_of_descriptor(task, (int)SYSCALL_ARGUMENT_1(regs));
	if (file) {
		send_record(scratch, append_attached(scratch, position, file), INDEX_MOUNT);
		return 0;
	}
	record->flags = MOUNT_FLAG_MOVE;
	record->dev_length = append_user_string(scratch, position, (void *)SYSCALL_ARGUMENT_2(regs));
	position += reread(&record->dev_length);
	position = append_resolved(scratch, position, result, 0,
				   GIVEN((int)SYSCALL_ARGUMENT_3(regs), SYSCALL_ARGUMENT_4(regs)), &record->dir_length,
				   &record->targetraw_length);
	record->type_length = 0;
	append_kernel(scratch, position, scratch->names[0], reread(&record->targetraw_length));
	send_record(scratch, position + reread(&record->targetraw_length), INDEX_MOUNT);
	return 0;
}

/* How mount_setattr() gets its arguments (linux/mount.h). */
struct mount_attributes {
	__u64 set;
	__u64 clear;
	__u64 propagation; /* in the values of mount() */
};

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_mount_setattr, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(EVENT_MOUNT, INDEX_MOUNT);
	__u32 flags = SYSCALL_ARGUMENT_3(regs), position = sizeof(struct record_mount);
	struct mount_attributes attributes = {};
	struct record_mount *record;

	if (!scratch)
		return 0;
	bpf_probe_read_user(&attributes, sizeof(attributes), (void *)SYSCALL_ARGUMENT_4(regs));
	record = (struct record_mount *)scratch->record;
	record->res = result;
	record->flags = attributes.propagation | (flags & KERNEL_AT_RECURSIVE ? MOUNT_FLAG_REC : 0);
	if (attributes.set | attributes.clear)
		record->flags |= MOUNT_FLAG_REMOUNT | MOUNT_FLAG_BIND | flags_of_attributes(attributes.set);
	record->dev_length = 0;
	position = append_resolved(scratch, position, result, 0,
				   GIVEN((int)SYSCALL_ARGUMENT_1(regs), SYSCALL_ARGUMENT_2(regs)), &record->dir_length,
				   &record->targetraw_length);
	record->type_length = 0;
	append_kernel(scratch, position, scratch->names[0], reread(&record->targetraw_length));
	send_record(scratch, position + reread(&record->targetraw_length), INDEX_MOUNT);
	return 0;
}
