/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who uses bpf() on the sensor's own tables. They have ids by which any process with CAP_BPF can open and change them;
 * the sensor finds out that one was changed, and this is how it can say by whom.
 */
#pragma once

#include "descriptor.h"

#define OWN_MAP_MAXIMUM 24 /* as in programs.h */
#define MAP_FD_IN_BATCH 36 /* bytes into the argument of a call that works on many entries */

struct bpf_map {
	__u32 id;
} __attribute__((preserve_access_index));

struct bpf_caller {
	__u64 time;
	__u64 start;
	__u32 pid;
	__u32 command;
};

/* The ids are written once, by the sensor, which then freezes the map: only the kernel programs write it from there. */
struct own_maps {
	__u32 ids[OWN_MAP_MAXIMUM];
	struct bpf_caller last;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct own_maps);
} own_maps_buffer __weak SEC(".maps");

/* The descriptor of the map that a call of bpf() works on or opens; negative when it is about something else. */
static __always_inline int map_of_call(struct pt_regs *regs, long result)
{
	const char *argument = (const char *)SYSCALL_ARGUMENT_2(regs);
	int fd = -1;

	switch (SYSCALL_ARGUMENT_1(regs)) {
	case BPF_COMMAND_BPF_MAP_GET_FD_BY_ID:
		return result;
	case BPF_COMMAND_BPF_MAP_UPDATE_ELEM:
	case BPF_COMMAND_BPF_MAP_DELETE_ELEM:
	case BPF_COMMAND_BPF_MAP_FREEZE:
	case BPF_COMMAND_BPF_MAP_LOOKUP_AND_DELETE_ELEM:
		bpf_probe_read_user(&fd, sizeof(fd), argument);
		return fd;
	case BPF_COMMAND_BPF_MAP_UPDATE_BATCH:
	case BPF_COMMAND_BPF_MAP_DELETE_BATCH:
	case BPF_COMMAND_BPF_MAP_LOOKUP_AND_DELETE_BATCH:
		bpf_probe_read_user(&fd, sizeof(fd), argument + MAP_FD_IN_BATCH);
		return fd;
	}
	return -1;
}

static __always_inline void note_bpf_call(struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct file *file = file_of_descriptor(task, map_of_call(regs, result));
	__u32 zero = 0;
	struct own_maps *own = bpf_map_lookup_elem(&own_maps_buffer, &zero);
	struct bpf_map *map;
	__u32 id;

	if (!file || !own)
		return;
	map = BPF_CORE_READ(file, private_data);
	id = BPF_CORE_READ(map, id);
	for (int i = 0; i < OWN_MAP_MAXIMUM; i++) {
		if (own->ids[i] != id || !id)
			continue;
		own->last.time = bpf_ktime_get_boot_ns();
		own->last.start = task->group_leader->start_boottime;
		own->last.pid = task->tgid;
		own->last.command = SYSCALL_ARGUMENT_1(regs);
		return;
	}
}
