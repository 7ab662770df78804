// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Data that calls of sockets send and receive, by its peer: sendto and recvfrom with their relatives. */
#include "socket.h"

#define MESSAGES_MAXIMUM 1024 /* of one call: the kernel's own limit (UIO_MAXIOV) */
#define SOCK_STREAM 1

/* struct msghdr and mmsghdr of the caller. */
struct user_message {
	void *name;
	__u32 name_length;
	__u32 padding;
	void *vectors;
	__u64 vector_count;
	void *control;
	__u64 control_length;
	__u32 flags;
};

struct user_messages {
	struct user_message message;
	__u32 length;
	__u32 padding;
};

enum direction { SENT, RECEIVED };

/* One message of a call. */
struct message {
	long result;
	long fd;
	__u32 size;
	struct request peer; /* without an address where the caller gave none */
	__u16 type;
	enum event_index index;
	enum direction direction;
};

/* What the socket itself knows: both ends of a connection, or where a unix socket leads. */
static __always_inline int is_connected(struct sock *sock)
{
	return family_of(sock) == FAMILY_UNIX ? unix_peer(sock) != NULL : has_remote(sock);
}

/* A stream goes where it is connected to, whatever address is given beside. */
static __always_inline int has_own_peer(struct sock *sock, const struct message *message)
{
	if (!message->peer.address)
		return 0;
	return !is_connected(sock) || BPF_CORE_READ(sock, sk_type) != SOCK_STREAM;
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

static __always_inline __u32 append_peer(struct scratch *scratch, __u32 position, struct sock *sock,
					 const struct message *message, struct task_struct *task)
{
	struct record_header *header = (struct record_header *)scratch->record;
	enum tuple_order order = message->direction == SENT ? LOCAL_FIRST : REMOTE_FIRST;
	__u32 length = 0;

	if (has_own_peer(sock, message)) {
		length = append_requested_tuple(scratch, position, &message->peer, sock, order, task);
		if (length)
			header->flags |= RECORD_USER_MEMORY;
	}
	return length ? length : append_tuple(scratch, position, sock, named_end(sock), order, task);
}

static __always_inline int report_message(struct task_struct *task, struct sock *sock, const struct message *message)
{
	struct scratch *scratch = get_scratch();
	struct record_message *record;

	if (!scratch)
		return 0;
	record = (struct record_message *)scratch->record;
	fill_header(&record->header, task, message->type);
	record->res = message->result;
	record->fd = message->fd;
	record->size = message->size;
	record->l4proto = BPF_CORE_READ(sock, sk_protocol);
	record->connected = is_connected(sock);
	record->tuple_length = append_peer(scratch, sizeof(*record), sock, message, task);
	send_record(scratch, sizeof(*record) + reread(&record->tuple_length), message->index);
	return 0;
}
