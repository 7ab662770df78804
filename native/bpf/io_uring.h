/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opens through io_uring: asked for when they are submitted, ended when they complete. From kernel 6.4 on. */
#pragma once

#include "event.h"

/* enum io_uring_op of linux/io_uring.h */
#define OPERATION_ACCEPT 13
#define OPERATION_CONNECT 16
#define OPERATION_OPENAT 18
#define OPERATION_CLOSE 19
#define OPERATION_OPENAT2 28
#define OPERATION_RENAMEAT 35
#define OPERATION_UNLINKAT 36
#define OPERATION_MKDIRAT 37
#define OPERATION_SYMLINKAT 38
#define OPERATION_LINKAT 39
#define OPERATION_FSETXATTR 41
#define OPERATION_SETXATTR 42
#define OPERATION_FTRUNCATE 55

#define NAMES_KEPT 1024	    /* of requests that are on their way */
#define NAME_KEPT_BYTES 256 /* of each, cut if longer: only failed opens are told by it */

struct io_uring_name {
	char name[NAME_KEPT_BYTES];
};

/* The kernel's copy of the name that an open asks for, by request: it is freed before the request completes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, NAMES_KEPT);
	__type(key, __u64);
	__type(value, struct io_uring_name);
} io_uring_names __weak SEC(".maps");

/* What an open asks for lies where each operation has its own part of the request. */
static __always_inline struct io_open *open_of_request(struct io_kiocb *request)
{
	return (struct io_open *)((char *)request + bpf_core_field_offset(struct io_kiocb, cmd));
}

/* Whether rules ask for such opens. */
static __always_inline int is_open_wanted(__u8 operation)
{
	struct settings *settings = get_settings();

	if (!settings)
		return 0;
	return operation == OPERATION_OPENAT	? settings->io_uring_openat
	       : operation == OPERATION_OPENAT2 ? settings->io_uring_openat2
						: 0;
}
