/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Calls that the engine has ruled out are not sent again. A call's fingerprint is made of everything that the engine
 * can judge it by: who calls and what it runs, how, and which file by which path, the names all the way up to the
 * process's root. It is made anew for each call, so a rename or a mount anywhere on the way makes it another one. The
 * record carries it; when the engine has found that no rule can match, the sensor puts it into a table.
 *
 * Most files are nothing to any rule whoever opens them, and most processes are new: so a file that is opened in one
 * way has a fingerprint of its own, which is asked about first. Only where the engine has said that some process has to
 * be looked at for it the call's is made too.
 *
 * What the engine knows otherwise (a parent that runs another program, a container's labels, rules) is in no call:
 * when it changes, a new generation begins, and all older fingerprints fit no call any more. Those of files for
 * everybody are made void by other rules only.
 */
#pragma once

#include "capabilities.h"
#include "event.h"
#include "typed.h" /* where a kernel has none: ruled_out_reads.h */

#define RULED_OUT_ENTRIES 65536 /* a power of two; as in programs.c */
#define RULED_OUT_DEPTH 24	/* directories; calls for files further down are always sent */
#define PIDTYPE_PGID 2		/* enum pid_type of the kernel */
#define PIDTYPE_SID 3
#define FINGERPRINT_FACTOR 0x9e3779b97f4a7c15ull

/*
 * The two highest bits of a fingerprint say what it is of: a call of a process, or a file that is opened in one way, by
 * whomever. With the highest bit a file's stands in the table when some process has to be looked at for it.
 */
#define FINGERPRINT_OF_FILE (1ull << 62)
#define FINGERPRINT_NOT_FOR_ALL (1ull << 63)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RULED_OUT_ENTRIES);
	__type(key, __u32);
	__type(value, __u64);
} ruled_out __weak SEC(".maps");

struct remembering {
	__u64 generation; /* 0: nothing is to be remembered */
	__u64 rules;	  /* the generation of what only rules change: files that are nothing to any process */
	__u64 secret;	  /* so that nobody can make a call that has another one's fingerprint */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct remembering);
} remembering_buffer __weak SEC(".maps");

static __always_inline struct remembering *get_remembering(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&remembering_buffer, &zero);
}

static __always_inline void begin_generation(void)
{
	struct remembering *remembering = get_remembering();

	if (remembering && remembering->generation)
		__sync_fetch_and_add(&remembering->generation, 1);
}

static __always_inline __u64 mix(__u64 fingerprint, __u64 value)
{
	fingerprint = (fingerprint ^ value) * FINGERPRINT_FACTOR;
	return fingerprint ^ fingerprint >> 32;
}

/* Who calls, what it runs, and where: all that a call of its own can change. */
static __always_inline __u64 mix_process(__u64 fingerprint, struct task_struct *task, struct record_header *header)
{
	struct dentry *directory = READ(task, fs, pwd.dentry);
	struct signal_struct *signal = READ(task, signal);

	const struct cred *cred = READ(task, group_leader, cred); /* that of the first thread stands for the process */

	fingerprint = mix(fingerprint, (__u64)READ(cred, egid.val) << 32 | READ(directory, d_inode, i_ino));
	fingerprint = mix(fingerprint, LOADED_CAPABILITIES(cred, cap_effective));
	fingerprint = mix(fingerprint,
			  LOADED_CAPABILITIES(cred, cap_permitted) ^ LOADED_CAPABILITIES(cred, cap_inheritable) << 1);
	fingerprint = mix(fingerprint,
			  (__u64)READ(directory, d_name.hash) << 32 | READ(signal, pids[PIDTYPE_PGID], numbers[0].nr));
	fingerprint = mix(fingerprint, READ(signal, pids[PIDTYPE_SID], numbers[0].nr));
	fingerprint = mix(fingerprint, header->process_start);
	fingerprint = mix(fingerprint, (__u64)header->pid << 32 | header->uid);
	fingerprint = mix(fingerprint, header->cgroup_id ^ (__u64)header->cgroup_hierarchy << 48);
	return mix(fingerprint, READ(task, self_exec_id) << 16 ^ header->type);
}

/* By which names a file is reached from the process's root; 0 when that is too far. */
static __always_inline __u64 mix_path(__u64 fingerprint, struct task_struct *task, const struct path *path)
{
	struct dentry *entry = path->dentry, *root = task->fs->root.dentry;
	struct vfsmount *mount = path->mnt, *root_mount = task->fs->root.mnt;
	struct dentry *mount_root = mount->mnt_root;

	for (int step = 0; step < RULED_OUT_DEPTH; step++) {
		if (entry == root && mount == root_mount)
			return fingerprint ? fingerprint : 1;
		fingerprint = mix(fingerprint, entry->d_inode->i_ino);
		if (entry == mount_root) {
			struct mount *inner =
				TYPED(struct mount, (char *)mount - bpf_core_field_offset(struct mount, mnt));
			struct mount *outer = inner->mnt_parent;

			if (inner == outer)
				return 0;
			fingerprint = mix(fingerprint, inner->mnt_id);
			entry = inner->mnt_mountpoint;
			mount = &outer->mnt;
			mount_root = mount->mnt_root;
			continue;
		}
		fingerprint = mix(fingerprint, entry->d_name.hash_len);
		entry = entry->d_parent;
	}
	return 0;
}

/* Of a call, from what was mixed. */
static __always_inline __u64 call_fingerprint(__u64 mixed)
{
	mixed &= ~(FINGERPRINT_OF_FILE | FINGERPRINT_NOT_FOR_ALL);
	return mixed ? mixed : 1;
}

static __always_inline __u64 file_fingerprint(__u64 mixed)
{
	return (mixed | FINGERPRINT_OF_FILE) & ~FINGERPRINT_NOT_FOR_ALL;
}

/* What stands in the table where a fingerprint has its place. */
static __always_inline __u64 ruled_out_entry(__u64 fingerprint)
{
	__u32 place = fingerprint & (RULED_OUT_ENTRIES - 1);
	__u64 *entry = bpf_map_lookup_elem(&ruled_out, &place);

	return entry ? *entry : 0;
}

static __always_inline int is_ruled_out(__u64 fingerprint)
{
	return ruled_out_entry(fingerprint) == fingerprint;
}
