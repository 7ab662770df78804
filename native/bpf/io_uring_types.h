/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's structures of io_uring, as far as they are read here; see kernel_types.h. */
#pragma once

#include "kernel_types.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct io_cmd_data {
	__u8 data[56];
};

struct io_cqe {
	__u64 user_data;
	__s32 res;
	int fd;
};

struct io_uring_cqe {
	__u64 user_data;
	__s32 res;
};

struct io_ring_ctx;

struct io_kiocb {
	struct file *file;
	struct io_cmd_data cmd;
	__u8 opcode;
	unsigned int flags;
	struct io_cqe cqe;
	struct io_ring_ctx *ctx;
	void *async_data;
};

struct io_open {
	int dfd;
	__u32 file_slot;
	struct filename *filename;
	struct open_how how;
};

struct io_unlink {
	int dfd;
	int flags;
	struct filename *filename;
};

struct io_mkdir {
	int dfd;
	__u16 mode;
	struct filename *filename;
};

struct io_rename {
	int old_dfd;
	int new_dfd;
	struct filename *oldpath;
	struct filename *newpath;
	int flags;
};

struct io_link {
	int old_dfd;
	int new_dfd;
	struct filename *oldpath;
	struct filename *newpath;
	int flags;
};

struct io_connect {
	void *addr;
	int addr_len;
};

struct io_accept {
	int iou_flags;
	__u32 file_slot;
};

struct io_socket {
	int domain;
	int type;
	int protocol;
};

struct io_bind {
	int addr_len;
};

struct io_listen {
	int backlog;
};

struct io_shutdown {
	int how;
};

struct io_sr_msg {
	struct user_msghdr *umsg;
	void *buf;
	int len;
	__u16 flags;
};

/* Before the address was copied when the request is made. */
struct io_sr_msg___v610 {
	__u16 addr_len;
	void *addr;
};

struct __kernel_sockaddr_storage {
	__u16 ss_family;
};

struct msghdr {
	void *msg_name;
	int msg_namelen;
};

struct io_async_msghdr {
	struct msghdr msg;
	struct __kernel_sockaddr_storage addr;
};

struct xattr_name {
	char name[256];
};

struct kernel_xattr_ctx {
	__u64 size;
	struct xattr_name *kname;
	unsigned int flags;
};

struct io_xattr {
	struct kernel_xattr_ctx ctx;
	struct filename *filename;
};

struct io_ftrunc {
	__s64 len;
};

struct io_close {
	int fd;
	__u32 file_slot;
};

struct io_ring_ctx {
	unsigned int flags;
	unsigned int sq_entries;
	unsigned int cq_entries;
};

#pragma clang attribute pop
