/* SPDX-License-Identifier: Apache-2.0 */
/* Which program of bpf/ handles which system call, and as which event. Old calls that not every processor has: #ifdef. */
#pragma once

#include <linux/types.h>
#include <sys/syscall.h>

#include "event_table.h"

/* clang-format off: a line for each call */
static const struct handler {
	int syscall;
	__u16 event;
	const char *program;
} handlers[] = {
/* ---- files: open ---- */
#ifdef SYS_open
	{SYS_open, EVENT_OPEN, "handle_open"},
	{SYS_creat, EVENT_CREAT, "handle_creat"},
#endif
	{SYS_openat, EVENT_OPENAT, "handle_openat"},
	{SYS_openat2, EVENT_OPENAT2, "handle_openat2"},

	/* ---- files: what else is done to them ---- */

	/* ---- processes and the kernel ---- */

	/* ---- network ---- */
	{SYS_connect, EVENT_CONNECT, "handle_connect"},
	{SYS_accept, EVENT_ACCEPT, "handle_accept"},
	{SYS_accept4, EVENT_ACCEPT4, "handle_accept4"},
	{SYS_socket, EVENT_SOCKET, "handle_socket"},
	{SYS_socketpair, EVENT_SOCKETPAIR, "handle_socketpair"},
	{SYS_bind, EVENT_BIND, "handle_bind"},
	{SYS_listen, EVENT_LISTEN, "handle_listen"},
	{SYS_shutdown, EVENT_SHUTDOWN, "handle_shutdown"},
	{SYS_sendto, EVENT_SENDTO, "handle_sendto"},
	{SYS_sendmsg, EVENT_SENDMSG, "handle_sendmsg"},
	{SYS_sendmmsg, EVENT_SENDMMSG, "handle_sendmmsg"},
	{SYS_recvfrom, EVENT_RECVFROM, "handle_recvfrom"},
	{SYS_recvmsg, EVENT_RECVMSG, "handle_recvmsg"},
	{SYS_recvmmsg, EVENT_RECVMMSG, "handle_recvmmsg"},
	/* A call with two lines can be two events; its program asks which of them are wanted. */
	{SYS_sendto, EVENT_DNS, "handle_sendto"},
	{SYS_sendmsg, EVENT_DNS, "handle_sendmsg"},
	{SYS_sendmmsg, EVENT_DNS, "handle_sendmmsg"},
	{SYS_recvfrom, EVENT_DNS, "handle_recvfrom"},
	{SYS_recvmsg, EVENT_DNS, "handle_recvmsg"},
	{SYS_recvmmsg, EVENT_DNS, "handle_recvmmsg"},
	{SYS_read, EVENT_DNS, "handle_read_or_write"},
	{SYS_write, EVENT_DNS, "handle_read_or_write"},
	{SYS_readv, EVENT_DNS, "handle_readv_or_writev"},
	{SYS_writev, EVENT_DNS, "handle_readv_or_writev"},
};
/* clang-format on */
