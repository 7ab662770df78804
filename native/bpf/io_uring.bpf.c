// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Calls that are made through io_uring never pass the hook on system calls. Most of those that rules ask for are events
 * when they complete (handlers of io_uring_complete, beside those of the calls); others are counted, so that what is
 * not looked at is known. The kernel renamed the hook in 6.4 and changed what it gets before: one of the programs is
 * loaded, or none where there is no io_uring or the hook is another one still. Which, the sensor sees by the kernel's
 * types.
 */
#define OF_IO_URING
#include "call.h"
#include "closing.h"
#include "io_uring_socket.h"

#define FAMILIES 64 /* more than there are of addresses */

static __always_inline int count_operation(__u8 operation)
{
	struct task_struct *task = bpf_get_current_task_btf();
	enum event_index index;

	switch (operation) {
	case OPERATION_ACCEPT:
		index = INDEX_ACCEPT4;
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
	case OPERATION_CLOSE: /* of any file: what was written to is not told apart here */
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
	case OPERATION_SOCKET:
		index = INDEX_SOCKET;
		break;
	case OPERATION_BIND:
		index = INDEX_BIND;
		break;
	case OPERATION_LISTEN:
		index = INDEX_LISTEN;
		break;
	case OPERATION_SHUTDOWN:
		index = INDEX_SHUTDOWN;
		break;
	case OPERATION_SEND:
	case OPERATION_SEND_ZC:
		index = INDEX_SENDTO;
		break;
	case OPERATION_SENDMSG:
	case OPERATION_SENDMSG_ZC:
		index = INDEX_SENDMSG;
		break;
	case OPERATION_RECV:
	case OPERATION_RECV_ZC:
		index = INDEX_RECVFROM;
		break;
	case OPERATION_RECVMSG:
		index = INDEX_RECVMSG;
		break;
	default:
		return 0;
	}
	if (is_wanted(index) && !is_own_process(task, index))
		count_drop(index, DROP_IO_URING);
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

/* ---- what is noted when a request is submitted ---- */

static __always_inline int note_text(struct io_kiocb *request, int slot, const char *text)
{
	struct request_key key = {.request = (__u64)request, .slot = slot};
	struct scratch *scratch = get_scratch();
	long length;

	if (!scratch)
		return 0;
	length = bpf_probe_read_kernel_str(scratch->names[0], VALUE_MAXIMUM, text);
	forget_noted_name(request, slot); /* of a request that was at the same place, and was given up */
	if (length > SHORT_NAME_BYTES)
		bpf_map_update_elem(&io_uring_long_names, &key, scratch->names[0], BPF_ANY);
	else if (length > 0)
		bpf_map_update_elem(&io_uring_short_names, &key, scratch->names[0], BPF_ANY);
	return 0;
}

static __always_inline int note_name(struct io_kiocb *request, int slot, struct filename *filename)
{
	return note_text(request, slot, BPF_CORE_READ(filename, name));
}

/* A structure of these parts of a request has its names under names of its own. */
#define NOTE_NAME(request, part, name) note_name(request, 0, BPF_CORE_READ(PART_OF_REQUEST(part, request), name))
#define NOTE_NAMES(request, part)                                                                                      \
	(note_name(request, 0, BPF_CORE_READ(PART_OF_REQUEST(part, request), oldpath)),                                \
	 note_name(request, 1, BPF_CORE_READ(PART_OF_REQUEST(part, request), newpath)))

static __always_inline int note_descriptor(struct io_kiocb *request)
{
	int descriptor = request->cqe.fd;
	__u64 key = (__u64)request;

	bpf_map_update_elem(&io_uring_descriptors, &key, &descriptor, BPF_ANY);
	return 0;
}

/* An address is copied when the request is made, and its place is used again before the request has completed. */
static __always_inline int note_address(struct io_kiocb *request, const void *address, __u32 length)
{
	struct request_key key = {.request = (__u64)request};
	struct scratch *scratch = get_scratch();
	struct noted_address *noted;

	forget_noted_name(request, 0);
	if (!scratch || !address || length == 0)
		return 0;
	noted = (struct noted_address *)scratch->names[0];
	noted->length = length;
	bpf_probe_read_kernel(noted->bytes, NOTED_ADDRESS_BYTES, address);
	bpf_map_update_elem(&io_uring_short_names, &key, noted, BPF_ANY);
	return 0;
}

static __always_inline const void *address_of_message(void *held)
{
	return held ? (char *)held + bpf_core_field_offset(struct io_async_msghdr, addr) : NULL;
}

/*
 * What is held for a bind is the address alone, or in some kernels the same structure as for a message. That begins with
 * a pointer or zeros, an address with its family.
 */
static __always_inline int note_bind(struct io_kiocb *request)
{
	struct io_bind *bind = PART_OF_REQUEST(io_bind, request);
	const void *address = request->async_data;
	__u16 family = 0;

	note_descriptor(request);
	if (!bpf_core_type_exists(struct io_bind))
		return 0;
	bpf_probe_read_kernel(&family, sizeof(family), address);
	if (family == 0 || family >= FAMILIES)
		address = address_of_message(request->async_data);
	return note_address(request, address, BPF_CORE_READ(bind, addr_len));
}

static __always_inline int note_send(struct io_kiocb *request)
{
	struct io_async_msghdr *held = request->async_data;

	note_descriptor(request);
	if (bpf_core_field_exists(((struct io_sr_msg___v610 *)0)->addr)) /* there it stays where the caller has it */
		return 0;
	return note_address(request, address_of_message(held),
			    BPF_CORE_READ(held, msg.msg_name) ? BPF_CORE_READ(held, msg.msg_namelen) : 0);
}

/* Only those that have more than one result have to be known by what these have. */
static __always_inline int note_receive(struct io_kiocb *request)
{
	struct io_sr_msg *asked = PART_OF_REQUEST(io_sr_msg, request);
	struct listening_key key = {.ring = (__u64)BPF_CORE_READ(request, ctx), .user_data = request->cqe.user_data};
	struct receiving *other, receiving = {.operation = request->opcode, .descriptor = request->cqe.fd};

	note_descriptor(request);
	if (!(BPF_CORE_READ(asked, flags) & KERNEL_RECV_MULTISHOT))
		return 0;
	if (!(BPF_CORE_READ(request, flags) & KERNEL_FIXED_FILE))
		receiving.sock = (__u64)sock_of_descriptor(bpf_get_current_task_btf(), receiving.descriptor);
	other = bpf_map_lookup_elem(&io_uring_receiving, &key);
	if (other && other->sock != receiving.sock) /* nobody can tell their results apart */
		receiving.sock = 0;
	bpf_map_update_elem(&io_uring_receiving, &key, &receiving, BPF_ANY);
	return 0;
}

static __always_inline int note_attribute(struct io_kiocb *request)
{
	struct io_xattr *asked = PART_OF_REQUEST(io_xattr, request);
	struct xattr_name *name = BPF_CORE_READ(asked, ctx.kname);

	if (request->opcode == OPERATION_FSETXATTR)
		note_descriptor(request);
	else
		note_name(request, 0, BPF_CORE_READ(asked, filename));
	return note_text(request, 1, (const char *)name);
}

/* A file in the ring's own table is not looked at. */
static __always_inline int note_close(struct io_kiocb *request)
{
	struct io_close *close = PART_OF_REQUEST(io_close, request);

	if (BPF_CORE_READ(close, file_slot))
		return count_operation(OPERATION_CLOSE);
	report_closing(BPF_CORE_READ(close, fd), RECORD_IO_URING);
	return 0;
}

/* Only requests for more than one connection have to be known by what their results have. */
static __always_inline int note_accept(struct io_kiocb *request)
{
	struct listening_key key = {.ring = (__u64)BPF_CORE_READ(request, ctx), .user_data = request->cqe.user_data};
	struct io_accept *accept = PART_OF_REQUEST(io_accept, request);
	__u8 in_table = BPF_CORE_READ(accept, file_slot) != 0;

	if (BPF_CORE_READ(accept, iou_flags) & KERNEL_ACCEPT_MULTISHOT)
		bpf_map_update_elem(&io_uring_listening, &key, &in_table, BPF_ANY);
	return 0;
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(note_io_uring, struct io_kiocb *request)
{
	switch (request->opcode) {
	case OPERATION_OPENAT:
		return is_wanted(INDEX_OPENAT) ? NOTE_NAME(request, io_open, filename) : 0;
	case OPERATION_OPENAT2:
		return is_wanted(INDEX_OPENAT2) ? NOTE_NAME(request, io_open, filename) : 0;
	case OPERATION_UNLINKAT:
		return is_wanted(INDEX_UNLINKAT) ? NOTE_NAME(request, io_unlink, filename) : 0;
	case OPERATION_MKDIRAT:
		return is_wanted(INDEX_MKDIRAT) ? NOTE_NAME(request, io_mkdir, filename) : 0;
	case OPERATION_RENAMEAT:
		return is_wanted(INDEX_RENAMEAT2) ? NOTE_NAMES(request, io_rename) : 0;
	case OPERATION_LINKAT:
		return is_wanted(INDEX_LINKAT) ? NOTE_NAMES(request, io_link) : 0;
	case OPERATION_SYMLINKAT:
		return is_wanted(INDEX_SYMLINKAT) ? NOTE_NAMES(request, io_link) : 0;
	case OPERATION_CONNECT:
		return is_wanted(INDEX_CONNECT) ? note_descriptor(request) : 0;
	case OPERATION_ACCEPT:
		return is_wanted(INDEX_ACCEPT4) ? note_accept(request) : 0;
	case OPERATION_SOCKET:
		return 0; /* all is there when it has completed */
	case OPERATION_BIND:
		return is_wanted(INDEX_BIND) ? note_bind(request) : 0;
	case OPERATION_LISTEN:
		return is_wanted(INDEX_LISTEN) ? note_descriptor(request) : 0;
	case OPERATION_SHUTDOWN:
		return is_wanted(INDEX_SHUTDOWN) ? note_descriptor(request) : 0;
	case OPERATION_SEND:
	case OPERATION_SEND_ZC:
		return is_wanted(INDEX_SENDTO) || is_wanted(INDEX_DNS) ? note_send(request) : 0;
	case OPERATION_SENDMSG:
	case OPERATION_SENDMSG_ZC:
		return is_wanted(INDEX_SENDMSG) || is_wanted(INDEX_DNS) ? note_descriptor(request) : 0;
	case OPERATION_RECV:
		return is_wanted(INDEX_RECVFROM) || is_wanted(INDEX_DNS) ? note_receive(request) : 0;
	case OPERATION_RECVMSG:
		return is_wanted(INDEX_RECVMSG) || is_wanted(INDEX_DNS) ? note_receive(request) : 0;
	case OPERATION_FTRUNCATE:
		return is_wanted(INDEX_FTRUNCATE) ? note_descriptor(request) : 0;
	case OPERATION_FSETXATTR:
		return is_wanted(INDEX_FSETXATTR) ? note_attribute(request) : 0;
	case OPERATION_SETXATTR:
		return is_wanted(INDEX_SETXATTR) ? note_attribute(request) : 0;
	case OPERATION_CLOSE:
		return is_wanted(INDEX_CLOSE) ? note_close(request) : 0;
	default:
		return count_operation(request->opcode);
	}
}

/* ---- completion ---- */

/* Attached while rules ask for one of these operations. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(dispatch_io_uring, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	__u32 operation = OPERATION_ONE_OF_MANY;

	if (request)
		operation = BPF_CORE_READ(request, opcode);
	bpf_tail_call(ctx, &io_uring_handlers, operation);
	return 0;
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
