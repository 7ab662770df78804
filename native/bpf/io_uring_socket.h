/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The socket that a request of io_uring is about, and the address that it was given. */
#pragma once

#include "io_uring.h"
#include "socket.h"

#define NOTED_ADDRESS_BYTES 128 /* struct sockaddr_storage */

/* An address that was noted when the request was made, in the place of a name. */
struct noted_address {
	__u32 length;
	__u8 bytes[NOTED_ADDRESS_BYTES];
};

/* The socket; NULL when the request is about another file. */
static __always_inline struct sock *sock_of_request(struct io_kiocb *request)
{
	struct file *file = BPF_CORE_READ(request, file);
	struct socket *socket;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & FILE_TYPE_MASK) != FILE_TYPE_SOCKET)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

/* Take the address that was noted into scratch->names[1]; one without an address if there was none. */
static __always_inline struct request take_noted_address(struct scratch *scratch, struct io_kiocb *request)
{
	struct request_key key = {.request = (__u64)request};
	struct noted_address *noted = bpf_map_lookup_elem(&io_uring_short_names, &key);
	struct request taken = {.is_noted = 1};

	if (!noted)
		return taken;
	taken.length = noted->length;
	bpf_probe_read_kernel(scratch->names[1], NOTED_ADDRESS_BYTES, noted->bytes);
	taken.address = scratch->names[1];
	bpf_map_delete_elem(&io_uring_short_names, &key);
	return taken;
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
