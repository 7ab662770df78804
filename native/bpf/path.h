/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Paths from the kernel's own objects: from a file's directory entry up to the root directory of the process, across
 * mounts. What the caller wrote can be changed by another thread while the kernel reads it; this can not.
 */
#pragma once

#include "event.h"

#define PATH_COMPONENTS_MAXIMUM 96
#define PATH_COMPONENTS_BASIC 48
#define CGROUP_DEPTH_BASIC 16
#define NAME_MAXIMUM 255
#define OVERLAYFS_MAGIC 0x794c7630
#define TMPFS_MAGIC 0x01021994

#define WALK_SPARE(walk) (&(walk)->buffer[2 * VALUE_MAXIMUM - sizeof(__u32)]) /* the end of scratch->path */

enum walk_end { WALK_GOES_ON, WALK_AT_ROOT, WALK_OUTSIDE, WALK_CUT };

/* A path is written from the middle of scratch->path towards its beginning. */
struct path_walk {
	struct dentry *dentry;
	struct vfsmount *mount;
	struct dentry *mount_root; /* of `mount` */
	struct dentry *root_dentry;
	struct vfsmount *root_mount;
	struct kernfs_node *node;
	__u8 *buffer;
	__u32 start;
	__u32 skip; /* names to leave out: ".." stood behind them */
	enum walk_end end;
};

static __always_inline struct path *working_directory(struct task_struct *task)
{
	struct fs_struct *fs = READ(task, fs);

	return (struct path *)__builtin_preserve_access_index(&fs->pwd);
}

static __always_inline struct path *root_directory(struct task_struct *task)
{
	struct fs_struct *fs = READ(task, fs);

	return (struct path *)__builtin_preserve_access_index(&fs->root);
}

static __always_inline struct mount *mount_around(struct vfsmount *vfsmount)
{
	return (struct mount *)((char *)vfsmount - bpf_core_field_offset(struct mount, mnt));
}

/* Write "/name" in front of what is there. Returns 0 when there is no room. */
static __always_inline int prepend_name(struct path_walk *walk, const void *name, __u32 length)
{
	__u32 start = walk->start;

	/* One byte for the slash, and one because a length of VALUE_MAXIMUM would be masked to nothing. */
	if (length > NAME_MAXIMUM || start < length + 2 || start > VALUE_MAXIMUM)
		return 0;
	barrier_var(length);
	length &= NAME_MAXIMUM;
	start = (start - length) & (VALUE_MAXIMUM - 1);
	if (bpf_probe_read_kernel(&walk->buffer[start], length, name))
		return 0;
	start = (start - 1) & (VALUE_MAXIMUM - 1);
	walk->buffer[start] = '/';
	walk->start = start;
	return 1;
}

/* What the walk needs of a directory entry: as a rule the two fields lie side by side, and one read gets both. */
struct entry {
	struct dentry *parent;
	__u8 name[sizeof(struct qstr)]; /* in the kernel's layout */
};

static __always_inline void read_entry(struct entry *entry, struct dentry *dentry)
{
	__u32 parent = bpf_core_field_offset(struct dentry, d_parent),
	      name = bpf_core_field_offset(struct dentry, d_name);

	if (name == parent + sizeof(entry->parent)) {
		bpf_probe_read_kernel(entry, sizeof(*entry), (char *)dentry + parent);
		return;
	}
	bpf_probe_read_kernel(&entry->parent, sizeof(entry->parent), (char *)dentry + parent);
	bpf_probe_read_kernel(entry->name, sizeof(entry->name), (char *)dentry + name);
}

static __always_inline void enter_mount(struct path_walk *walk, struct vfsmount *mount)
{
	walk->mount = mount;
	walk->mount_root = KERNEL_READ(mount, mnt_root);
}

/* From the root of a mount to the directory that it is mounted on. */
static __always_inline int leave_mount(struct path_walk *walk)
{
	struct mount *mount = mount_around(walk->mount);
	struct mount *above = KERNEL_READ(mount, mnt_parent);

	if (mount == above) {
		walk->end = WALK_OUTSIDE;
		return 1;
	}
	walk->dentry = KERNEL_READ(mount, mnt_mountpoint);
	enter_mount(walk, (struct vfsmount *)((char *)above + bpf_core_field_offset(struct mount, mnt)));
	return 0;
}

STEP int walk_one_directory(__u32 step, struct path_walk *walk)
{
	struct dentry *dentry = walk->dentry;
	struct entry entry;

	FORGET(walk->skip, WALK_SPARE(walk));
	FORGET(walk->start, WALK_SPARE(walk));
	if (dentry == walk->root_dentry && walk->mount == walk->root_mount) {
		walk->end = WALK_AT_ROOT;
		return 1;
	}
	if (dentry == walk->mount_root)
		return leave_mount(walk);
	read_entry(&entry, dentry);
	if (walk->skip) {
		walk->skip--;
	} else if (!prepend_name(walk, *(void **)(entry.name + bpf_core_field_offset(struct qstr, name)),
				 *(__u32 *)(entry.name + bpf_core_field_offset(struct qstr, len)))) {
		walk->end = WALK_CUT;
		return 1;
	}
	if (dentry == entry.parent) { /* a file that lies in no directory: memfd, pipe */
		walk->end = WALK_AT_ROOT;
		return 1;
	}
	walk->dentry = entry.parent;
	return 0;
}

/*
 * Write the path in front of what is there; notes in the header when it was cut or leads outside. Without a root
 * directory it is followed up to that of the mount namespace, and none leads outside.
 */
static __always_inline int walk_path_below(struct record_header *header, struct path_walk *walk, struct path *path,
					   struct dentry *root_dentry, struct vfsmount *root_mount)
{
	struct path from;

	if (bpf_core_read(&from, sizeof(from), path) || !from.dentry)
		return 0;
	walk->root_dentry = root_dentry;
	walk->root_mount = root_mount;
	walk->dentry = from.dentry;
	enter_mount(walk, from.mnt);
	LOOP(PATH_COMPONENTS_MAXIMUM, PATH_COMPONENTS_BASIC, walk_one_directory, walk);
	if (walk->end == WALK_OUTSIDE && root_dentry)
		header->flags |= RECORD_UNREACHABLE;
	if (walk->end == WALK_GOES_ON || walk->end == WALK_CUT)
		header->flags |= RECORD_TRUNCATED;
	return 1;
}

static __always_inline int walk_path(struct record_header *header, struct path_walk *walk, struct path *path,
				     struct task_struct *task)
{
	return walk_path_below(header, walk, path, READ(task, fs, root.dentry), READ(task, fs, root.mnt));
}

/* Append what was walked, "/" when that is nothing. Returns its length. */
static __always_inline __u32 append_walked(struct scratch *scratch, __u32 position, const struct path_walk *walk)
{
	__u32 start = walk->start;

	if (start == VALUE_MAXIMUM) {
		scratch->path[VALUE_MAXIMUM - 1] = '/';
		start = VALUE_MAXIMUM - 1;
	}
	barrier_var(start);
	return append_kernel(scratch, position, &scratch->path[start & (VALUE_MAXIMUM - 1)], VALUE_MAXIMUM - start);
}

/* Append the path at `position`; returns its length. */
static __always_inline __u32 append_path(struct scratch *scratch, __u32 position, struct path *path,
					 struct task_struct *task)
{
	struct path_walk walk = {.buffer = scratch->path, .start = VALUE_MAXIMUM};

	if (!walk_path((struct record_header *)scratch->record, &walk, path, task))
		return 0;
	return append_walked(scratch, position, &walk);
}

static __always_inline __u32 append_path_of_namespace(struct scratch *scratch, __u32 position, struct path *path)
{
	struct path_walk walk = {.buffer = scratch->path, .start = VALUE_MAXIMUM};

	if (!walk_path_below((struct record_header *)scratch->record, &walk, path, NULL, NULL))
		return 0;
	return append_walked(scratch, position, &walk);
}

STEP int walk_one_cgroup(__u32 step, struct path_walk *walk)
{
	struct kernfs_node *node = walk->node;
	struct kernfs_node *parent;
	const char *name = BPF_CORE_READ(node, name);
	long length;

	if (bpf_core_field_exists(struct kernfs_node___v615, __parent))
		parent = BPF_CORE_READ((struct kernfs_node___v615 *)node, __parent);
	else
		parent = BPF_CORE_READ(node, parent);
	if (!parent) {
		walk->end = WALK_AT_ROOT;
		return 1;
	}
	/* The length is not kept: copy to the spare half of the buffer to learn it. */
	length = bpf_probe_read_kernel_str(&walk->buffer[VALUE_MAXIMUM], NAME_MAXIMUM + 1, name);
	if (length <= 1 || !prepend_name(walk, name, length - 1)) {
		walk->end = WALK_CUT;
		return 1;
	}
	walk->node = parent;
	return 0;
}

/* Append a control group's path at `position`, "/" for the root. Returns its length. */
static __always_inline __u32 append_cgroup(struct scratch *scratch, __u32 position, struct kernfs_node *node)
{
	struct path_walk walk = {.node = node, .buffer = scratch->path, .start = VALUE_MAXIMUM};

	if (!node)
		return 0;
	LOOP(PATH_COMPONENTS_MAXIMUM, CGROUP_DEPTH_BASIC, walk_one_cgroup, &walk);
	if (walk.end != WALK_AT_ROOT)
		((struct record_header *)scratch->record)->flags |= RECORD_TRUNCATED;
	return append_walked(scratch, position, &walk);
}

/*
 * Which layer of an overlay a file is in: 1 upper, 2 lower, 0 not on an overlay. The overlay's inode is not in the
 * kernel's type information when it is a module, but its upper entry lies right behind the plain inode.
 */
static __always_inline int overlay_layer(struct inode *inode)
{
	if (KERNEL_READ(inode, i_sb, s_magic) != OVERLAYFS_MAGIC)
		return 0;
	return read_pointer((char *)inode + bpf_core_type_size(struct inode)) ? 1 : 2;
}
