// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Connections over IPv4 and IPv6: connect, accept and accept4, when the call has ended. */
#include "descriptor.h"
#include <bpf/bpf_endian.h>

#define EINPROGRESS 115 /* a non-blocking socket: the connection is on its way */
#define FAMILY_IPV4 2
#define FAMILY_IPV6 10
#define FILE_TYPE_MASK 0170000
#define FILE_TYPE_SOCKET 0140000

/* Falco's SOCKTUPLE: the family, then address and port of the source and of the destination, without padding. */
struct tuple_ipv4 {
	__u8 family;
	__u8 source[4];
	__u16 source_port;
	__u8 destination[4];
	__u16 destination_port;
} __attribute__((packed));

struct tuple_ipv6 {
	__u8 family;
	__u8 source[16];
	__u16 source_port;
	__u8 destination[16];
	__u16 destination_port;
} __attribute__((packed));

/* What a caller gives to connect(): struct sockaddr_in and sockaddr_in6. */
struct user_address {
	__u16 family;
	__be16 port;
	__u8 ipv4[4];
	__u8 ipv6[16];
};

/* Which end of the socket is the tuple's source. */
enum tuple_order { LOCAL_FIRST, REMOTE_FIRST };

static __always_inline struct sock *sock_of_descriptor(struct task_struct *task, long fd)
{
	struct file *file = file_of_descriptor(task, fd);
	struct socket *socket;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & FILE_TYPE_MASK) != FILE_TYPE_SOCKET)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

static __always_inline __u32 write_ipv4(void *target, struct sock_common *sock, enum tuple_order order)
{
	struct tuple_ipv4 tuple = {.family = FAMILY_IPV4};
	__be32 local = BPF_CORE_READ(sock, skc_rcv_saddr), remote = BPF_CORE_READ(sock, skc_daddr);
	__u16 local_port = BPF_CORE_READ(sock, skc_num);
	__u16 remote_port = bpf_ntohs(BPF_CORE_READ(sock, skc_dport));

	__builtin_memcpy(tuple.source, order == LOCAL_FIRST ? &local : &remote, 4);
	__builtin_memcpy(tuple.destination, order == LOCAL_FIRST ? &remote : &local, 4);
	tuple.source_port = order == LOCAL_FIRST ? local_port : remote_port;
	tuple.destination_port = order == LOCAL_FIRST ? remote_port : local_port;
	__builtin_memcpy(target, &tuple, sizeof(tuple));
	return sizeof(tuple);
}

static __always_inline __u32 write_ipv6(void *target, struct sock_common *sock, enum tuple_order order)
{
	struct tuple_ipv6 tuple = {.family = FAMILY_IPV6};
	struct in6_addr local = BPF_CORE_READ(sock, skc_v6_rcv_saddr), remote = BPF_CORE_READ(sock, skc_v6_daddr);
	__u16 local_port = BPF_CORE_READ(sock, skc_num);
	__u16 remote_port = bpf_ntohs(BPF_CORE_READ(sock, skc_dport));

	__builtin_memcpy(tuple.source, order == LOCAL_FIRST ? &local : &remote, 16);
	__builtin_memcpy(tuple.destination, order == LOCAL_FIRST ? &remote : &local, 16);
	tuple.source_port = order == LOCAL_FIRST ? local_port : remote_port;
	tuple.destination_port = order == LOCAL_FIRST ? remote_port : local_port;
	__builtin_memcpy(target, &tuple, sizeof(tuple));
	return sizeof(tuple);
}

/* The tuple as the kernel has it; 0 for a socket of another family. */
static __always_inline __u32 write_tuple(void *target, struct sock *sock, enum tuple_order order)
{
	struct sock_common *common = __builtin_preserve_access_index(&sock->__sk_common);
	__u16 family = BPF_CORE_READ(common, skc_family);

	if (family == FAMILY_IPV4)
		return write_ipv4(target, common, order);
	if (family == FAMILY_IPV6)
		return write_ipv6(target, common, order);
	return 0;
}

/* What the caller asked for. */
static __always_inline __u32 write_requested(void *target, const void *address)
{
	struct user_address user = {};

	bpf_probe_read_user(&user.family, sizeof(user.family), address);
	bpf_probe_read_user(&user.port, sizeof(user.port), address + 2);
	if (user.family == FAMILY_IPV4) {
		struct tuple_ipv4 tuple = {.family = FAMILY_IPV4, .destination_port = bpf_ntohs(user.port)};

		bpf_probe_read_user(tuple.destination, 4, address + 4);
		__builtin_memcpy(target, &tuple, sizeof(tuple));
		return sizeof(tuple);
	}
	if (user.family == FAMILY_IPV6) {
		struct tuple_ipv6 tuple = {.family = FAMILY_IPV6, .destination_port = bpf_ntohs(user.port)};

		bpf_probe_read_user(tuple.destination, 16, address + 8);
		__builtin_memcpy(target, &tuple, sizeof(tuple));
		return sizeof(tuple);
	}
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(handle_connect, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	long fd = (int)SYSCALL_ARGUMENT_1(regs);
	struct sock *sock = sock_of_descriptor(task, fd);
	struct scratch *scratch = get_scratch();
	struct record_connection *record;
	void *tuple;
	__u32 length;

	if (!scratch || !sock || is_own_process(task, INDEX_CONNECT))
		return 0;
	record = (struct record_connection *)scratch->record;
	tuple = scratch->record + sizeof(*record);
	fill_header(&record->header, task, EVENT_CONNECT);
	/* After a failure the socket has no remote end, or one of an earlier call. */
	if ((result >= 0 || result == -EINPROGRESS) && BPF_CORE_READ(sock, __sk_common.skc_dport)) {
		length = write_tuple(tuple, sock, LOCAL_FIRST);
	} else {
		record->header.flags |= RECORD_USER_MEMORY;
		length = write_requested(tuple, (void *)SYSCALL_ARGUMENT_2(regs));
	}
	if (length == 0) /* unix sockets and other families */
		return 0;
	record->res = result;
	record->fd = fd;
	record->l4proto = BPF_CORE_READ(sock, sk_protocol);
	record->tuple_length = length;
	send_record(scratch, sizeof(*record) + length, INDEX_CONNECT);
	return 0;
}

static __always_inline int report_accept(__u16 type, enum event_index index, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch = get_scratch();
	struct record_accepted *record;
	struct sock *sock;
	__u32 length;

	if (!scratch || result < 0)
		return 0; /* nobody came: there is no connection to report */
	sock = sock_of_descriptor(task, result);
	if (!sock || is_own_process(task, index))
		return 0;
	record = (struct record_accepted *)scratch->record;
	fill_header(&record->header, task, type);
	length = write_tuple(scratch->record + sizeof(*record), sock, REMOTE_FIRST);
	if (length == 0)
		return 0;
	record->fd = result;
	record->l4proto = BPF_CORE_READ(sock, sk_protocol);
	record->tuple_length = length;
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
