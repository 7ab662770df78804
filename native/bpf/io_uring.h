/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Calls through io_uring: asked for when they are submitted, ended when they complete. From kernel 6.4 on.
 *
 * What a request was given as names is freed before it completes. It is noted when it is submitted, from the kernel's
 * own copy, and found by the request.
 */
#pragma once

#include "descriptor.h"
#include "io_uring_operations.h"
#include "io_uring_types.h"

#define SHORT_NAMES_KEPT 1024 /* of requests that are on their way */
#define SHORT_NAME_BYTES 256
#define LONG_NAMES_KEPT 128
#define REQUESTS_KEPT 1024
#define KERNEL_ACCEPT_MULTISHOT 1 /* IORING_ACCEPT_MULTISHOT of linux/io_uring.h */
#define KERNEL_RECV_MULTISHOT 2	  /* IORING_RECV_MULTISHOT */
#define KERNEL_FIXED_FILE 1	  /* IOSQE_FIXED_FILE: the descriptor is a place in the ring's own table */

/* What belongs to a request; it has up to two names. */
struct request_key {
	__u64 request;
	__u64 slot;
};

struct short_name {
	char name[SHORT_NAME_BYTES];
};

struct long_name {
	char name[VALUE_MAXIMUM];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SHORT_NAMES_KEPT);
	__type(key, struct request_key);
	__type(value, struct short_name);
} io_uring_short_names __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LONG_NAMES_KEPT);
	__type(key, struct request_key);
	__type(value, struct long_name);
} io_uring_long_names __weak SEC(".maps");

/* The descriptor that a request is about, for those of which the kernel keeps only the file. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, REQUESTS_KEPT);
	__type(key, __u64);
	__type(value, int);
} io_uring_descriptors __weak SEC(".maps");

/*
 * Requests that accept more than one connection, by what their results are known by, and whether the sockets go into
 * the ring's own table.
 */
struct listening_key {
	__u64 ring;
	__u64 user_data;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, REQUESTS_KEPT);
	__type(key, struct listening_key);
	__type(value, __u8);
} io_uring_listening __weak SEC(".maps");

/* The same for requests that receive more than once: what each of their results is about. */
struct receiving {
	__u64 sock; /* 0: not known, as of one in the ring's own table; its memory is read as of an address that may be none */
	__u64 operation;
	__s64 descriptor;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, REQUESTS_KEPT);
	__type(key, struct listening_key);
	__type(value, struct receiving);
} io_uring_receiving __weak SEC(".maps");

/* What is done when a request has completed, by its operation. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, OPERATION_ONE_OF_MANY + 1);
	__type(key, __u32);
	__type(value, __u32);
} io_uring_handlers __weak SEC(".maps");

/* What an operation works with lies where each has its own part of the request. */
#define PART_OF_REQUEST(type, request)                                                                                 \
	((struct type *)((char *)(request) + bpf_core_field_offset(struct io_kiocb, cmd)))

/* The descriptor, or the place in the ring's own table, that the request named. */
static __always_inline long take_noted_descriptor(struct io_kiocb *request)
{
	__u64 key = (__u64)request;
	int *noted = bpf_map_lookup_elem(&io_uring_descriptors, &key);
	long descriptor = noted ? *noted : -1;

	bpf_map_delete_elem(&io_uring_descriptors, &key);
	return descriptor;
}

/* The record to fill, with its header; NULL when there is nothing to report. */
static __always_inline struct scratch *begin_io_uring_record(__u16 type, enum event_index index)
{
	struct scratch *scratch = begin_record(type, index);

	if (scratch)
		((struct record_header *)scratch->record)->flags |= RECORD_IO_URING;
	return scratch;
}

static __always_inline void forget_noted_name(const void *request, int slot)
{
	struct request_key key = {.request = (__u64)request, .slot = slot};

	if (bpf_map_delete_elem(&io_uring_short_names, &key))
		bpf_map_delete_elem(&io_uring_long_names, &key);
}

/*
 * Take a name that was noted into scratch->names; returns its length, -1 when there is none: too many others have come
 * since. Says in the header whose name it is, and when it was cut.
 */
static __always_inline int take_noted_name(struct scratch *scratch, int slot, const void *request)
{
	struct record_header *header = (struct record_header *)scratch->record;
	struct request_key key = {.request = (__u64)request, .slot = slot};
	struct short_name *brief = bpf_map_lookup_elem(&io_uring_short_names, &key);
	struct long_name *whole = NULL;
	long length;

	header->flags |= RECORD_USER_MEMORY;
	if (!brief) {
		whole = bpf_map_lookup_elem(&io_uring_long_names, &key);
		if (!whole)
			return -1;
	}
	length = bpf_probe_read_kernel_str(scratch->names[slot], VALUE_MAXIMUM, brief ? brief->name : whole->name);
	forget_noted_name(request, slot);
	return length - 1;
}
