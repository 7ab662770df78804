/* SPDX-License-Identifier: Apache-2.0 */
/* The loaded kernel programs, between programs.c and interest.c. */
#pragma once

#include <bpf/libbpf.h>

#include "sensor.h"

#define REFUSED_LIMIT 32 /* programs that a kernel does not take: if there are more, it is something else */
#define LOADS_LIMIT 64	 /* times that handlers are loaded: there are not so many rule sets that each ask for more */

/* As in event.h, which only BPF programs can include. */
struct settings {
	__u32 own_processes[OWN_PROCESS_LIMIT];
	__u32 memory_hierarchy;
	__u32 snapshot_scratch;
	__u32 io_uring_openat;
	__u32 io_uring_openat2;
};

struct counters {
	__u64 sent;
	__u32 sequence;
	__u64 dropped[INDEX_COUNT][DROP_REASON_COUNT];
};

struct remembering {
	__u64 generation;
	__u64 secret;
};

struct programs {
	enum tiers tier;
	__u32 lacks;			    /* bits of kernel_lacks */
	const char *refused[REFUSED_LIMIT]; /* by the kernel: left out */
	int refused_count;
	__u64 unread_arguments;			  /* processes that were listed without */
	struct bpf_object *always;		  /* with the programs that are always loaded, and all tables */
	struct bpf_object *handlers[LOADS_LIMIT]; /* the same again, with programs that were needed later */
	int loads;
	struct ring_buffer *rings;
	struct bpf_link *snapshot;
	struct bpf_link *enter;		 /* the hook on the beginning of system calls; NULL while nothing needs it */
	struct bpf_link *io_uring_opens; /* NULL while nobody asks for them */
	struct settings settings;
	int cpus;
	__u64 *ruled_out; /* the kernel's own table, as is what follows */
	struct remembering *remembering;
	struct counters *counters; /* one for each CPU, to read them into */
};

/* programs.c */
struct bpf_object *programs_open(struct programs *programs);
int programs_table(struct programs *programs, const char *name);
void programs_store_settings(struct programs *programs);
_Noreturn void programs_fail_to_load(int error);
void programs_forget_warning(void);

/* Which programs of an object are to be loaded: `choose` marks them and returns how many they are. */
struct choice {
	int (*choose)(struct programs *programs, struct bpf_object *object, const void *context);
	const void *context;
};

/* loading.c */
struct bpf_object *loading_load(struct programs *programs, const struct choice *choice);
bool loading_is_refused(const struct programs *programs, const char *program);

/* tier.c */
struct bpf_object *tier_open(enum tiers tier);

/* hooks.c */
void hooks_leave_out_missing(struct bpf_object *object);
bool hooks_is_optional(const char *program);

/* interest.c */
bool interest_is_on_demand(const char *program);
void interest_unload(struct programs *programs);
