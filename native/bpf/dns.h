/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Messages of the domain name system, which are all those to or from port 53. The bytes are the caller's memory after
 * the call, which another thread may have changed by then; the engine reads them (docs/adr/0009).
 */
#pragma once

#include "message.h"

#define DNS_PORT 53
#define DNS_BYTES_MINIMUM 17   /* a header and the shortest question (RFC 1035, 4.1) */
#define DNS_BYTES_MAXIMUM 2047 /* above what is sent in one datagram (RFC 9715: 1,400); one less than a power of two */
#define PROTOCOL_UDP 17

/* Whether a result of a call can be the size of such a message: so most calls cost no more than this. */
static __always_inline int has_dns_size(long result)
{
	return result >= DNS_BYTES_MINIMUM && result <= VALUE_MAXIMUM - 1;
}

static __always_inline __be16 remote_port(struct sock *sock, const struct message *message)
{
	struct user_address user = {};

	if (!names_peer(sock, message))
		return BPF_CORE_READ(sock, __sk_common.skc_dport);
	read_requested(&user, sizeof(user), &message->peer, 0);
	return user.port;
}

/* The port first: it tells most sockets apart, also those that have none. */
static __always_inline int is_dns(struct sock *sock, const struct message *message)
{
	__u16 family, protocol;

	if (remote_port(sock, message) != bpf_htons(DNS_PORT) && BPF_CORE_READ(sock, __sk_common.skc_num) != DNS_PORT)
		return 0;
	family = family_of(sock);
	protocol = BPF_CORE_READ(sock, sk_protocol);
	return (family == FAMILY_IPV4 || family == FAMILY_IPV6) &&
	       (protocol == PROTOCOL_UDP || protocol == PROTOCOL_TCP);
}

/* Append the bytes that went over the wire, from all their places. Not static: see append_ends(). */
__noinline __u32 append_bytes(message_reference reference, __u32 position)
{
	struct scratch *scratch = get_scratch();
	const struct message *message = referred(scratch, reference);
	__u32 left, written = 0;

	if (!message || !scratch)
		return 0;
	left = message->result > DNS_BYTES_MAXIMUM ? DNS_BYTES_MAXIMUM : message->result;
	for (__u32 i = 0; i < VECTORS_MAXIMUM && left; i++) {
		struct user_vector vector = message->single;
		__u32 length;

		if (message->vectors &&
		    (i >= message->vector_count || bpf_probe_read_user(&vector, sizeof(vector), &message->vectors[i])))
			break;
		length = vector.length < left ? vector.length : left;
		left -= length;
		position &= SCRATCH_BYTES - 1;
		barrier_var(length);
		length &= DNS_BYTES_MAXIMUM;
		if (bpf_probe_read_user(&scratch->record[position], length, vector.base))
			break;
		position += length;
		written += length;
		if (!message->vectors)
			break;
	}
	if (written < message->result)
		((struct record_header *)scratch->record)->flags |= RECORD_TRUNCATED;
	return written;
}

static __always_inline void report_dns(struct task_struct *task, struct sock *sock, const struct message *message)
{
	struct scratch *scratch = get_scratch();
	struct record_dns *record;
	__u32 position = sizeof(*record);

	if (!scratch)
		return;
	record = (struct record_dns *)scratch->record;
	fill_header(&record->header, task, EVENT_DNS);
	record->header.flags |= RECORD_USER_MEMORY | HOW_MADE;
	record->fd = message->fd;
	record->l4proto = BPF_CORE_READ(sock, sk_protocol);
	record->tuple_length = append_ends(refer_to(message), (__u64)sock, position);
	position += reread(&record->tuple_length);
	record->data_length = append_bytes(refer_to(message), position);
	position += reread(&record->data_length);
	send_record(scratch, position, INDEX_DNS);
}
