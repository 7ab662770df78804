// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Processes: exec, fork and exit. These carry the state that everything else is judged with, so they are never off. */
#include "environment.h"
#include "program.h"

#define EEXIST 17
#define ENDED_KEPT 4096	    /* far more than can end between two threads of one process */
#define SIGNAL_GROUP_EXIT 4 /* signal->flags: the whole process ends, its code is in group_exit_code */

/* Numbers of system calls, to name an event after the call that made it. */
#if defined(__TARGET_ARCH_x86)
#define NUMBER_CLONE 56
#define NUMBER_FORK 57
#define NUMBER_VFORK 58
#define NUMBER_EXECVEAT 322
#else
#define NUMBER_CLONE 220
#define NUMBER_FORK -2
#define NUMBER_VFORK -3
#define NUMBER_EXECVEAT 281
#endif
#define NUMBER_CLONE3 435

static __always_inline __u32 append_arguments(struct scratch *scratch, __u32 position, struct task_struct *task)
{
	struct record_header *header = (struct record_header *)scratch->record;
	unsigned long start = READ(task, mm, arg_start);
	unsigned long length = READ(task, mm, arg_end) - start;

	if (length > VALUE_MAXIMUM - 1) {
		length = VALUE_MAXIMUM - 1;
		header->flags |= RECORD_TRUNCATED;
	}
	barrier_var(position);
	position &= SCRATCH_BYTES - 1;
	barrier_var(length);
	length &= VALUE_MAXIMUM - 1;
	if (bpf_probe_read_user(&scratch->record[position], length, (void *)start)) {
		count_drop(INDEX_EXECVE, DROP_UNREADABLE);
		return 0;
	}
	return length;
}

#define PREPARED_KEPT 1024 /* far more than can be between two steps of their exec at once */

/* Threads whose exec was asked for by execveat(), from the moment that it cannot go back until it is done. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PREPARED_KEPT);
	__type(key, __u64);
	__type(value, __u8);
} execveat_calls SEC(".maps");

/* Whether a thread is among them, no more after this. To look costs a fraction of deleting what is not there. */
static __always_inline int was_noted(__u64 *key)
{
	return bpf_map_lookup_elem(&execveat_calls, key) && bpf_map_delete_elem(&execveat_calls, key) == 0;
}

/* x86 overwrites the number of the system call before the exec is done: here it is still there. Since 6.10. */
SEC("tp_btf/sched_prepare_exec")
int BPF_PROG(note_execveat, struct task_struct *leader, struct linux_binprm *program)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 key = (__u64)task;
	__u8 noted = 1;

	if (system_call_of(task) == NUMBER_EXECVEAT)
		bpf_map_update_elem(&execveat_calls, &key, &noted, BPF_ANY);
	else
		was_noted(&key); /* for an exec that ended half-way */
	return 0;
}

/*
 * execveat() of a descriptor has a made-up path there. Where execveat() of a plain path could not be noted, it is
 * reported as what it amounts to, an execve().
 */
static __always_inline int was_execveat(struct task_struct *task, struct linux_binprm *program)
{
	__u64 key = (__u64)task;

	return system_call_of(task) == NUMBER_EXECVEAT || BPF_CORE_READ(program, fdpath) || was_noted(&key);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(handle_exec, struct task_struct *leader, int old_pid, struct linux_binprm *program)
{
	struct task_struct *task = bpf_get_current_task_btf();
	int is_execveat = was_execveat(task, program);
	struct scratch *scratch = get_scratch();
	struct record_program *record;
	__u32 position = sizeof(*record);

	if (READ(task, children.next) != (void *)&task->children) /* their parent is another one from now on */
		begin_generation();
	if (!scratch || is_own_process(task, is_execveat ? INDEX_EXECVEAT : INDEX_EXECVE))
		return 0;
	record = (struct record_program *)scratch->record;
	fill_header(&record->header, task, is_execveat ? EVENT_EXECVEAT : EVENT_EXECVE);
	record->res = 0;
	fill_identity(record, task);
	record->argv_length = append_arguments(scratch, position, task);
	position += reread(&record->argv_length);
	position = append_places(scratch, position, task);
	record->filename_length = append_kernel_string(scratch, position, BPF_CORE_READ(program, filename));
	position += reread(&record->filename_length);
	record->env_length = append_environment(scratch, position, task);
	position += reread(&record->env_length);
	record->ancestors_length = append_ancestors(scratch, position, task);
	position += reread(&record->ancestors_length);
	send_record(scratch, position, is_execveat ? INDEX_EXECVEAT : INDEX_EXECVE);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(handle_fork, struct task_struct *parent, struct task_struct *child)
{
	struct task_struct *task = bpf_get_current_task_btf();
	long number = system_call_of(task);
	struct scratch *scratch = get_scratch();
	struct record_new_process *record;
	__u32 position = sizeof(*record);
	__u16 type = EVENT_CLONE;
	enum event_index index = INDEX_CLONE;

	if (child->tgid != child->pid) /* a thread */
		return 0;
	if (number == NUMBER_FORK) {
		type = EVENT_FORK;
		index = INDEX_FORK;
	} else if (number == NUMBER_VFORK) {
		type = EVENT_VFORK;
		index = INDEX_VFORK;
	} else if (number == NUMBER_CLONE3) {
		type = EVENT_CLONE3;
		index = INDEX_CLONE3;
	}
	if (!scratch || is_own_process(task, index))
		return 0;
	record = (struct record_new_process *)scratch->record;
	fill_header(&record->header, task, type);
	record->res = child->pid;
	record->child_start = child->start_boottime;
	record->vpid = number_of(child, PIDTYPE_TGID, 1);
	record->comm_length =
		append_kernel_string(scratch, sizeof(*record), (void *)__builtin_preserve_access_index(&child->comm));
	position += reread(&record->comm_length);
	record->namespaces_length = lives_elsewhere(child, task) ? append_namespaces(scratch, position, child) : 0;
	send_record(scratch, position + reread(&record->namespaces_length), index);
	return 0;
}

struct process_key {
	__u64 start;
	__u64 pid;
};

/* Processes whose end was reported lately. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, ENDED_KEPT);
	__type(key, struct process_key);
	__type(value, __u8);
} ended_processes SEC(".maps");

/*
 * Two threads that end at once may both see that no other lives: the first of them reports the end. Where the thread is
 * the last one that the process still has, another that came here before it has noted so, for it was not the last one.
 */
static __always_inline int is_first_to_end(struct task_struct *task)
{
	struct process_key key = {.start = READ(task, group_leader, start_boottime), .pid = READ(task, tgid)};
	__u8 noted = 1;

	if (READ(task, signal, nr_threads) == 1)
		return !bpf_map_lookup_elem(&ended_processes, &key);
	/* Any other error is no reason to keep silent. */
	return bpf_map_update_elem(&ended_processes, &key, &noted, BPF_NOEXIST) != -EEXIST;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(handle_exit, struct task_struct *ending)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = get_scratch();
	struct record_process_end *record;
	int status;

	if (READ(task, signal, live.counter) != 0) /* other threads go on */
		return 0;
	if (!scratch || !is_first_to_end(task) || is_own_process(task, INDEX_PROCEXIT))
		return 0;
	status = READ(task, signal, flags) & SIGNAL_GROUP_EXIT ? READ(task, signal, group_exit_code)
							       : READ(task, group_leader, exit_code);
	record = (struct record_process_end *)scratch->record;
	fill_header(&record->header, task, EVENT_PROCEXIT);
	record->status = status;
	record->ret = (status >> 8) & 0xff;
	record->sig = status & 0x7f;
	record->core = (status >> 7) & 1;
	send_record(scratch, sizeof(*record), INDEX_PROCEXIT);
	return 0;
}
