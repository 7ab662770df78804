// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls that are made through io_uring never pass the hook on system calls. Opens are events (handle_io_uring_open in
 * file.bpf.c, with what is noted here); others that would be events are counted, so that what is not looked at is
 * known. The kernel renamed the hook in 6.4 and changed what it gets before: one of the programs is loaded, or none where
 * there is no io_uring or the hook is another one still. Which, the sensor sees by the kernel's types.
 */
#include "call.h"
#include "descriptor.h"
#include "io_uring.h"

static __always_inline int count_operation(__u8 operation)
{
	struct task_struct *task = bpf_get_current_task_btf();
	enum event_index index;

	switch (operation) {
	case OPERATION_ACCEPT:
		index = INDEX_ACCEPT;
		break;
	case OPERATION_CONNECT:
		index = INDEX_CONNECT;
		break;
	case OPERATION_OPENAT:
		index = INDEX_OPENAT;
		break;
	case OPERATION_OPENAT2:
		index = INDEX_OPENAT2;
		break;
	case OPERATION_CLOSE: /* of any descriptor: what was written to is not told apart here */
		index = INDEX_CLOSE;
		break;
	case OPERATION_RENAMEAT:
		index = INDEX_RENAMEAT2;
		break;
	case OPERATION_UNLINKAT:
		index = INDEX_UNLINKAT;
		break;
	case OPERATION_MKDIRAT:
		index = INDEX_MKDIRAT;
		break;
	case OPERATION_SYMLINKAT:
		index = INDEX_SYMLINKAT;
		break;
	case OPERATION_LINKAT:
		index = INDEX_LINKAT;
		break;
	case OPERATION_FSETXATTR:
		index = INDEX_FSETXATTR;
		break;
	case OPERATION_SETXATTR:
		index = INDEX_SETXATTR;
		break;
	case OPERATION_FTRUNCATE:
		index = INDEX_FTRUNCATE;
		break;
	default:
		return 0;
	}
	if (!is_own_process(task, index))
		count_drop(index, DROP_IO_URING);
	return 0;
}

static __always_inline void note_name(struct io_kiocb *request)
{
	struct filename *filename = BPF_CORE_READ(open_of_request(request), filename);
	struct io_uring_name noted = {};
	__u64 key = (__u64)request;

	bpf_probe_read_kernel_str(noted.name, sizeof(noted.name), BPF_CORE_READ(filename, name));
	bpf_map_update_elem(&io_uring_names, &key, &noted, BPF_ANY);
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(count_io_uring, struct io_kiocb *request)
{
	__u8 operation = request->opcode;

	if (operation != OPERATION_OPENAT && operation != OPERATION_OPENAT2)
		return count_operation(operation);
	if (is_open_wanted(operation))
		note_name(request);
	return 0;
}

SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(count_io_uring_before_6_4, struct io_kiocb *request)
{
	return count_operation(request->opcode);
}

SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(count_io_uring_before_6_0, void *ring, void *request, __u8 operation)
{
	return count_operation(operation);
}

/* ---- the calls that make a ring and feed it ---- */

/* The kernel's IORING_SETUP_* (linux/io_uring.h) in Falco's portable values, which have a gap of their own. */
static __always_inline __u32 portable_setup_flags(__u32 flags)
{
	__u32 portable = flags & (IO_URING_SETUP_FLAG_IORING_SETUP_IOPOLL | IO_URING_SETUP_FLAG_IORING_SETUP_SQPOLL);

	portable |= flags & (1 << 2) ? IO_URING_SETUP_FLAG_IORING_SETUP_SQ_AFF : 0;
	portable |= flags & (1 << 3) ? IO_URING_SETUP_FLAG_IORING_SETUP_CQSIZE : 0;
	portable |= flags & (1 << 4) ? IO_URING_SETUP_FLAG_IORING_SETUP_CLAMP : 0;
	portable |= flags & (1 << 5) ? IO_URING_SETUP_FLAG_IORING_SETUP_ATTACH_RW : 0;
	portable |= flags & (1 << 6) ? IO_URING_SETUP_FLAG_IORING_SETUP_R_DISABLED : 0;
	return portable;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_io_uring_setup, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = begin_record(NAMED(IO_URING_SETUP));
	struct record_io_uring_setup *record;
	struct io_ring_ctx *ring;

	if (!scratch)
		return 0;
	record = (struct record_io_uring_setup *)scratch->record;
	record->res = result;
	record->entries = SYSCALL_ARGUMENT_1(regs);
	ring = BPF_CORE_READ(file_of_descriptor(task, result), private_data);
	record->sq_entries = ring ? BPF_CORE_READ(ring, sq_entries) : 0;
	record->cq_entries = ring ? BPF_CORE_READ(ring, cq_entries) : 0;
	record->flags = ring ? portable_setup_flags(BPF_CORE_READ(ring, flags)) : 0;
	send_record(scratch, sizeof(*record), INDEX_IO_URING_SETUP);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_io_uring_enter, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(IO_URING_ENTER));
	struct record_io_uring_enter *record;

	if (!scratch)
		return 0;
	record = (struct record_io_uring_enter *)scratch->record;
	record->res = result;
	record->fd = (int)SYSCALL_ARGUMENT_1(regs);
	record->to_submit = SYSCALL_ARGUMENT_2(regs);
	record->min_complete = SYSCALL_ARGUMENT_3(regs);
	record->flags = SYSCALL_ARGUMENT_4(regs);
	send_record(scratch, sizeof(*record), INDEX_IO_URING_ENTER);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_io_uring_register, struct pt_regs *regs, long result)
{
	struct scratch *scratch = begin_record(NAMED(IO_URING_REGISTER));
	struct record_io_uring_register *record;

	if (!scratch)
		return 0;
	record = (struct record_io_uring_register *)scratch->record;
	record->res = result;
	record->fd = (int)SYSCALL_ARGUMENT_1(regs);
	record->opcode = SYSCALL_ARGUMENT_2(regs);
	record->arg = SYSCALL_ARGUMENT_3(regs);
	record->nr_args = SYSCALL_ARGUMENT_4(regs);
	send_record(scratch, sizeof(*record), INDEX_IO_URING_REGISTER);
	return 0;
}
