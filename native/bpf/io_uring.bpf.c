// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls that are made through io_uring never pass the hook on system calls. Those that would be events are counted
 * here, so that what is not looked at is known. The kernel renamed the hook in 6.4: one of the two is loaded, or none
 * where there is no io_uring.
 */
#include "event.h"

/* enum io_uring_op of linux/io_uring.h */
#define OPERATION_ACCEPT 13
#define OPERATION_CONNECT 16
#define OPERATION_OPENAT 18
#define OPERATION_CLOSE 19
#define OPERATION_OPENAT2 28
#define OPERATION_RENAMEAT 35
#define OPERATION_UNLINKAT 36
#define OPERATION_MKDIRAT 37
#define OPERATION_SYMLINKAT 38
#define OPERATION_LINKAT 39
#define OPERATION_FSETXATTR 41
#define OPERATION_SETXATTR 42
#define OPERATION_FTRUNCATE 55

static __always_inline int count_operation(struct io_kiocb *request)
{
	struct task_struct *task = bpf_get_current_task_btf();
	enum event_index index;

	switch (request->opcode) {
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

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(count_io_uring, struct io_kiocb *request)
{
	return count_operation(request);
}

SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(count_io_uring_before_6_4, struct io_kiocb *request)
{
	return count_operation(request);
}
