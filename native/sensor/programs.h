/* SPDX-License-Identifier: Apache-2.0 */
/* The loaded kernel programs, between programs.c and interest.c. */
#pragma once

#include <bpf/libbpf.h>

#include "sensor.h"

#define SYSCALL_MAXIMUM 512	/* as in dispatch.bpf.c */
#define OWN_MAP_MAXIMUM 32	/* as in tamper.h */
#define RULED_OUT_ENTRIES 65536 /* as in ruled_out.h */
#define ATTACHED_MAXIMUM 16	/* programs that are attached and not called through a table */
#define REFUSED_LIMIT 32	/* programs that a kernel does not take: if there are more, it is something else */
#define LOADS_LIMIT 64 /* times that handlers are loaded: there are not so many rule sets that each ask for more */

/* As in event.h, which only BPF programs can include. */
struct settings {
	__u32 own_processes[OWN_PROCESS_LIMIT];
	__u32 memory_hierarchy;
	__u32 snapshot_scratch;
	__u32 host_mounts;
};

struct counters {
	__u64 sent;
	__u32 sequence;
	__u64 dropped[INDEX_COUNT][DROP_REASON_COUNT];
};

struct remembering {
	__u64 generation;
	__u64 rules;
	__u64 secret;
};

/* As in tamper.h. */
struct bpf_caller {
	__u64 time;
	__u64 start;
	__u32 pid;
	__u32 command;
};

struct own_maps {
	__u32 ids[OWN_MAP_MAXIMUM];
	struct bpf_caller last;
};

/* A program that stands in a dispatch table; id 0 = none. */
struct dispatch_table {
	const char *name;
	__u32 ids[SYSCALL_MAXIMUM];
};

/* A program and the hook that it was attached to. */
struct attached {
	struct bpf_program *program;
	struct bpf_link *link;
	__u32 link_id;
};

#define CLASS_BITS 10 /* as in process_interest.bpf.c */
#define CLASSES (1 << CLASS_BITS)
#define CALLS 512

struct call_classes {
	__u64 left_out[CLASSES][CALLS / 64];
	__u16 indexes[CALLS];
};

/* What was written into the kernel, to see whether it is still so; check.c. */
struct written {
	__u8 wanted[INDEX_COUNT];
	struct dispatch_table handlers, enter, kept, narrowed, narrowed_enter, io_uring;
	__u64 *ruled_out;
	__u64 *judged;
	struct call_classes *call_classes;
	__u64 failures[SYSCALL_MAXIMUM];
	__u64 secret;
	__u64 canary; /* own calls that the programs had seen at the last look */
	int canaries_missed;
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
	struct bpf_object *counting; /* what processes do; NULL until it is asked for */
	bool counting_paused;	     /* its programs are not attached meanwhile */
	struct bpf_link *enter;	     /* the hook on the beginning of system calls; NULL while nothing needs it */
	struct bpf_link *io_uring;   /* the hook on completed requests; the same */
	struct attached attached[ATTACHED_MAXIMUM];
	int attached_count;
	struct settings settings;
	struct interest interest;
	struct written written;
	__u64 taken;	  /* records from the ring buffers */
	__u64 came_again; /* records that had been taken before, since the last look */
	bool cut_short;	  /* the last drain ended before the ring buffers were empty */
	int cpus;
	__u64 *ruled_out; /* the kernel's own table, as is what follows */
	struct remembering *remembering;
	__u64 *failures; /* calls whose failures no rule can match */
	__u64 *judged;	 /* processes */
	struct call_classes *call_classes;
	int classes;		   /* that are in use, behind the first: that one leaves nothing out */
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

void *programs_map_memory(struct programs *programs, const char *table, size_t bytes);
__u32 programs_link_id(const struct bpf_link *link);
void programs_attach_one(struct programs *programs, struct bpf_program *program);
void programs_new_secret(struct programs *programs);

/* snapshot.c */
void programs_list(struct programs *programs, void (*take)(const struct record_header *header, void *context),
		   void *context);

/* own_processes.c */
void own_processes_translate(struct programs *programs);

/* process_counts.c */
bool process_counts_has_program(const char *program);
void process_counts_leave_out_tables(struct bpf_object *object);

/* process_interest.c */
void process_interest_map(struct programs *programs);
void process_interest_count_by(struct programs *programs);
bool process_interest_repair(struct programs *programs);

/* interest.c */
void programs_share_tables(struct programs *programs, struct bpf_object *object);
void interest_apply(struct programs *programs);
bool interest_is_on_demand(const char *program);
void interest_unload(struct programs *programs);
