/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sockets and their addresses, in the two forms that records have: a SOCKTUPLE is the family and both ends, a SOCKADDR
 * the family and one end. Ends come from the kernel's socket or, where only the caller has them, from its memory.
 */
#pragma once

#include "descriptor.h"
#include "path.h"
#include <bpf/bpf_endian.h>

#define EAGAIN 11
#define EINPROGRESS 115 /* a non-blocking socket: the connection is on its way */
#define ERESTARTSYS 512 /* this and the next few never reach the caller: the call is made again */
#define ERESTART_LAST 516
#define ECANCELED 125
#define FAMILY_ANY 0
#define FAMILY_UNIX 1
#define FAMILY_IPV4 2
#define FAMILY_IPV6 10
#define PROTOCOL_TCP 6
#define FILE_TYPE_MASK 0170000
#define FILE_TYPE_SOCKET 0140000
#define UNIX_NAME_MAXIMUM 108 /* of a unix socket's name in an address */
#define UNIX_NAME_OFFSET 2    /* of the name in struct sockaddr_un */
#define KERNEL_SOCK_NONBLOCK KERNEL_O_NONBLOCK
#define KERNEL_SOCK_CLOEXEC KERNEL_O_CLOEXEC
#define SHUT_BOTH 2 /* the highest value of shutdown() that means something */
#define SHUT_OTHER 255
#define ABSTRACT_MARK '@' /* stands for the zero byte that a name in no file system begins with */

struct end_ipv4 {
	__u8 address[4];
	__u16 port;
} __attribute__((packed));

struct end_ipv6 {
	__u8 address[16];
	__u16 port;
} __attribute__((packed));

struct address_ipv4 {
	__u8 family;
	struct end_ipv4 end;
} __attribute__((packed));

struct address_ipv6 {
	__u8 family;
	struct end_ipv6 end;
} __attribute__((packed));

struct tuple_ipv4 {
	__u8 family;
	struct end_ipv4 source, destination;
} __attribute__((packed));

struct tuple_ipv6 {
	__u8 family;
	struct end_ipv6 source, destination;
} __attribute__((packed));

/* The path follows. Where Falco has addresses of the kernel's memory are zeros: those are nobody's business. */
struct tuple_unix {
	__u8 family;
	__u8 source[8], destination[8];
} __attribute__((packed));

/* What a caller gives: struct sockaddr_in and sockaddr_in6 have these two in common. */
struct user_address {
	__u16 family;
	__be16 port;
};

/*
 * Requests of io_uring have addresses that were noted when they were made: their files say `#define OF_IO_URING` before
 * they include anything. The programs of calls have no byte of it, for their stacks are nearly full. In the basic tier
 * there are no such requests.
 */
#ifdef OF_IO_URING
#define IS_NOTED(request) FOR_TIER((request)->is_noted, 0)
#else
#define IS_NOTED(request) 0
#endif

/* An address in the caller's memory, or as it was noted of it; `length` is what the caller says that it has. */
struct request {
	const void *address;
	__u32 length;
#ifdef OF_IO_URING
	__u32 is_noted;
#endif
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

static __always_inline __u16 family_of(struct sock *sock)
{
	return BPF_CORE_READ(sock, __sk_common.skc_family);
}

static __always_inline int has_remote(struct sock *sock)
{
	return BPF_CORE_READ(sock, __sk_common.skc_dport) != 0;
}

/* The socket at the other end of a unix socket; NULL without. */
static __always_inline struct sock *unix_peer(struct sock *sock)
{
	if (!bpf_core_type_exists(struct unix_sock))
		return NULL;
	return BPF_CORE_READ((struct unix_sock *)sock, peer);
}

/* The end that has a name: that of the other socket or, where a server sends, our own. */
static __always_inline struct sock *named_end(struct sock *sock)
{
	struct sock *peer;

	if (family_of(sock) != FAMILY_UNIX)
		return sock;
	peer = unix_peer(sock);
	return peer && BPF_CORE_READ((struct unix_sock *)peer, addr) ? peer : sock;
}

/* The flags that a caller adds to the type of a new socket. */
static __always_inline __u32 portable_socket_flags(__u32 type)
{
	return (type & KERNEL_SOCK_NONBLOCK ? FILE_O_NONBLOCK : 0) | (type & KERNEL_SOCK_CLOEXEC ? FILE_O_CLOEXEC : 0);
}

static __always_inline __u8 shutdown_way(__u32 how)
{
	return how <= SHUT_BOTH ? how : SHUT_OTHER;
}

/* Whether the kernel's socket says where a call to connect() went. After a failure it has the end of an earlier one. */
static __always_inline int knows_remote(struct sock *sock, long result)
{
	if (result < 0 && result != -EINPROGRESS)
		return 0;
	return family_of(sock) == FAMILY_UNIX ? unix_peer(sock) != NULL : has_remote(sock);
}

/* A call that found nobody, as those of programs that wait by other means do all the time, or that is made again. */
static __always_inline int is_no_accept(long result)
{
	return result == -EAGAIN || (result <= -ERESTARTSYS && result >= -ERESTART_LAST);
}

/* ---- from the kernel's socket ---- */

static __always_inline void read_local_ipv4(struct end_ipv4 *end, struct sock *sock)
{
	__be32 address = BPF_CORE_READ(sock, __sk_common.skc_rcv_saddr);

	__builtin_memcpy(end->address, &address, sizeof(end->address));
	end->port = BPF_CORE_READ(sock, __sk_common.skc_num);
}

static __always_inline void read_remote_ipv4(struct end_ipv4 *end, struct sock *sock)
{
	__be32 address = BPF_CORE_READ(sock, __sk_common.skc_daddr);

	__builtin_memcpy(end->address, &address, sizeof(end->address));
	end->port = bpf_ntohs(BPF_CORE_READ(sock, __sk_common.skc_dport));
}

static __always_inline void read_local_ipv6(struct end_ipv6 *end, struct sock *sock)
{
	struct in6_addr address = BPF_CORE_READ(sock, __sk_common.skc_v6_rcv_saddr);

	__builtin_memcpy(end->address, &address, sizeof(end->address));
	end->port = BPF_CORE_READ(sock, __sk_common.skc_num);
}

static __always_inline void read_remote_ipv6(struct end_ipv6 *end, struct sock *sock)
{
	struct in6_addr address = BPF_CORE_READ(sock, __sk_common.skc_v6_daddr);

	__builtin_memcpy(end->address, &address, sizeof(end->address));
	end->port = bpf_ntohs(BPF_CORE_READ(sock, __sk_common.skc_dport));
}

/*
 * The name that a unix socket is bound to: a file's path, "@name" for one in no file system, nothing without.
 * An accepted socket has the name of the one that listened. Of a closed one the path is left as it was written.
 */
static __always_inline __u32 append_unix_name(struct scratch *scratch, __u32 position, struct sock *sock,
					      struct task_struct *task)
{
	struct unix_sock *unix_sock = (struct unix_sock *)sock;
	struct unix_address *address;
	__u32 length;

	if (!sock || !bpf_core_type_exists(struct unix_sock))
		return 0;
	if (BPF_CORE_READ(unix_sock, path.dentry))
		return append_path(scratch, position, __builtin_preserve_access_index(&unix_sock->path), task);
	address = BPF_CORE_READ(unix_sock, addr);
	length = BPF_CORE_READ(address, len) - UNIX_NAME_OFFSET;
	if (!address || length == 0 || length > UNIX_NAME_MAXIMUM)
		return 0;
	length = append_kernel(scratch, position,
			       (char *)address + bpf_core_field_offset(struct unix_address, name) + UNIX_NAME_OFFSET,
			       length);
	position &= SCRATCH_BYTES - 1;
	if (scratch->record[position])
		return length ? length - 1 : 0; /* a path's length counts the zero byte that ends it */
	scratch->record[position] = ABSTRACT_MARK;
	return length;
}

static __always_inline __u32 begin_unix_tuple(struct scratch *scratch, __u32 position)
{
	struct tuple_unix tuple = {.family = FAMILY_UNIX};

	__builtin_memcpy(&scratch->record[position], &tuple, sizeof(tuple));
	return sizeof(tuple);
}

static __always_inline __u32 append_ipv4_tuple(struct scratch *scratch, __u32 position, struct sock *sock,
					       enum tuple_order order)
{
	struct tuple_ipv4 tuple = {.family = FAMILY_IPV4};

	read_local_ipv4(order == LOCAL_FIRST ? &tuple.source : &tuple.destination, sock);
	read_remote_ipv4(order == LOCAL_FIRST ? &tuple.destination : &tuple.source, sock);
	__builtin_memcpy(&scratch->record[position], &tuple, sizeof(tuple));
	return sizeof(tuple);
}

static __always_inline __u32 append_ipv6_tuple(struct scratch *scratch, __u32 position, struct sock *sock,
					       enum tuple_order order)
{
	struct tuple_ipv6 tuple = {.family = FAMILY_IPV6};

	read_local_ipv6(order == LOCAL_FIRST ? &tuple.source : &tuple.destination, sock);
	read_remote_ipv6(order == LOCAL_FIRST ? &tuple.destination : &tuple.source, sock);
	__builtin_memcpy(&scratch->record[position], &tuple, sizeof(tuple));
	return sizeof(tuple);
}

/* Both ends as the kernel has them; 0 for a socket of another family. `position` is a constant. */
static __always_inline __u32 append_ip_tuple(struct scratch *scratch, __u32 position, struct sock *sock,
					     enum tuple_order order)
{
	__u16 family = family_of(sock);

	if (family == FAMILY_IPV4)
		return append_ipv4_tuple(scratch, position, sock, order);
	if (family == FAMILY_IPV6)
		return append_ipv6_tuple(scratch, position, sock, order);
	return 0;
}

/* The same, and for a unix socket the name of `named`: whichever of the two ends has one. */
static __always_inline __u32 append_tuple(struct scratch *scratch, __u32 position, struct sock *sock,
					  struct sock *named, enum tuple_order order, struct task_struct *task)
{
	__u32 length;

	if (family_of(sock) != FAMILY_UNIX)
		return append_ip_tuple(scratch, position, sock, order);
	length = begin_unix_tuple(scratch, position);
	return length + append_unix_name(scratch, position + length, named, task);
}

/* The local end alone; of a family that is none of these, its number. */
static __always_inline __u32 append_local_address(struct scratch *scratch, __u32 position, struct sock *sock,
						  struct task_struct *task)
{
	__u16 family = family_of(sock);
	struct address_ipv4 ipv4 = {.family = FAMILY_IPV4};
	struct address_ipv6 ipv6 = {.family = FAMILY_IPV6};

	if (family == FAMILY_IPV4) {
		read_local_ipv4(&ipv4.end, sock);
		__builtin_memcpy(&scratch->record[position], &ipv4, sizeof(ipv4));
		return sizeof(ipv4);
	}
	if (family == FAMILY_IPV6) {
		read_local_ipv6(&ipv6.end, sock);
		__builtin_memcpy(&scratch->record[position], &ipv6, sizeof(ipv6));
		return sizeof(ipv6);
	}
	scratch->record[position] = family;
	if (family != FAMILY_UNIX)
		return 1;
	return 1 + append_unix_name(scratch, position + 1, sock, task);
}

/* ---- from the caller's memory ---- */

static __always_inline long read_requested(void *to, __u32 size, const struct request *request, __u32 offset)
{
	const void *from = request->address + offset;

	return IS_NOTED(request) ? bpf_probe_read_kernel(to, size, from) : bpf_probe_read_user(to, size, from);
}

static __always_inline long read_requested_string(void *to, __u32 size, const struct request *request, __u32 offset)
{
	const void *from = request->address + offset;

	return IS_NOTED(request) ? bpf_probe_read_kernel_str(to, size, from) : bpf_probe_read_user_str(to, size, from);
}

static __always_inline void read_user_ipv4(struct end_ipv4 *end, const struct request *request, __be16 port)
{
	read_requested(end->address, sizeof(end->address), request, 4);
	end->port = bpf_ntohs(port);
}

static __always_inline void read_user_ipv6(struct end_ipv6 *end, const struct request *request, __be16 port)
{
	read_requested(end->address, sizeof(end->address), request, 8);
	end->port = bpf_ntohs(port);
}

/* The working directory and a slash, for a relative name. */
static __always_inline __u32 append_working_directory(struct scratch *scratch, __u32 position, struct task_struct *task)
{
	__u32 length = append_path(scratch, position, working_directory(task), task) & (VALUE_MAXIMUM - 1);
	__u32 end = (position + length - 1) & (SCRATCH_BYTES - 1);

	if (length == 0 || scratch->record[end] == '/')
		return length;
	scratch->record[(end + 1) & (SCRATCH_BYTES - 1)] = '/';
	return length + 1;
}

/* A unix socket's name as the caller wrote it; made absolute where it is a relative path. */
static __always_inline __u32 append_user_unix_name(struct scratch *scratch, __u32 position,
						   const struct request *request, struct task_struct *task)
{
	__u32 size = request->length - UNIX_NAME_OFFSET, before = 0;
	char first = 0;
	long length;

	if (request->length <= UNIX_NAME_OFFSET || size > UNIX_NAME_MAXIMUM)
		return 0;
	read_requested(&first, sizeof(first), request, UNIX_NAME_OFFSET);
	if (first != '/' && first != 0)
		before = append_working_directory(scratch, position, task);
	position = (position + before) & (SCRATCH_BYTES - 1);
	barrier_var(position);
	position &= SCRATCH_BYTES - 1;
	barrier_var(size);
	size &= 127;
	if (first == 0) {
		if (read_requested(&scratch->record[position], size, request, UNIX_NAME_OFFSET))
			return 0;
		scratch->record[position] = ABSTRACT_MARK;
		return size;
	}
	length = read_requested_string(&scratch->record[position], size + 1, request, UNIX_NAME_OFFSET);
	return length > 0 ? before + length - 1 : 0;
}

/*
 * Where a call went that a socket does not keep: the remote end is the caller's, the local one the kernel's where
 * there is a `local` socket. 0 for other families and unreadable memory.
 */
static __always_inline __u32 append_requested_tuple(struct scratch *scratch, __u32 position,
						    const struct request *request, struct sock *local,
						    struct task_struct *task)
{
	struct user_address user = {};
	__u32 length;

	read_requested(&user, sizeof(user), request, 0);
	/* Sending takes an address without a family for IPv4. */
	if (user.family == FAMILY_IPV4 || (user.family == FAMILY_ANY && local && family_of(local) == FAMILY_IPV4)) {
		struct tuple_ipv4 tuple = {.family = FAMILY_IPV4};

		if (local)
			read_local_ipv4(&tuple.source, local);
		read_user_ipv4(&tuple.destination, request, user.port);
		__builtin_memcpy(&scratch->record[position], &tuple, sizeof(tuple));
		return sizeof(tuple);
	}
	if (user.family == FAMILY_IPV6) {
		struct tuple_ipv6 tuple = {.family = FAMILY_IPV6};

		if (local)
			read_local_ipv6(&tuple.source, local);
		read_user_ipv6(&tuple.destination, request, user.port);
		__builtin_memcpy(&scratch->record[position], &tuple, sizeof(tuple));
		return sizeof(tuple);
	}
	if (user.family != FAMILY_UNIX)
		return 0;
	length = begin_unix_tuple(scratch, position);
	return length + append_user_unix_name(scratch, position + length, request, task);
}

static __always_inline __u32 append_requested_address(struct scratch *scratch, __u32 position,
						      const struct request *request, struct task_struct *task)
{
	struct user_address user = {};
	struct address_ipv4 ipv4 = {.family = FAMILY_IPV4};
	struct address_ipv6 ipv6 = {.family = FAMILY_IPV6};

	if (read_requested(&user, sizeof(user), request, 0))
		return 0;
	if (user.family == FAMILY_IPV4) {
		read_user_ipv4(&ipv4.end, request, user.port);
		__builtin_memcpy(&scratch->record[position], &ipv4, sizeof(ipv4));
		return sizeof(ipv4);
	}
	if (user.family == FAMILY_IPV6) {
		read_user_ipv6(&ipv6.end, request, user.port);
		__builtin_memcpy(&scratch->record[position], &ipv6, sizeof(ipv6));
		return sizeof(ipv6);
	}
	scratch->record[position] = user.family;
	if (user.family != FAMILY_UNIX)
		return 1;
	return 1 + append_user_unix_name(scratch, position + 1, request, task);
}
