// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls by processes that no rule can match whatever they do: most of what a rule without an event type asks for.
 *
 * The sensor puts this program before the handlers of calls that processes can be ruled out for. A process is known by
 * a fingerprint of all that it can be judged by (ruled_out.h), made anew for each call: one that runs another program,
 * changes its user or directory or is moved to another control group is another one from that moment on, and so is
 * every process when a new generation begins. One that is not known is sent in full; when it has made some calls the
 * engine is asked for it, by a record in the stream, and answers with the calls that it does not need from it.
 */
#include "ruled_out.h"

#define JUDGED_ENTRIES 8192 /* processes that are known; a power of two, as in process_interest.c */
#define CLASS_BITS 10	    /* lowest bits of an entry: which calls are left out */
#define CLASSES (1 << CLASS_BITS)
#define CALLS 512      /* numbers of system calls; a power of two, as in dispatch.bpf.c */
#define COUNT_BITS 16  /* lowest bits of an entry of those that are not known: their calls */
#define ASKED_AFTER 32 /* calls: an answer costs the engine as much as some dozen of them */

/* By the fingerprint's middle bits: the fingerprint of a process, and in its lowest bits the class that was answered. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, JUDGED_ENTRIES);
	__type(key, __u32);
	__type(value, __u64);
} judged_processes SEC(".maps");

/* In the same places: the fingerprint of a process that is not known, and in its lowest bits how many calls it made. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, JUDGED_ENTRIES);
	__type(key, __u32);
	__type(value, __u64);
} waiting_processes SEC(".maps");

/* What the classes leave out: a bit for each number of a call. A class that is in use is never changed. */
struct call_classes {
	__u64 left_out[CLASSES][CALLS / 64];
	__u16 indexes[CALLS]; /* of the events, to count by */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct call_classes);
} call_classes_buffer SEC(".maps");

struct call_handlers {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, CALLS);
	__type(key, __u32);
	__type(value, __u32);
};

/* The handlers that stand behind these programs, as those of dispatch.bpf.c. */
struct call_handlers narrowed_handlers SEC(".maps");
struct call_handlers narrowed_enter_handlers SEC(".maps");

/* Of a process as it is now; 0 when nothing is remembered. The generation is read first: see ruled_out_peer.h. */
static __always_inline __u64 fingerprint_process(struct task_struct *task)
{
	struct remembering *remembering = get_remembering();
	struct settings *settings = get_settings();
	struct record_header header = {};

	if (!remembering || !settings || !remembering->generation)
		return 0;
	header.process_start = READ(task, group_leader, start_boottime);
	header.cgroup_hierarchy = settings->memory_hierarchy;
	header.cgroup_id = cgroup_id_of(task, settings->memory_hierarchy);
	header.uid = READ(task, cred, euid.val);
	header.pid = READ(task, tgid);
	return mix_process(mix(remembering->secret, remembering->generation), task, &header);
}

static __always_inline void send_question(__u64 fingerprint)
{
	struct scratch *scratch = begin_record(EVENT_PROCESS_QUESTION, INDEX_PROCESS_QUESTION);
	struct record_process_question *record;

	if (!scratch)
		return;
	record = (struct record_process_question *)scratch->record;
	record->fingerprint = fingerprint;
	send_record(scratch, sizeof(*record), INDEX_PROCESS_QUESTION);
}

/* A question may stay without answer, as long as a container is not known: it is asked again, less and less often. */
static __always_inline void count_call(__u64 fingerprint, __u32 place)
{
	__u64 *waiting = bpf_map_lookup_elem(&waiting_processes, &place);
	__u64 last = (1 << COUNT_BITS) - 1, calls;

	if (!waiting)
		return;
	calls = (*waiting ^ fingerprint) >> COUNT_BITS ? 0 : *waiting & last;
	if (calls == last)
		return;
	calls++;
	*waiting = (fingerprint & ~last) | calls;
	if (calls >= ASKED_AFTER && !(calls & (calls - 1)))
		send_question(fingerprint);
}

/* Whether no rule can match this call by this process; counts it if so. */
static __always_inline int is_ruled_out_for(struct task_struct *task, __u32 number)
{
	__u64 fingerprint = fingerprint_process(task), entry, index;
	__u32 zero = 0, place = fingerprint >> CLASS_BITS & (JUDGED_ENTRIES - 1);
	__u64 *judged = bpf_map_lookup_elem(&judged_processes, &place);
	struct call_classes *classes = bpf_map_lookup_elem(&call_classes_buffer, &zero);

	if (!fingerprint || !judged || !classes)
		return 0;
	entry = *(volatile __u64 *)judged;
	if ((entry ^ fingerprint) >> CLASS_BITS) {
		count_call(fingerprint, place);
		return 0;
	}
	number &= CALLS - 1;
	if (!(classes->left_out[entry & (CLASSES - 1)][number / 64] >> number % 64 & 1))
		return 0;
	index = classes->indexes[number];
	barrier_var(index);
	if (index < INDEX_COUNT)
		count_drop(index, DROP_RULED_OUT);
	return 1;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(narrow_system_call, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	long number = SYSCALL_NUMBER(regs);

	if (!is_ruled_out_for(task, number))
		bpf_tail_call(ctx, &narrowed_handlers, number);
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(narrow_system_call_enter, struct pt_regs *regs, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!is_ruled_out_for(task, number))
		bpf_tail_call(ctx, &narrowed_enter_handlers, number);
	return 0;
}
