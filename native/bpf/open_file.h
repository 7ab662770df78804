/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kernel knows of an open file. */
#pragma once

#include "descriptor.h"
#include "path.h"

/* The kernel's flags of open() in Falco's portable values. */
static __always_inline __u32 portable_flags(__u64 flags)
{
	__u32 portable = 0;
	__u32 access = flags & KERNEL_O_ACCMODE;

	portable |= access == 0 ? FILE_O_RDONLY : access == 1 ? FILE_O_WRONLY : FILE_O_RDWR;
	portable |= flags & KERNEL_O_CREAT ? FILE_O_CREAT : 0;
	portable |= flags & KERNEL_O_EXCL ? FILE_O_EXCL : 0;
	portable |= flags & KERNEL_O_TRUNC ? FILE_O_TRUNC : 0;
	portable |= flags & KERNEL_O_APPEND ? FILE_O_APPEND : 0;
	portable |= flags & KERNEL_O_NONBLOCK ? FILE_O_NONBLOCK : 0;
	portable |= flags & KERNEL_O_DSYNC ? FILE_O_DSYNC : 0;
	portable |= flags & KERNEL_O_SYNC_ONLY ? FILE_O_SYNC : 0;
	portable |= flags & KERNEL_O_DIRECT ? FILE_O_DIRECT : 0;
	portable |= flags & KERNEL_O_DIRECTORY ? FILE_O_DIRECTORY : 0;
	portable |= flags & KERNEL_O_LARGEFILE ? FILE_O_LARGEFILE : 0;
	portable |= flags & KERNEL_O_CLOEXEC ? FILE_O_CLOEXEC : 0;
	portable |= flags & KERNEL_O_TMPFILE_ONLY ? FILE_O_TMPFILE : 0;
	return portable;
}

struct file_facts {
	__u64 ino;
	__u32 dev;
	__u32 mode;
	__u32 layer; /* a bit of file_flags */
};

/* All are 0 without a file. */
static __always_inline struct file_facts facts_of(struct file *file)
{
	struct inode *inode = KERNEL_READ(file, f_inode);
	__u32 device = KERNEL_READ(inode, i_sb, s_dev);
	int layer = overlay_layer(inode);

	return (struct file_facts){
		.ino = KERNEL_READ(inode, i_ino),
		.dev = encode_device(device >> 20, device & 0xfffff),
		.mode = KERNEL_READ(inode, i_mode),
		.layer = layer == 1   ? FILE_FD_UPPER_LAYER
			 : layer == 2 ? FILE_FD_LOWER_LAYER
				      : 0,
	};
}

/* Append the path of an open file; returns its length. */
static __always_inline __u32 append_file_path(struct scratch *scratch, __u32 position, struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return append_path(scratch, position, (struct path *)__builtin_preserve_access_index(&file->f_path), task);
}

/*
 * Fill in the parameters that each layout for a call of a descriptor has, and append the file's path behind `record`,
 * which is the record in `scratch`. Returns where the next value goes.
 */
#define FILL_FILE(record, scratch, position, file)                                                                     \
	({                                                                                                             \
		struct file_facts facts = facts_of(file);                                                              \
                                                                                                                       \
		(record)->ino = facts.ino;                                                                             \
		(record)->dev = facts.dev;                                                                             \
		(record)->inode_mode = facts.mode;                                                                     \
		(record)->file_flags = facts.layer;                                                                    \
		(record)->name_length = 0;                                                                             \
		if (file)                                                                                              \
			(record)->name_length = append_file_path(scratch, position, file);                             \
		(position) + reread(&(record)->name_length);                                                           \
	})
