/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is told of data that a call of a socket sent or received. */
#pragma once

#include "dns.h"
#include "ruled_out_peer.h"

static __always_inline void send_message(struct task_struct *task, struct sock *sock, const struct message *message,
					 __u16 type, enum event_index index)
{
	struct scratch *scratch = get_scratch();
	struct record_message *record;
	__u64 begun = begin_fingerprint();
	__u32 length;

	if (!scratch)
		return;
	record = (struct record_message *)scratch->record;
	fill_header(&record->header, task, type);
	record->header.flags |= HOW_MADE;
	record->res = message->result;
	record->fd = message->fd;
	record->size = message->size;
	record->l4proto = BPF_CORE_READ(sock, sk_protocol);
	record->connected = is_connected(sock);
	record->tuple_length = append_ends(refer_to(message), (__u64)sock, sizeof(*record));
	length = reread(&record->tuple_length);
	record->fingerprint =
		0; /* of a failed call, or one through io_uring: the fingerprint would not know of the ring */
	if (message->result >= 0 && !HOW_MADE)
		record->fingerprint = fingerprint_peer(begun, scratch, task, sizeof(*record), length,
						       record->connected << 8 | record->l4proto);
	if (!is_left_out(record->fingerprint, index))
		send_record(scratch, sizeof(*record) + length, index);
}

/* One call can be two events: that data was sent, and what it asked a name server. */
static __always_inline void report_message(struct task_struct *task, struct sock *sock, const struct message *message,
					   __u16 type, enum event_index index)
{
	if (is_wanted(index))
		send_message(task, sock, message, type, index);
	if (has_dns_size(message->result) && is_wanted(INDEX_DNS) && is_dns(sock, message))
		report_dns(task, sock, message);
}

/* A call that waited for nothing, as those of programs that wait by other means are. */
static __always_inline int is_worth_a_look(enum event_index index, long result)
{
	return result != -EAGAIN && (is_wanted(index) || has_dns_size(result));
}

static __always_inline void take_header(struct message *message, const struct user_message *user)
{
	message->vectors = user->vectors;
	message->vector_count = user->vector_count;
	message->peer.address = user->name_length ? user->name : NULL;
	message->peer.length = user->name_length;
	if (!user->vectors)
		message->single.length = 0;
}
