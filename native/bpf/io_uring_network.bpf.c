// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Sockets and connections through io_uring, when the request has completed. */
#define OF_IO_URING
#include "io_uring_socket.h"

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_connect, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct io_connect *connect = PART_OF_REQUEST(io_connect, request);
	struct request asked = {.address = BPF_CORE_READ(connect, addr), .length = BPF_CORE_READ(connect, addr_len)};
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

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_socket, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	struct scratch *scratch = begin_io_uring_record(EVENT_SOCKET, INDEX_SOCKET);
	struct io_socket *asked = PART_OF_REQUEST(io_socket, request);
	struct record_socket *record;

	if (!scratch || !bpf_core_type_exists(struct io_socket))
		return 0;
	record = (struct record_socket *)scratch->record;
	record->fd = BPF_CORE_READ(request, cqe.res);
	record->domain = BPF_CORE_READ(asked, domain);
	record->type = BPF_CORE_READ(asked, type);
	record->proto = BPF_CORE_READ(asked, protocol);
	record->flags = portable_socket_flags(record->type);
	send_record(scratch, sizeof(*record), INDEX_SOCKET);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_bind, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	struct task_struct *task = bpf_get_current_task_btf();
	long result = BPF_CORE_READ(request, cqe.res), descriptor = take_noted_descriptor(request);
	struct sock *sock = sock_of_request(request);
	struct scratch *scratch = sock ? begin_io_uring_record(EVENT_BIND, INDEX_BIND) : NULL;
	struct record_bound *record;
	struct request asked;

	if (!scratch)
		return 0;
	record = (struct record_bound *)scratch->record;
	record->res = result;
	record->fd = descriptor;
	record->l4proto = BPF_CORE_READ(sock, sk_protocol);
	record->addr_length = 0;
	asked = take_noted_address(scratch, request);
	if (result >= 0) {
		record->addr_length = append_local_address(scratch, sizeof(*record), sock, task);
	} else if (asked.address) {
		record->header.flags |= RECORD_USER_MEMORY;
		record->addr_length = append_requested_address(scratch, sizeof(*record), &asked, task);
	}
	send_record(scratch, sizeof(*record) + reread(&record->addr_length), INDEX_BIND);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_listen, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct io_listen *listen = PART_OF_REQUEST(io_listen, request);
	long result = BPF_CORE_READ(request, cqe.res), descriptor = take_noted_descriptor(request);
	struct sock *sock = sock_of_request(request);
	struct scratch *scratch = sock ? begin_io_uring_record(EVENT_LISTEN, INDEX_LISTEN) : NULL;
	struct record_listening *record;

	if (!scratch || !bpf_core_type_exists(struct io_listen))
		return 0;
	record = (struct record_listening *)scratch->record;
	record->res = result;
	record->fd = descriptor;
	record->backlog = BPF_CORE_READ(listen, backlog);
	record->l4proto = BPF_CORE_READ(sock, sk_protocol);
	record->addr_length = append_local_address(scratch, sizeof(*record), sock, task);
	send_record(scratch, sizeof(*record) + reread(&record->addr_length), INDEX_LISTEN);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_shutdown, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct io_shutdown *shutdown = PART_OF_REQUEST(io_shutdown, request);
	long result = BPF_CORE_READ(request, cqe.res), descriptor = take_noted_descriptor(request);
	struct sock *sock = sock_of_request(request);
	struct scratch *scratch = sock ? begin_io_uring_record(EVENT_SHUTDOWN, INDEX_SHUTDOWN) : NULL;
	struct record_shut_down *record;

	if (!scratch)
		return 0;
	record = (struct record_shut_down *)scratch->record;
	record->res = result;
	record->fd = descriptor;
	record->how = shutdown_way(BPF_CORE_READ(shutdown, how));
	record->l4proto = BPF_CORE_READ(sock, sk_protocol);
	record->tuple_length = append_tuple(scratch, sizeof(*record), sock, named_end(sock), LOCAL_FIRST, task);
	send_record(scratch, sizeof(*record) + reread(&record->tuple_length), INDEX_SHUTDOWN);
	return 0;
}
