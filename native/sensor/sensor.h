// SPDX-License-Identifier: Apache-2.0
/*
 * The sensor: loads the kernel programs, drains their ring buffers in the order of time, and sends what comes as
 * framed batches over a socket. It has two capabilities (BPF, PERFMON) and no opinion of its own.
 */
#pragma once

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "event_table.h"

#define EXIT_CANNOT 3			 /* Hullwatch's exit code for "could not do it" */
#define TYPES_MAXIMUM (2 * INDEX_COUNT)	 /* types in an order */
#define OWN_PROCESS_LIMIT 8		 /* as in event.h */
#define DRAIN_INTERVAL_MS 12		 /* between looks at the ring buffers */
#define ORDER_SLACK_NS 2000000		 /* records younger than this wait for slower CPUs */
#define REPORT_INTERVAL_NS 1000000000ull /* between clock and drop records */
#define FRAME_MAGIC 0x42525748		 /* "HWRB" */
#define FRAME_BYTES (256 * 1024)	 /* a frame is sent when it is this long, at the latest when a drain ends */
#define QUEUE_BYTES (8 * 1024 * 1024)	 /* a queue's records, unless it has a limit of its own */
#define QUEUE_BYTES_KEPT (128 * 1024)	 /* memory that a queue keeps while little comes */
#define QUEUE_ROOMY_LIMIT 256		 /* releases with little in a queue, after which it gives memory back */

/* What stands before each batch. */
struct frame_header {
	__u32 magic;
	__u32 length; /* of the records that follow, in bytes */
	__u32 records;
	__u32 version;	 /* of the event table */
	__u64 watermark; /* no later frame has records older than this, but for those counted as too late */
};

/* A record that waits for its turn. */
struct pending_record {
	__u64 time;
	__u32 offset;
	__u32 length;
};

/* The records of one CPU (or of the sensor itself), ordered by time. */
struct queue {
	struct pending_record *records;
	__u32 count, capacity, next;
	__u8 *bytes, *spare;
	__u32 length, size;
	__u32 limit; /* bytes at which it is full; 0: QUEUE_BYTES */
	__u32 roomy; /* releases in a row that needed little of its memory */
};

struct options {
	int socket;
	int uid, gid; /* what to run as; -1 = stay */
	__u32 own_processes[OWN_PROCESS_LIMIT];
	int own_count;
	__u32 ring_bytes; /* for each CPU; 0 = choose */
	int tier;	  /* enum tiers; -1 = by what the kernel has */
};

/* As an order names them. */
struct types {
	__u16 numbers[TYPES_MAXIMUM];
	size_t count;
};

/*
 * Which events are to be sent; for which of them processes can be ruled out; of which no failed calls are; and what can
 * be done without for now, to save time.
 */
struct interest {
	struct types wanted, narrowed, succeeded, shed;
	bool shed_reads; /* opens that only read, too */
};

struct programs;   /* the loaded kernel programs; programs.c */
struct bpf_caller; /* programs.h */

/* main.c */
_Noreturn void fail(const char *sentence, ...) __attribute__((format(printf, 1, 2)));
__u64 boot_time(void);

/* tier.c */
enum tiers tier_of_kernel(void);
const char *tier_name(enum tiers tier);

/* hooks.c */
__u32 hooks_lacking(enum tiers tier);

/* privileges.c */
void drop_privileges(const struct options *options);

/* programs.c */
struct programs *programs_load(const struct options *options, struct queue *queues, int cpus);
void programs_attach(struct programs *programs);
void programs_set_interest(struct programs *programs, const struct interest *interest);
size_t programs_unseen(struct programs *programs, const __u16 *types, size_t count, __u16 unseen[INDEX_COUNT]);
enum tiers programs_tier(const struct programs *programs);
__u32 programs_lacks(const struct programs *programs);
void programs_rule_out(struct programs *programs, const __u64 *fingerprints, size_t count);
void programs_forget(struct programs *programs, bool calls_only);
void programs_name_variables(struct programs *programs, const char *names, size_t length); /* environment.c */
void programs_drain(struct programs *programs);
void programs_snapshot(struct programs *programs, struct queue *queue, void (*make_room)(void *), void *context);
void programs_count_drops(struct programs *programs, __u64 drops[INDEX_COUNT][DROP_REASON_COUNT]);
void programs_unload(struct programs *programs);

/* interest.c */
bool types_have(const struct types *types, __u16 event);
void programs_shed(struct programs *programs, const struct types *types, bool reads);

/* process_counts.c */
void programs_count_processes(struct programs *programs, struct queue *queue);
void programs_pause_counting(struct programs *programs, bool paused);

/* process_interest.c */
void programs_answer(struct programs *programs, __u64 fingerprint, const struct types *types);

/* check.c */
void programs_protect(struct programs *programs);
void programs_check(struct programs *programs,
		    void (*found)(const char *what, bool repaired, const struct bpf_caller *caller, void *context),
		    void *context);

/* clock.c */
void clock_was_told(__u64 realtime, __u64 boottime);
bool clock_has_stepped(__u64 realtime, __u64 boottime);

/* merge.c */
bool queue_push(struct queue *queue, const void *record, __u32 length);
void queues_release(struct queue *queues, int count, __u64 until, void (*deliver)(const void *, __u32, void *),
		    void *context);
__u64 queues_late(void);

/* stream.c */
void stream_open(int socket);
void stream_append(const void *record, __u32 length, void *unused);
void stream_flush(__u64 watermark);
bool stream_read_orders(void (*order)(const struct record_header *, void *), void *context);
