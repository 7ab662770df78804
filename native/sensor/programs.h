/* SPDX-License-Identifier: Apache-2.0 */
/* The loaded kernel programs, between programs.c and interest.c. */
#pragma once

#include <bpf/libbpf.h>

#include "sensor.h"

#define LOADS_LIMIT 64 /* times that handlers are loaded: there are not so many rule sets that each ask for more */

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

#define CLASS_BITS 10 /* as in process_interest.bpf.c */
#define CLASSES (1 << CLASS_BITS)
#define CALLS 512

struct call_classes {
	__u64 left_out[CLASSES][CALLS / 64];
	__u16 indexes[CALLS];
};

struct programs {
	struct sensor_programs *skeleton;	  /* with the programs that are always loaded, and all tables */
	struct bpf_object *handlers[LOADS_LIMIT]; /* the same again, with programs that were needed later */
	int loads;
	struct ring_buffer *rings;
	struct bpf_link *snapshot;
	struct bpf_object *counting;	 /* what processes do; NULL until it is asked for */
	struct bpf_link *enter;		 /* the hook on the beginning of system calls; NULL while nothing needs it */
	struct bpf_link *io_uring_opens; /* NULL while nobody asks for them */
	struct settings settings;
	int cpus;
	__u64 *ruled_out; /* the kernel's own table, as is what follows */
	struct remembering *remembering;
	__u64 *judged; /* processes */
	struct call_classes *call_classes;
	int classes;		   /* that are in use, behind the first: that one leaves nothing out */
	__u8 wanted[INDEX_COUNT];  /* events, by index */
	struct counters *counters; /* one for each CPU, to read them into */
};

/* programs.c */
struct bpf_object *programs_open(struct programs *programs);
int programs_table(struct programs *programs, const char *name);
void programs_store_settings(struct programs *programs);
_Noreturn void programs_fail_to_load(int error);

void *programs_map_memory(const struct bpf_map *map, size_t bytes);

/* process_counts.c */
bool process_counts_has_program(const char *program);
void process_counts_leave_out_tables(struct bpf_object *object);

/* process_interest.c */
void process_interest_map(struct programs *programs);
void process_interest_count_by(struct programs *programs);

/* interest.c */
void programs_share_tables(struct programs *programs, struct bpf_object *object);
bool interest_is_on_demand(const char *program);
void interest_unload(struct programs *programs);
