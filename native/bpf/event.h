/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a record is made and sent: this CPU's scratch buffer is filled from the front (header, fixed part, then the
 * variable-size values one behind the other) and copied into the ring buffer of this CPU in one piece. All programs
 * but the snapshot run with preemption disabled, so nobody else writes into the buffer meanwhile.
 */
#pragma once

#include "tier.h"
#include "typed.h"
#include "event_table.h"

#define SCRATCH_BYTES 32768	 /* a record's most bytes; a power of two, so that offsets can be masked */
#define VALUE_MAXIMUM 4096	 /* a variable-size value's most bytes: PATH_MAX, and Falco's limit for arguments */
#define OWN_PROCESS_MAXIMUM 8	 /* supervisor, sensor, engine; some to spare */
#define RUNS_NO_PROGRAM_YET 0x40 /* PF_FORKNOEXEC: a copy of its parent, which it has of each new thread too */

/* The verifier forgets what is known of a value behind this, so that it looks at the mask that follows. */
#ifndef barrier_var
#define barrier_var(value) asm volatile("" : "+r"(value))
#endif

/*
 * Memory to build one record and one path in, and for two names as a caller wrote them. VALUE_MAXIMUM behind each end
 * keeps masked access inside.
 */
struct scratch {
	__u8 record[SCRATCH_BYTES + VALUE_MAXIMUM];
	__u8 path[2 * VALUE_MAXIMUM];
	__u8 names[2][VALUE_MAXIMUM];
	__u8 behind[VALUE_MAXIMUM];
};

struct counters {
	__u64 sent;
	__u32 sequence; /* of the records of this CPU, dropped ones included */
	__u64 dropped[INDEX_COUNT][DROP_REASON_COUNT];
};

/*
 * The maps are weak because each family declares them: the linker keeps one of each.
 *
 * A scratch buffer for each CPU and, behind them, one for the snapshot. Not a per-CPU map: those are limited to 32 KiB.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the sensor sets the number of CPUs + 1 */
	__type(key, __u32);
	__type(value, struct scratch);
} scratch_buffers __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} counter_buffers __weak SEC(".maps");

struct ring_template {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* the sensor gives the real size */
};

/* One ring buffer for each CPU: writers never wait for each other. Filled by the sensor. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1); /* the sensor sets the number of CPUs */
	__type(key, __u32);
	__array(values, struct ring_template);
} rings __weak SEC(".maps");

/* What the sensor finds out before it attaches the programs. */
struct settings {
	__u32 own_processes[OWN_PROCESS_MAXIMUM]; /* Hullwatch's thread groups: counted, not reported. 0 = unused */
	__u32 memory_hierarchy; /* of the version 1 memory controller; 0: it is in the unified hierarchy */
	__u32 snapshot_scratch; /* key of the snapshot's scratch buffer */
	__u32 host_mounts;	/* the number of the sensor's own mount namespace: containers have others */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings_buffer __weak SEC(".maps");

/* Which events are to be sent, for system calls that can be more than one. The sensor writes it. */
struct interest {
	__u8 wanted[INDEX_COUNT];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct interest);
} interest_buffer __weak SEC(".maps");

static __always_inline int is_wanted(enum event_index index)
{
	__u32 zero = 0;
	struct interest *interest = bpf_map_lookup_elem(&interest_buffer, &zero);

	return interest && index < INDEX_COUNT && interest->wanted[index];
}

static __always_inline struct scratch *get_scratch(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&scratch_buffers, &cpu);
}

static __always_inline struct settings *get_settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings_buffer, &zero);
}

static __always_inline void count_drop(enum event_index index, enum drop_reasons reason)
{
	__u32 zero = 0;
	struct counters *counters = bpf_map_lookup_elem(&counter_buffers, &zero);

	if (counters)
		counters->dropped[index][reason]++;
}

/*
 * Whether the running thread is of a copy of the supervisor, the first of the processes that are known: what it starts
 * after the sensor belongs to Hullwatch from its first call on. Nearly all threads end at their flags, which a program has
 * cleared. Not inline: it stands in front of nearly everything, and the verifier would follow each of its branches there.
 */
static __noinline __attribute__((unused)) int is_copy_of(__u32 supervisor)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!(READ(task, flags) & RUNS_NO_PROGRAM_YET) || !(READ(task, group_leader, flags) & RUNS_NO_PROGRAM_YET))
		return 0;
	return (__u32)READ(task, group_leader, real_parent, tgid) == supervisor;
}

/* Whether the running thread belongs to Hullwatch; counts it if so. */
static __always_inline int is_own_process(struct task_struct *task, enum event_index index)
{
	struct settings *settings = get_settings();
	__u32 tgid = READ(task, tgid);

	if (!settings)
		return 0;
	for (int i = 0; i < OWN_PROCESS_MAXIMUM; i++) {
		if (settings->own_processes[i] == 0)
			break;
		if (settings->own_processes[i] == tgid) {
			count_drop(index, DROP_OWN_PROCESS);
			return 1;
		}
	}
	if (!settings->own_processes[0] || !is_copy_of(settings->own_processes[0]))
		return 0;
	count_drop(index, DROP_OWN_PROCESS);
	return 1;
}

/* The memory controller's cgroup of a task: containers always have one of their own in it. */
static __always_inline struct cgroup *memory_cgroup(struct task_struct *task)
{
	struct css_set *css_set = READ(task, cgroups);
	int index = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	struct cgroup_subsys_state *css = read_pointer(&css_set->subsys[index]);

	return KERNEL_READ(css, cgroup);
}

static __always_inline __u64 cgroup_id_of(struct task_struct *task, __u32 hierarchy)
{
	if (hierarchy == 0)
		return READ(task, cgroups, dfl_cgrp, kn, id);
	return KERNEL_READ(memory_cgroup(task), kn, id);
}

/* All of a header but the time. */
static __always_inline void fill_caller(struct record_header *header, struct task_struct *task, __u16 type)
{
	struct settings *settings = get_settings();
	__u32 hierarchy = settings ? settings->memory_hierarchy : 0;

	header->type = type;
	header->flags = 0;
	header->process_start = READ(task, group_leader, start_boottime);
	header->cgroup_hierarchy = hierarchy;
	header->cgroup_id = cgroup_id_of(task, hierarchy);
	header->uid = READ(task, cred, euid.val);
	header->pid = READ(task, tgid);
	header->tid = READ(task, pid);
	header->cpu = bpf_get_smp_processor_id();
	header->reserved = 0;
}

static __always_inline void fill_header(struct record_header *header, struct task_struct *task, __u16 type)
{
	fill_caller(header, task, type);
	header->time = bpf_ktime_get_boot_ns();
}

/* The record to fill, with its header; NULL when there is nothing to report. */
static __always_inline struct scratch *begin_record(__u16 type, enum event_index index)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = get_scratch();

	if (!scratch || is_own_process(task, index))
		return NULL;
	fill_header((struct record_header *)scratch->record, task, type);
	return scratch;
}

/* Close the record that ends at `end` and put it into this CPU's ring buffer, without waking anybody. */
static __always_inline void send_record(struct scratch *scratch, __u32 end, enum event_index index)
{
	struct record_header *header = (struct record_header *)scratch->record;
	__u32 zero = 0, cpu = bpf_get_smp_processor_id();
	struct counters *counters = bpf_map_lookup_elem(&counter_buffers, &zero);
	void *ring = bpf_map_lookup_elem(&rings, &cpu);

	if (!counters)
		return;
	header->sequence = counters->sequence++;
	end = (end + 7) & ~7u;
	barrier_var(end);
	end &= SCRATCH_BYTES - 1;
	header->length = end;
	if (ring && bpf_ringbuf_output(ring, scratch->record, end, BPF_RB_NO_WAKEUP) == 0)
		counters->sent++;
	else
		counters->dropped[index][DROP_RING_FULL]++;
}

/* Append `length` bytes of kernel memory at `position`; returns the length that was written. */
static __always_inline __u32 append_kernel(struct scratch *scratch, __u32 position, const void *source, __u32 length)
{
	barrier_var(position);
	position &= SCRATCH_BYTES - 1;
	barrier_var(length);
	length &= VALUE_MAXIMUM - 1;
	if (bpf_probe_read_kernel(&scratch->record[position], length, source))
		return 0;
	return length;
}

/* Append a string of kernel memory without its end mark. */
static __always_inline __u32 append_kernel_string(struct scratch *scratch, __u32 position, const char *source)
{
	long length;

	barrier_var(position);
	position &= SCRATCH_BYTES - 1;
	length = bpf_probe_read_kernel_str(&scratch->record[position], VALUE_MAXIMUM, source);
	return length > 0 ? length - 1 : 0;
}

/* Append a string of the caller's memory without its end mark; it may be anything, and may change meanwhile. */
static __always_inline __u32 append_user_string(struct scratch *scratch, __u32 position, const void *source)
{
	long length;

	barrier_var(position);
	position &= SCRATCH_BYTES - 1;
	length = bpf_probe_read_user_str(&scratch->record[position], VALUE_MAXIMUM, source);
	return length > 0 ? length - 1 : 0;
}

/*
 * Read a length back from the buffer. The verifier then forgets how it came about, and does not follow each way of
 * getting there (cut, unreadable, empty) on its own through everything that comes after: 300 times less work.
 */
static __always_inline __u32 reread(const __u16 *length)
{
	return *(const volatile __u16 *)length;
}

/* Device numbers as stat() gives them; the kernel keeps 12 bits of major over 20 bits of minor. */
static __always_inline __u32 encode_device(__u32 major, __u32 minor)
{
	return (minor & 0xff) | (major << 8) | ((minor & ~0xffu) << 12);
}
