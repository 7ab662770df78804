/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Data that a call of a socket sent or received: who the peer is, and where the bytes lie in the caller's memory. */
#pragma once

#include "socket.h"

/*
 * What is only so for requests of io_uring (OF_IO_URING, socket.h) is left out of the calls' programs at all: the verifier
 * would follow it. Functions that are not static have one name in each family.
 */
#ifdef OF_IO_URING
#define HOW_MADE RECORD_IO_URING
#define append_ends append_ends_of_request
#define append_bytes append_bytes_of_request
#else
#define HOW_MADE 0
#endif

#define SOCK_STREAM 1
#define VECTORS_MAXIMUM 4 /* pieces of a message that are looked at */

struct user_vector {
	void *base;
	__u64 length;
};

/* struct msghdr of the caller. */
struct user_message {
	void *name;
	__u32 name_length;
	__u32 padding;
	struct user_vector *vectors;
	__u64 vector_count;
	void *control;
	__u64 control_length;
	__u32 flags;
};

/* struct mmsghdr of the caller. */
struct user_messages {
	struct user_message message;
	__u32 length; /* bytes of this message: the kernel's note */
};

struct message {
	long fd;
	long result;
	__u32 size;
	struct request peer; /* without an address where the caller gave none */
	struct user_vector *vectors;
	__u64 vector_count;
	struct user_vector single; /* where there is no list of vectors */
};

/* Whether the socket itself knows where its data goes. */
static __always_inline int is_connected(struct sock *sock)
{
	return family_of(sock) == FAMILY_UNIX ? unix_peer(sock) != NULL : has_remote(sock);
}

/* Whether the call said where its data goes; a stream goes where it is connected to, whatever address is given. */
static __always_inline int names_peer(struct sock *sock, const struct message *message)
{
	return message->peer.address && (BPF_CORE_READ(sock, sk_type) != SOCK_STREAM || !is_connected(sock));
}

/*
 * How a function that the verifier looks at on its own is given a message: by its address. Those of the basic tier's
 * kernels take numbers alone, so there it is laid into the scratch buffer, where names would be.
 */
#ifdef BASIC_TIER
typedef __u32 message_reference;

static __always_inline message_reference refer_to(const struct message *message)
{
	struct scratch *scratch = get_scratch();

	if (scratch)
		*(struct message *)scratch->names[0] = *message;
	return 0;
}

static __always_inline const struct message *referred(struct scratch *scratch, message_reference slot)
{
	return scratch ? (const struct message *)scratch->names[slot & 1] : NULL;
}
#else
typedef const struct message *message_reference;
#define refer_to(message) (message)
#define referred(scratch, reference) (reference)
#endif

/*
 * Append both ends, ours first. Not static, so that the verifier looks at it once for each program, and not at each
 * way through it together with all that follows; such a function takes no pointers into the kernel.
 */
__noinline __u32 append_ends(message_reference reference, __u64 sock_address, __u32 position)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sock *sock = (struct sock *)sock_address;
	struct scratch *scratch = get_scratch();
	const struct message *message = referred(scratch, reference);
	__u32 length = 0;

	if (!message || !scratch)
		return 0;
	position &= SCRATCH_BYTES - 1;
	if (names_peer(sock, message))
		length = append_requested_tuple(scratch, position, &message->peer, sock, task);
	if (length) {
		((struct record_header *)scratch->record)->flags |= RECORD_USER_MEMORY;
		return length;
	}
	return append_tuple(scratch, position, sock, named_end(sock), LOCAL_FIRST, task);
}
