// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Connections over IPv4, IPv6 and unix sockets: connect, accept and accept4, when the call has ended. */
#include "ruled_out_peer.h"

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_connect, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct request request = {.address = (void *)SYSCALL_ARGUMENT_2(regs), .length = SYSCALL_ARGUMENT_3(regs)};
	long fd = (int)SYSCALL_ARGUMENT_1(regs);
	struct sock *sock = sock_of_descriptor(task, fd);
	struct scratch *scratch = get_scratch();
	struct record_connection *record;
	__u64 begun = begin_fingerprint();
	__u32 length;

	if (!scratch || !sock || is_own_process(task, INDEX_CONNECT))
		return 0;
	record = (struct record_connection *)scratch->record;
	fill_header(&record->header, task, EVENT_CONNECT);
	if (knows_remote(sock, result)) {
		length = append_tuple(scratch, sizeof(*record), sock, unix_peer(sock), LOCAL_FIRST, task);
	} else {
		record->header.flags |= RECORD_USER_MEMORY;
		length = append_requested_tuple(scratch, sizeof(*record), &request, NULL, task);
	}
	if (length == 0) /* other families; a connection dissolved */
		return 0;
	record->res = result;
	record->fd = fd;
	record->l4proto = BPF_CORE_READ(sock, sk_protocol);
	record->tuple_length = length;
	length = reread(&record->tuple_length);
	record->fingerprint = fingerprint_peer(begun, scratch, task, sizeof(*record), length,
					       (__u16)record->res << 8 | record->l4proto);
	if (!is_left_out(record->fingerprint, INDEX_CONNECT))
		send_record(scratch, sizeof(*record) + length, INDEX_CONNECT);
	return 0;
}

static __always_inline int report_accept(__u16 type, enum event_index index, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = get_scratch();
	struct record_accepted *record;
	__u64 begun = begin_fingerprint();
	struct sock *sock = NULL;
	__u32 length;

	if (!scratch || is_no_accept(result) || is_own_process(task, index))
		return 0;
	record = (struct record_accepted *)scratch->record;
	fill_header(&record->header, task, type);
	record->fd = result;
	record->l4proto = 0;
	record->tuple_length = 0;
	if (result >= 0)
		sock = sock_of_descriptor(task, result);
	if (sock) {
		record->l4proto = BPF_CORE_READ(sock, sk_protocol);
		record->tuple_length = append_tuple(scratch, sizeof(*record), sock, sock, REMOTE_FIRST, task);
	}
	length = reread(&record->tuple_length); /* none: a failed call, or a socket of another family */
	record->fingerprint = fingerprint_peer(begun, scratch, task, sizeof(*record), length, record->l4proto);
	if (!is_left_out(record->fingerprint, index))
		send_record(scratch, sizeof(*record) + length, index);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_accept, struct pt_regs *regs, long result)
{
	return report_accept(EVENT_ACCEPT, INDEX_ACCEPT, result);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_accept4, struct pt_regs *regs, long result)
{
	return report_accept(EVENT_ACCEPT4, INDEX_ACCEPT4, result);
}
