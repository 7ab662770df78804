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
};
/* clang-format on */
