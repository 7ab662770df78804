/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files that a container maps to execute them and that may not be of its image: those of an overlay's upper layer, and
 * those that are on no overlay. Each state of a file is told once, for libraries are mapped by every program.
 */
#pragma once

#include "inode_times.h"
#include "open_file.h"

#define TOLD_LIBRARIES_KEPT 4096
#define LOWER_LAYER 2 /* what overlay_layer() says */
#define FILE_TYPE_MASK 0170000
#define REGULAR_FILE 0100000

struct library_key {
	__u64 ino;
	__u64 ctime;
	__u32 dev;
	__u32 mounts; /* the number of the mount namespace */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TOLD_LIBRARIES_KEPT);
	__type(key, struct library_key);
	__type(value, __u8);
} told_libraries __weak SEC(".maps");

/* Whether it is the first time that this state of a file is mapped there; it is noted. */
static __always_inline int is_new_library(const struct file_facts *facts, const struct inode_times *times, __u32 mounts)
{
	struct library_key key = {.ino = facts->ino, .ctime = times->ctime, .dev = facts->dev, .mounts = mounts};
	__u8 noted = 1;

	if (bpf_map_lookup_elem(&told_libraries, &key))
		return 0;
	bpf_map_update_elem(&told_libraries, &key, &noted, BPF_ANY);
	return 1;
}

static __always_inline void report_library(struct task_struct *task, struct file *file, long address)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	__u32 mounts = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	struct settings *settings = get_settings();
	struct record_mapped_library *record;
	struct scratch *scratch;
	struct inode_times times;
	struct file_facts facts;

	if (!inode || !settings || mounts == settings->host_mounts || overlay_layer(inode) == LOWER_LAYER)
		return;
	/* Compilers at run time map files that have no name (any more), in memory or not; drivers map devices. */
	facts = facts_of(file);
	if (BPF_CORE_READ(inode, i_nlink) == 0 || (facts.mode & FILE_TYPE_MASK) != REGULAR_FILE)
		return;
	times = times_of(inode);
	if (!is_new_library(&facts, &times, mounts))
		return;
	scratch = begin_record(EVENT_MAPPED_LIBRARY, INDEX_MAPPED_LIBRARY);
	if (!scratch)
		return;
	record = (struct record_mapped_library *)scratch->record;
	record->addr = address;
	record->ino = facts.ino;
	record->ino_ctime = times.ctime;
	record->ino_mtime = times.mtime;
	record->dev = facts.dev;
	record->file_flags = facts.layer;
	record->name_length = append_file_path(scratch, sizeof(*record), file);
	send_record(scratch, sizeof(*record) + reread(&record->name_length), INDEX_MAPPED_LIBRARY);
}
