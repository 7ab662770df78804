// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The life of a socket beside its connections: socket, socketpair, bind, listen and shutdown, when the call has ended. */
#include "socket.h"

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_socket, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = get_scratch();
	struct record_socket *record;
	__u32 type = SYSCALL_ARGUMENT_2(regs);

	if (!scratch || is_own_process(task, INDEX_SOCKET))
		return 0;
	record = (struct record_socket *)scratch->record;
	fill_header(&record->header, task, EVENT_SOCKET);
	record->fd = result;
	record->domain = SYSCALL_ARGUMENT_1(regs);
	record->type = type;
	record->proto = SYSCALL_ARGUMENT_3(regs);
	record->flags = portable_socket_flags(type);
	send_record(scratch, sizeof(*record), INDEX_SOCKET);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_socketpair, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = get_scratch();
	struct record_socket_pair *record;
	int descriptors[2] = {-1, -1};

	if (!scratch || is_own_process(task, INDEX_SOCKETPAIR))
		return 0;
	record = (struct record_socket_pair *)scratch->record;
	fill_header(&record->header, task, EVENT_SOCKETPAIR);
	if (result == 0) {
		bpf_probe_read_user(descriptors, sizeof(descriptors), (void *)SYSCALL_ARGUMENT_4(regs));
		record->header.flags |= RECORD_USER_MEMORY;
	}
	record->res = result;
	record->fd1 = descriptors[0];
	record->fd2 = descriptors[1];
	record->domain = SYSCALL_ARGUMENT_1(regs);
	record->type = SYSCALL_ARGUMENT_2(regs);
	record->proto = SYSCALL_ARGUMENT_3(regs);
	send_record(scratch, sizeof(*record), INDEX_SOCKETPAIR);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_bind, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct request request = {.address = (void *)SYSCALL_ARGUMENT_2(regs), .length = SYSCALL_ARGUMENT_3(regs)};
	long fd = (int)SYSCALL_ARGUMENT_1(regs);
	struct sock *sock = sock_of_descriptor(task, fd);
	struct scratch *scratch = get_scratch();
	struct record_bound *record;

	if (!scratch || !sock || is_own_process(task, INDEX_BIND))
		return 0;
	record = (struct record_bound *)scratch->record;
	fill_header(&record->header, task, EVENT_BIND);
	record->res = result;
	record->fd = fd;
	record->l4proto = BPF_CORE_READ(sock, sk_protocol);
	if (result >= 0) {
		record->addr_length = append_local_address(scratch, sizeof(*record), sock, task);
	} else {
		record->header.flags |= RECORD_USER_MEMORY;
		record->addr_length = append_requested_address(scratch, sizeof(*record), &request, task);
	}
	send_record(scratch, sizeof(*record) + reread(&record->addr_length), INDEX_BIND);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_listen, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	long fd = (int)SYSCALL_ARGUMENT_1(regs);
	struct sock *sock = sock_of_descriptor(task, fd);
	struct scratch *scratch = get_scratch();
	struct record_listening *record;

	if (!scratch || !sock || is_own_process(task, INDEX_LISTEN))
		return 0;
	record = (struct record_listening *)scratch->record;
	fill_header(&record->header, task, EVENT_LISTEN);
	record->res = result;
	record->fd = fd;
	record->backlog = SYSCALL_ARGUMENT_2(regs);
	record->l4proto = BPF_CORE_READ(sock, sk_protocol);
	record->addr_length = append_local_address(scratch, sizeof(*record), sock, task);
	send_record(scratch, sizeof(*record) + reread(&record->addr_length), INDEX_LISTEN);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_shutdown, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	long fd = (int)SYSCALL_ARGUMENT_1(regs);
	struct sock *sock = sock_of_descriptor(task, fd);
	struct scratch *scratch = get_scratch();
	struct record_shut_down *record;

	if (!scratch || !sock || is_own_process(task, INDEX_SHUTDOWN))
		return 0;
	record = (struct record_shut_down *)scratch->record;
	fill_header(&record->header, task, EVENT_SHUTDOWN);
	record->res = result;
	record->fd = fd;
	record->how = shutdown_way(SYSCALL_ARGUMENT_2(regs));
	record->l4proto = BPF_CORE_READ(sock, sk_protocol);
	record->tuple_length = append_tuple(scratch, sizeof(*record), sock, named_end(sock), LOCAL_FIRST, task);
	send_record(scratch, sizeof(*record) + reread(&record->tuple_length), INDEX_SHUTDOWN);
	return 0;
}
