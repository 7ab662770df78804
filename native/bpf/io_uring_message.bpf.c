// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Data that is sent and received through io_uring, when the request has completed, and the results of requests that have
 * more than one. The bytes and headers are the caller's memory, as with the calls (message.bpf.c).
 */
#define OF_IO_URING
#include "io_uring_socket.h"
#include "report_message.h"

/* What is known of a message by the request alone. */
static __always_inline struct message message_of_request(struct io_kiocb *request)
{
	return (struct message){
		.fd = take_noted_descriptor(request),
		.result = BPF_CORE_READ(request, cqe.res),
	};
}

/* Before 6.10 the address stays in the caller's memory until it is sent to. */
static __always_inline struct request address_of_sent(struct scratch *scratch, struct io_kiocb *request)
{
	struct io_sr_msg___v610 *older = PART_OF_REQUEST(io_sr_msg___v610, request);

	if (FOR_TIER(0, 1)) /* whose kernels have no such requests that can be looked at */
		return (struct request){};
	if (!bpf_core_field_exists(older->addr))
		return take_noted_address(scratch, request);
	return (struct request){.address = BPF_CORE_READ(older, addr), .length = BPF_CORE_READ(older, addr_len)};
}

/* send and recv */
static __always_inline int report_buffer(struct io_kiocb *request, __u16 type, enum event_index index)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct io_sr_msg *asked = PART_OF_REQUEST(io_sr_msg, request);
	struct message message = message_of_request(request);
	struct sock *sock = sock_of_request(request);
	struct scratch *scratch = get_scratch();

	if (!sock || !scratch || !is_worth_a_look(index, message.result) || is_own_process(task, index))
		return 0;
	message.size = BPF_CORE_READ(asked, len);
	message.single.base = BPF_CORE_READ(asked, buf);
	message.single.length = message.size;
	if (index == INDEX_SENDTO)
		message.peer = address_of_sent(scratch, request);
	report_message(task, sock, &message, type, index);
	return 0;
}

/* sendmsg and recvmsg */
static __always_inline int report_header(struct io_kiocb *request, __u16 type, enum event_index index)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct io_sr_msg *asked = PART_OF_REQUEST(io_sr_msg, request);
	struct message message = message_of_request(request);
	struct sock *sock = sock_of_request(request);
	struct user_message user = {};

	if (!sock || !is_worth_a_look(index, message.result) || is_own_process(task, index))
		return 0;
	bpf_probe_read_user(&user, sizeof(user), (const void *)BPF_CORE_READ(asked, umsg));
	take_header(&message, &user);
	message.size = message.result > 0 ? message.result : 0;
	report_message(task, sock, &message, type, index);
	return 0;
}

/* The end of a request that receives for ever is no receive, but for what it failed with. */
static __always_inline int ends_receiving(struct io_ring_ctx *ring, struct io_kiocb *request)
{
	struct listening_key key = {.ring = (__u64)ring, .user_data = BPF_CORE_READ(request, cqe.user_data)};

	return bpf_map_delete_elem(&io_uring_receiving, &key) == 0 && BPF_CORE_READ(request, cqe.res) == -ECANCELED;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_send, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	return report_buffer(request, EVENT_SENDTO, INDEX_SENDTO);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_sendmsg, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	return report_header(request, EVENT_SENDMSG, INDEX_SENDMSG);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_recv, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	return ends_receiving(ring, request) ? 0 : report_buffer(request, EVENT_RECVFROM, INDEX_RECVFROM);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_recvmsg, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	return ends_receiving(ring, request) ? 0 : report_header(request, EVENT_RECVMSG, INDEX_RECVMSG);
}

/* Whom data came from is only known where the socket knows it: it lies in a buffer that the kernel has chosen. */
static __always_inline void report_received(const struct receiving *receiving, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	int has_header = receiving->operation == OPERATION_RECVMSG;
	enum event_index index = has_header ? INDEX_RECVMSG : INDEX_RECVFROM;
	struct message message = {
		.fd = receiving->descriptor,
		.result = result,
		.size = result > 0 ? result : 0,
	};

	if (result == -EAGAIN || !is_wanted(index) || is_own_process(task, index))
		return;
	if (!receiving->sock) {
		count_drop(index, DROP_IO_URING);
		return;
	}
	send_message(task, (struct sock *)receiving->sock, &message, has_header ? EVENT_RECVMSG : EVENT_RECVFROM,
		     index);
}

/*
 * One result of a request that accepts or receives more than once. Older kernels give this hook the result as a number
 * of its own instead of a structure, where a program that fits both can not read it: there such results are counted.
 */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_one_of_many, struct io_ring_ctx *ring, struct io_kiocb *request, struct io_uring_cqe *one)
{
	struct listening_key key = {.ring = (__u64)ring, .user_data = BPF_CORE_READ(one, user_data)};
	struct listening_key older = {.ring = (__u64)ring, .user_data = (__u64)one};
	__u8 *in_table = bpf_map_lookup_elem(&io_uring_listening, &key);
	struct receiving *receiving;

	if (in_table)
		return report_io_uring_accept(BPF_CORE_READ(one, res), !*in_table);
	receiving = bpf_map_lookup_elem(&io_uring_receiving, &key);
	if (receiving) {
		report_received(receiving, BPF_CORE_READ(one, res));
		return 0;
	}
	if (bpf_map_lookup_elem(&io_uring_listening, &older))
		count_drop(INDEX_ACCEPT4, DROP_IO_URING);
	else if (bpf_map_lookup_elem(&io_uring_receiving, &older))
		count_drop(INDEX_RECVFROM, DROP_IO_URING);
	return 0;
}
