/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The fingerprint of a file that was opened (ruled_out.h), on kernels without typed reads: before 6.2. Each read is a
 * call of a helper there, so what lies side by side in the kernel's structures is got by one. Where it lies otherwise,
 * the same is got field by field: the branch that does not apply is cut out when the program is loaded.
 */
#pragma once

#include "open_file.h"
#include "ruled_out.h"

#define OFFSET(type, field) ((__u32)bpf_core_field_offset(struct type, field))

/* A path as struct path has it, and the inode that follows it in struct file. */
struct place {
	struct vfsmount *mount;
	struct dentry *entry;
	struct inode *inode;
};

/* What the way up needs of a directory entry. */
struct entry_facts {
	struct dentry *parent;
	__u64 hash_len;
	const void *name;
	struct inode *inode;
};

struct inode_facts {
	__u64 ino;
	struct super_block *file_system;
	__u16 mode;
};

static __always_inline void read_place(struct place *place, struct file *file)
{
	__u32 path = OFFSET(file, f_path);

	if (OFFSET(file, f_inode) == path + offsetof(struct place, inode) &&
	    OFFSET(path, dentry) == offsetof(struct place, entry)) {
		bpf_probe_read_kernel(place, sizeof(*place), (char *)file + path);
		return;
	}
	place->mount = BPF_CORE_READ(file, f_path.mnt);
	place->entry = BPF_CORE_READ(file, f_path.dentry);
	place->inode = BPF_CORE_READ(file, f_inode);
}

static __always_inline void read_entry_facts(struct entry_facts *facts, struct dentry *entry)
{
	__u32 parent = OFFSET(dentry, d_parent);

	if (OFFSET(dentry, d_name) == parent + offsetof(struct entry_facts, hash_len) &&
	    OFFSET(dentry, d_inode) == parent + offsetof(struct entry_facts, inode)) {
		bpf_probe_read_kernel(facts, sizeof(*facts), (char *)entry + parent);
		return;
	}
	facts->parent = BPF_CORE_READ(entry, d_parent);
	facts->hash_len = BPF_CORE_READ(entry, d_name.hash_len);
	facts->inode = BPF_CORE_READ(entry, d_inode);
}

#define INODE_BEGINNING 80 /* bytes in which all that is read of an inode lies, but its generation */

static __always_inline void read_inode_facts(struct inode_facts *facts, struct inode *inode)
{
	__u32 mode = OFFSET(inode, i_mode), file_system = OFFSET(inode, i_sb), ino = OFFSET(inode, i_ino);
	__u8 bytes[INODE_BEGINNING] = {};

	if (mode < INODE_BEGINNING - 8 && file_system < INODE_BEGINNING - 8 && ino < INODE_BEGINNING - 8 &&
	    file_system % 8 == 0 && ino % 8 == 0) {
		bpf_probe_read_kernel(bytes, sizeof(bytes), inode);
		facts->mode = *(__u16 *)&bytes[mode];
		facts->file_system = *(struct super_block **)&bytes[file_system];
		facts->ino = *(__u64 *)&bytes[ino];
		return;
	}
	facts->mode = BPF_CORE_READ(inode, i_mode);
	facts->file_system = BPF_CORE_READ(inode, i_sb);
	facts->ino = BPF_CORE_READ(inode, i_ino);
}

/* A way up from a file; the fields are those of mix_path(). */
struct mixed_walk {
	__u64 fingerprint;
	struct dentry *entry, *root, *mount_root;
	struct vfsmount *mount, *root_mount;
	int ended; /* at the process's root */
};

STEP int mix_one_directory(__u32 step, struct mixed_walk *walk)
{
	struct dentry *entry = walk->entry;
	struct entry_facts facts = {};
	struct inode *inode;

	if (entry == walk->root && walk->mount == walk->root_mount) {
		walk->ended = 1;
		return 1;
	}
	read_entry_facts(&facts, entry);
	inode = facts.inode; /* in variables of their own: what a read names is looked for among the kernel's structures */
	walk->fingerprint = mix(walk->fingerprint, BPF_CORE_READ(inode, i_ino));
	if (entry == walk->mount_root) {
		struct mount *inner = mount_around(walk->mount);
		struct mount *outer = BPF_CORE_READ(inner, mnt_parent);
		struct vfsmount *mount = (struct vfsmount *)__builtin_preserve_access_index(&outer->mnt);

		if (inner == outer)
			return 1;
		walk->fingerprint = mix(walk->fingerprint, BPF_CORE_READ(inner, mnt_id));
		walk->entry = BPF_CORE_READ(inner, mnt_mountpoint);
		walk->mount = mount;
		walk->mount_root = BPF_CORE_READ(mount, mnt_root);
		return 0;
	}
	walk->fingerprint = mix(walk->fingerprint, facts.hash_len);
	walk->entry = facts.parent;
	return 0;
}

/* By which names a file is reached from the process's root; 0 when that is too far. */
static __always_inline __u64 mix_path_by_reads(__u64 fingerprint, struct task_struct *task, const struct place *place)
{
	struct fs_struct *fs = READ(task, fs);
	struct vfsmount *mount = place->mount;
	struct mixed_walk walk = {
		.fingerprint = fingerprint,
		.entry = place->entry,
		.mount = mount,
		.mount_root = BPF_CORE_READ(mount, mnt_root),
		.root = READ(fs, root.dentry),
		.root_mount = READ(fs, root.mnt),
	};

	LOOP(RULED_OUT_DEPTH, RULED_OUT_DEPTH, mix_one_directory, &walk);
	if (!walk.ended)
		return 0;
	return walk.fingerprint ? walk.fingerprint : 1;
}

/*
 * As fingerprint_opened() in file.bpf.c. Not inline: where there are typed reads nothing of it stands in the programs,
 * and they are what they would be without it.
 */
static __noinline __u64 fingerprint_opened_by_reads(struct record_open *record, __u16 type, __u64 flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct remembering *remembering = get_remembering();
	struct super_block *file_system;
	struct inode_facts facts = {};
	struct place place = {};
	__u64 begun, what, where;
	struct inode *inode;
	struct file *file;
	int layer = 0;

	if (!record || !remembering || !remembering->generation)
		return 0;
	begun = mix(remembering->secret, remembering->rules);
	file = file_of_descriptor(task, record->fd);
	read_place(&place, file);
	inode = place.inode;
	read_inode_facts(&facts, inode);
	file_system = facts.file_system;
	if (BPF_CORE_READ(file_system, s_magic) == OVERLAYFS_MAGIC)
		layer = overlay_layer(inode);
	what = mix(begun, flags << 16 ^ record->mode);
	what = mix(what, (__u64)record->dirfd << 32 | BPF_CORE_READ(file, f_mode));
	what = mix(what, facts.ino);
	what = mix(what, (__u64)BPF_CORE_READ(inode, i_generation) << 32 | BPF_CORE_READ(file_system, s_dev));
	what = mix(what, (__u64)facts.mode << 8 | layer);
	where = mix_path_by_reads(begun, task, &place);
	return where ? file_fingerprint(mix(mix(where, what), type)) : 0;
}
