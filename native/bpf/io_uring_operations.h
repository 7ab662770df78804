/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Operations of io_uring by their numbers: enum io_uring_op of linux/io_uring.h, which older systems have without some. */
#pragma once

#define OPERATION_SENDMSG 9
#define OPERATION_RECVMSG 10
#define OPERATION_ACCEPT 13
#define OPERATION_CONNECT 16
#define OPERATION_OPENAT 18
#define OPERATION_CLOSE 19
#define OPERATION_SEND 26
#define OPERATION_RECV 27
#define OPERATION_OPENAT2 28
#define OPERATION_SHUTDOWN 34
#define OPERATION_RENAMEAT 35
#define OPERATION_UNLINKAT 36
#define OPERATION_MKDIRAT 37
#define OPERATION_SYMLINKAT 38
#define OPERATION_LINKAT 39
#define OPERATION_FSETXATTR 41
#define OPERATION_SETXATTR 42
#define OPERATION_SOCKET 45
#define OPERATION_SEND_ZC 47 /* without a copy, as is the next */
#define OPERATION_SENDMSG_ZC 48
#define OPERATION_FTRUNCATE 55
#define OPERATION_BIND 56
#define OPERATION_LISTEN 57
#define OPERATION_RECV_ZC 58

/* Our own: one of the results of a request that has several. The hook has no request then, so not its operation. */
#define OPERATION_ONE_OF_MANY 255
