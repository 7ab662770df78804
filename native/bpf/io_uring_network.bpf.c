// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Connections through io_uring, when the request has completed. */
#include "io_uring.h"
#include "socket.h"

/* The socket that a request is about; NULL when it is about another file. */
static __always_inline struct sock *sock_of_request(struct io_kiocb *request)
{
	struct file *file = BPF_CORE_READ(request, file);
	struct socket *socket;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & FILE_TYPE_MASK) != FILE_TYPE_SOCKET)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

/* The descriptor, or the place in the ring's own table, that the request named. */
static __always_inline long take_noted_descriptor(struct io_kiocb *request)
{
	__u64 key = (__u64)request;
	int *noted = bpf_map_lookup_elem(&io_uring_descriptors, &key);
	long descriptor = noted ? *noted : -1;

	bpf_map_delete_elem(&io_uring_descriptors, &key);
	return descriptor;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_connect, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct io_connect *connect = PART_OF_REQUEST(io_connect, request);
	struct request asked = {BPF_CORE_READ(connect, addr), BPF_CORE_READ(connect, addr_len)};
	long result = BPF_CORE_READ(request, cqe.res), descriptor = take_noted_descriptor(request);
	struct sock *sock = sock_of_request(request);
	struct scratch *scratch;
	struct record_connection *record;
	__u32 length;

	if (!sock)
		return 0;
	scratch = begin_io_uring_record(EVENT_CONNECT, INDEX_CONNECT);
	if (!scratch)
		return 0;
	record = (struct record_connection *)scratch->record;
	if (knows_remote(sock, result)) {
		length = append_tuple(scratch, sizeof(*record), sock, unix_peer(sock), LOCAL_FIRST, task);
	} else {
		record->header.flags |= RECORD_USER_MEMORY;
		length = append_requested_tuple(scratch, sizeof(*record), &asked, NULL, task);
	}
	if (length == 0) /* other families; a connection dissolved */
		return 0;
	record->res = result;
	record->fd = descriptor;
	record->l4proto = BPF_CORE_READ(sock, sk_protocol);
	record->tuple_length = length;
	record->fingerprint = 0; /* as opens through io_uring: the fingerprint would not know of the ring */
	send_record(scratch, sizeof(*record) + reread(&record->tuple_length), INDEX_CONNECT);
	return 0;
}

/* A socket that goes into the ring's own table has no descriptor to look it up by. */
static __always_inline int report_io_uring_accept(long result, int has_descriptor)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch;
	struct record_accepted *record;
	struct sock *sock = NULL;

	if (is_no_accept(result))
		return 0;
	scratch = begin_io_uring_record(EVENT_ACCEPT4, INDEX_ACCEPT4);
	if (!scratch)
		return 0;
	record = (struct record_accepted *)scratch->record;
	record->fd = result;
	record->l4proto = 0;
	record->tuple_length = 0;
	record->fingerprint = 0;
	if (result >= 0 && has_descriptor)
		sock = sock_of_descriptor(task, result);
	if (sock) {
		record->l4proto = BPF_CORE_READ(sock, sk_protocol);
		record->tuple_length = append_tuple(scratch, sizeof(*record), sock, sock, REMOTE_FIRST, task);
	}
	send_record(scratch, sizeof(*record) + reread(&record->tuple_length), INDEX_ACCEPT4);
	return 0;
}

/* The end of a request that accepts for ever is no accept. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_accept, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	struct io_accept *accept = PART_OF_REQUEST(io_accept, request);
	struct listening_key key = {.ring = (__u64)ring, .user_data = BPF_CORE_READ(request, cqe.user_data)};
	long result = BPF_CORE_READ(request, cqe.res);

	if (bpf_map_delete_elem(&io_uring_listening, &key) == 0 && result == -ECANCELED)
		return 0;
	return report_io_uring_accept(result, BPF_CORE_READ(accept, file_slot) == 0);
}

/*
 * One connection of a request that accepts more than one. Older kernels give this hook the result as a number of its
 * own instead of a structure, where a program that fits both can not read it: there such connections are counted.
 */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_accept_more, struct io_ring_ctx *ring, struct io_kiocb *request, struct io_uring_cqe *one)
{
	struct listening_key key = {.ring = (__u64)ring, .user_data = BPF_CORE_READ(one, user_data)};
	struct listening_key older = {.ring = (__u64)ring, .user_data = (__u64)one};
	__u8 *in_table = bpf_map_lookup_elem(&io_uring_listening, &key);

	if (in_table)
		return report_io_uring_accept(BPF_CORE_READ(one, res), !*in_table);
	if (bpf_map_lookup_elem(&io_uring_listening, &older))
		count_drop(INDEX_ACCEPT4, DROP_IO_URING);
	return 0;
}
