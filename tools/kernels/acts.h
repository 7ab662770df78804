/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An act is something that a process does to be seen: ACT(name) { ... } returns what the system call returned, or minus
 * errno. Each is run in a process of its own. What is to be seen of it stands in expectations.py.
 */
#pragma once

#include <errno.h>

#define FOLDER "/t" /* where files are made */
#define PROGRAM "/program"

struct act {
	const char *name;
	long (*run)(void);
};

#define ACT(name)                                                                                                      \
	static long act_##name(void);                                                                                  \
	static const struct act entry_##name __attribute__((used, section("acts"))) = {#name, act_##name};             \
	static long act_##name(void)

/* Acts are made by the plain system call: a library's function may make another one. */
#define CALL(name, ...) result_of(syscall(SYS_##name, ##__VA_ARGS__))

static inline long result_of(long returned)
{
	return returned == -1 ? -errno : returned;
}
