/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocks of a .scap file: walks over those events that change nothing and that no rule asks for.
 *
 * captures/scap/skipping.py makes the table and does the same in Python. Whatever is not just as it should be, and
 * whatever is asked for, is left to Python, which says what is wrong with it.
 */
#ifndef HULLWATCH_SCAP_H
#define HULLWATCH_SCAP_H

#include <stdint.h>

#define HW_SCAP_TYPES 512
#define HW_SCAP_VALUES 64  /* that an event has at most */
#define HW_SCAP_SIZES 62   /* whose sizes are known */
#define HW_SCAP_CALLS 1024 /* codes and numbers of system calls that have no type of their own */
#define HW_SCAP_THREADS (1 << 18)

/* Sizes of values that are not numbers of bytes. */
#define HW_SCAP_ANY 0
#define HW_SCAP_TEXT 255

/* Flags of a type. */
#define HW_SCAP_KNOWN 1
#define HW_SCAP_BEGINS 2    /* it is the beginning of a call */
#define HW_SCAP_ANNOUNCES 4 /* it makes a thread known that was not */
#define HW_SCAP_GENERIC 8   /* of a call that has no type of its own: its first value says which */

#define HW_SCAP_CLOSES 16 /* it closes a descriptor, and nothing else is to be done */

/* What is done with an event. */
#define HW_SCAP_COUNTED 1
#define HW_SCAP_NEEDED 2 /* Python has to look at it */
#define HW_SCAP_STORED 4 /* it is kept until the call ends, in the place of another */

/* What is done with a generic event, by the writer's code of its call or the kernel's number. */
#define HW_SCAP_CALL_SKIPPED 0
#define HW_SCAP_CALL_NEEDED 1
#define HW_SCAP_CALL_BY_NUMBER 2 /* the number says it */

struct hw_scap_type {
	uint8_t values; /* of the newest version */
	uint8_t flags;
	uint8_t sizes[HW_SCAP_SIZES];
	uint8_t actions[HW_SCAP_VALUES + 1]; /* by the number of values */
	uint8_t reserved;
	uint16_t counted_as[HW_SCAP_VALUES + 1]; /* the type that it is in its newest form */
};

struct hw_scap_calls {
	uint8_t by_code[HW_SCAP_CALLS];
	uint8_t by_number[HW_SCAP_CALLS];
	uint16_t number_of[HW_SCAP_CALLS]; /* what the kernel's number of a code has to be; 0xffff for any */
};

#define HW_SCAP_CLOSED 1024 /* descriptors, after which a walk ends */

struct hw_scap_closed {
	int64_t tid;
	int64_t fd;
};

struct hw_scap_counts {
	uint64_t blocks; /* that were walked over */
	uint64_t events; /* of them, those that have a number */
	uint64_t types[HW_SCAP_TYPES];
	uint64_t codes[HW_SCAP_CALLS];
	uint64_t numbers[HW_SCAP_CALLS];
	uint64_t closed; /* descriptors that were closed, in their order; whoever reads them sets it to 0 */
	struct hw_scap_closed list[HW_SCAP_CLOSED];
};

struct hw_scap;

/* `count` types; NULL without memory. `counts` is the caller's, and is written to. */
struct hw_scap *hw_scap_new(const struct hw_scap_type *types, uint32_t count, const struct hw_scap_calls *calls,
			    struct hw_scap_counts *counts);
void hw_scap_free(struct hw_scap *scap);

/* Where the first block begins that Python has to look at; the end of the last whole one without. */
uint64_t hw_scap_skip(struct hw_scap *scap, const uint8_t *data, uint64_t begin, uint64_t size);

/* Says whether a thread is known: events of others are left to Python. */
void hw_scap_know(struct hw_scap *scap, int64_t tid, uint32_t known);

#endif
