// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What one process does to another one, or to itself: tracing, foreign memory, signals, prctl(). */
#include "call.h"
#include "descriptor.h"

#define PR_SET_NAME 15

/* ptrace() requests, which the kernel numbers with gaps: from one number on, in Falco's values (0 = none). */
#define REQUESTS_LOW 34
#define REQUESTS_HIGH 0x4200
#define REQUESTS_HIGH_COUNT 12
static const __u8 low_requests[REQUESTS_LOW] = {
	[0] = PTRACE_REQUEST_PTRACE_TRACEME,
	[1] = PTRACE_REQUEST_PTRACE_PEEKTEXT,
	[2] = PTRACE_REQUEST_PTRACE_PEEKDATA,
	[3] = PTRACE_REQUEST_PTRACE_PEEKUSR,
	[4] = PTRACE_REQUEST_PTRACE_POKETEXT,
	[5] = PTRACE_REQUEST_PTRACE_POKEDATA,
	[6] = PTRACE_REQUEST_PTRACE_POKEUSR,
	[7] = PTRACE_REQUEST_PTRACE_CONT,
	[8] = PTRACE_REQUEST_PTRACE_KILL,
	[9] = PTRACE_REQUEST_PTRACE_SINGLESTEP,
	[12] = PTRACE_REQUEST_PTRACE_GETREGS,
	[13] = PTRACE_REQUEST_PTRACE_SETREGS,
	[14] = PTRACE_REQUEST_PTRACE_GETFPREGS,
	[15] = PTRACE_REQUEST_PTRACE_SETFPREGS,
	[16] = PTRACE_REQUEST_PTRACE_ATTACH,
	[17] = PTRACE_REQUEST_PTRACE_DETACH,
	[18] = PTRACE_REQUEST_PTRACE_GETFPXREGS,
	[19] = PTRACE_REQUEST_PTRACE_SETFPXREGS,
	[21] = PTRACE_REQUEST_PTRACE_OLDSETOPTIONS,
	[24] = PTRACE_REQUEST_PTRACE_SYSCALL,
	[25] = PTRACE_REQUEST_PTRACE_GET_THREAD_AREA,
	[26] = PTRACE_REQUEST_PTRACE_SET_THREAD_AREA,
	[30] = PTRACE_REQUEST_PTRACE_ARCH_PRCTL,
	[31] = PTRACE_REQUEST_PTRACE_SYSEMU,
	[32] = PTRACE_REQUEST_PTRACE_SYSEMU_SINGLESTEP,
	[33] = PTRACE_REQUEST_PTRACE_SINGLEBLOCK,
};
static const __u8 high_requests[REQUESTS_HIGH_COUNT] = {
	PTRACE_REQUEST_PTRACE_SETOPTIONS,  PTRACE_REQUEST_PTRACE_GETEVENTMSG, PTRACE_REQUEST_PTRACE_GETSIGINFO,
	PTRACE_REQUEST_PTRACE_SETSIGINFO,  PTRACE_REQUEST_PTRACE_GETREGSET,   PTRACE_REQUEST_PTRACE_SETREGSET,
	PTRACE_REQUEST_PTRACE_SEIZE,	   PTRACE_REQUEST_PTRACE_INTERRUPT,   PTRACE_REQUEST_PTRACE_LISTEN,
	PTRACE_REQUEST_PTRACE_PEEKSIGINFO, PTRACE_REQUEST_PTRACE_GETSIGMASK,  PTRACE_REQUEST_PTRACE_SETSIGMASK,
};

static __always_inline __u16 portable_request(__u64 request)
{
	if (request < REQUESTS_LOW)
		return low_requests[request];
	if (request >= REQUESTS_HIGH && request < REQUESTS_HIGH + REQUESTS_HIGH_COUNT)
		return high_requests[request - REQUESTS_HIGH];
	return PTRACE_REQUEST_PTRACE_UNKNOWN;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_ptrace, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(PTRACE));
	struct record_trace *record;

	if (!scratch)
		return 0;
	record = (struct record_trace *)scratch->record;
	record->res = result;
	record->request = portable_request(SYSCALL_ARGUMENT_1(regs));
	record->pid = (int)SYSCALL_ARGUMENT_2(regs);
	record->addr = SYSCALL_ARGUMENT_3(regs);
	record->data = SYSCALL_ARGUMENT_4(regs);
	send_record(scratch, sizeof(*record), INDEX_PTRACE);
	return 0;
}

static __always_inline int report_foreign_memory(__u16 type, enum event_index index, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(type, index);
	struct record_foreign_memory *record;

	if (!scratch)
		return 0;
	record = (struct record_foreign_memory *)scratch->record;
	record->res = result;
	record->pid = (int)SYSCALL_ARGUMENT_1(regs);
	send_record(scratch, sizeof(*record), index);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_process_vm_readv, struct pt_regs *regs, long result)
{
	return report_foreign_memory(NAMED(PROCESS_VM_READV), regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_process_vm_writev, struct pt_regs *regs, long result)
{
	return report_foreign_memory(NAMED(PROCESS_VM_WRITEV), regs, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_kill, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(KILL));
	struct record_signal_process *record;

	if (!scratch)
		return 0;
	record = (struct record_signal_process *)scratch->record;
	record->res = result;
	record->pid = (int)SYSCALL_ARGUMENT_1(regs);
	record->sig = SYSCALL_ARGUMENT_2(regs);
	send_record(scratch, sizeof(*record), INDEX_KILL);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_tkill, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(TKILL));
	struct record_signal_thread *record;

	if (!scratch)
		return 0;
	record = (struct record_signal_thread *)scratch->record;
	record->res = result;
	record->tid = (int)SYSCALL_ARGUMENT_1(regs);
	record->sig = SYSCALL_ARGUMENT_2(regs);
	send_record(scratch, sizeof(*record), INDEX_TKILL);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_tgkill, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(TGKILL));
	struct record_signal_thread_of_process *record;

	if (!scratch)
		return 0;
	record = (struct record_signal_thread_of_process *)scratch->record;
	record->res = result;
	record->pid = (int)SYSCALL_ARGUMENT_1(regs);
	record->tid = (int)SYSCALL_ARGUMENT_2(regs);
	record->sig = SYSCALL_ARGUMENT_3(regs);
	send_record(scratch, sizeof(*record), INDEX_TGKILL);
	return 0;
}

#define PIDTYPE_TGID 1 /* enum pid_type of the kernel */
#define PIDFD_FILE_SYSTEM 0x50494446
#define PROC_FILE_SYSTEM 0x9fa0
#define ANONYMOUS_FILE_SYSTEM 0x09041934 /* of pidfds before 6.9 */

/* The process that a descriptor stands for: a pidfd, or a process's directory in proc. NULL for any other. */
static __always_inline struct pid *process_of_descriptor(struct task_struct *task, long fd)
{
	struct file *file = file_of_descriptor(task, fd);
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	unsigned long kind = BPF_CORE_READ(inode, i_sb, s_magic);

	if (kind == PIDFD_FILE_SYSTEM)
		return BPF_CORE_READ(inode, i_private);
	if (kind == ANONYMOUS_FILE_SYSTEM)
		return BPF_CORE_READ(file, private_data);
	if (kind == PROC_FILE_SYSTEM)
		return BPF_CORE_READ(
			(struct proc_inode *)((char *)inode - bpf_core_field_offset(struct proc_inode, vfs_inode)),
			pid);
	return NULL;
}

/* A process's number as the running thread's pid namespace counts; 0 for one that is in none of its namespaces. */
static __always_inline int number_for_caller(struct task_struct *task, struct pid *pid)
{
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct pid *own = NULL;
	int number = 0;
	__u32 level;

	bpf_core_read(&own, sizeof(own), &signal->pids[PIDTYPE_TGID]);
	level = BPF_CORE_READ(own, level);
	if (level > BPF_CORE_READ(pid, level))
		return 0;
	bpf_probe_read_kernel(&number, sizeof(number),
			      (char *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid));
	return number;
}

/* The same as kill(), to the process behind a descriptor. */
SEC("tp_btf/sys_exit")
int BPF_PROG(handle_pidfd_send_signal, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pid *pid = process_of_descriptor(task, (int)SYSCALL_ARGUMENT_1(regs));
	struct record_signal_process *record;
	struct scratch *scratch;

	if (!pid)
		return 0;
	scratch = begin_record(NAMED(KILL));
	if (!scratch)
		return 0;
	record = (struct record_signal_process *)scratch->record;
	record->res = result;
	record->pid = number_for_caller(task, pid);
	record->sig = SYSCALL_ARGUMENT_2(regs);
	send_record(scratch, sizeof(*record), INDEX_KILL);
	return 0;
}

/* The name that a thread gave itself is in the kernel; one that it could not give is where it wrote it. */
SEC("tp_btf/sys_exit")
int BPF_PROG(handle_prctl, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = begin_record(NAMED(PRCTL));
	struct record_process_option *record;
	__u32 position = sizeof(*record);

	if (!scratch)
		return 0;
	record = (struct record_process_option *)scratch->record;
	record->res = result;
	record->option = SYSCALL_ARGUMENT_1(regs);
	record->arg2_int = record->option == PR_SET_NAME ? 0 : SYSCALL_ARGUMENT_2(regs);
	record->arg2_str_length = 0;
	if (record->option == PR_SET_NAME)
		record->arg2_str_length =
			result == 0 ? append_kernel_string(scratch, position,
							   (void *)__builtin_preserve_access_index(&task->comm))
				    : append_caller_string(scratch, position, (void *)SYSCALL_ARGUMENT_2(regs));
	send_record(scratch, position + reread(&record->arg2_str_length), INDEX_PRCTL);
	return 0;
}
