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
#define HW_SCAP_COMMANDS 256
#define HW_SCAP_THREADS (1 << 18)

/* Sizes of values that are not numbers of bytes. */
#define HW_SCAP_ANY 0
#define HW_SCAP_TEXT 255

/* Flags of a type. */
#define HW_SCAP_KNOWN 1
#define HW_SCAP_BEGINS 2     /* it is the beginning of a call */
#define HW_SCAP_ANNOUNCES 4  /* it makes a thread known that was not */
#define HW_SCAP_GENERIC 8    /* of a call that has no type of its own: its first value says which */
#define HW_SCAP_CLOSES 16    /* it closes a descriptor, and nothing else is to be done */
#define HW_SCAP_AGAIN 32     /* one that was nothing is known again by its values, and is nothing either */
#define HW_SCAP_MAKES 64     /* it makes a descriptor, whose number is its first value */
#define HW_SCAP_NUMBERED 128 /* by that number, too, it is known again */

/* What is done with an event. */
#define HW_SCAP_COUNTED 1
#define HW_SCAP_NEEDED 2    /* Python has to look at it */
#define HW_SCAP_NOWHERE 255 /* place of a value that there is not */

/* What is done with a generic event, by the writer's code of its call or the kernel's number. */
#define HW_SCAP_CALL_SKIPPED 0
#define HW_SCAP_CALL_NEEDED 1
#define HW_SCAP_CALL_BY_NUMBER 2 /* the number says it */

struct hw_scap_type {
	uint8_t values; /* of the newest version */
	uint8_t flags;
	uint8_t sizes[HW_SCAP_SIZES];
	uint8_t actions[HW_SCAP_VALUES + 1];	 /* by the number of values */
	uint8_t inode;				 /* place of the value that it is not known again by */
	uint8_t tuple;				 /* of the one without which nothing changes */
	uint8_t command;			 /* of the one that says whether something changes */
	uint16_t counted_as[HW_SCAP_VALUES + 1]; /* the type that it is in its newest form */
};

struct hw_scap_calls {
	uint8_t by_code[HW_SCAP_CALLS];
	uint8_t by_number[HW_SCAP_CALLS];
	uint16_t number_of[HW_SCAP_CALLS]; /* what the kernel's number of a code has to be; 0xffff for any */
	uint8_t changes[HW_SCAP_COMMANDS]; /* whether a command on a descriptor changes something */
};

#define HW_SCAP_CHANGES 1024	  /* after which a walk ends */
#define HW_SCAP_LONGEST_BEGUN 512 /* bytes of the block of a call's beginning that is kept here */
#define HW_SCAP_MOST_BEGUN 16384  /* threads for which there is room to do so */

/* A descriptor that was made or closed. */
struct hw_scap_change {
	int64_t tid;
	int64_t fd;
	uint32_t made;	    /* what `hw_scap_learn` was told of those that were made so; 0: it was closed */
	uint32_t has_inode; /* another one, perhaps, than theirs */
	uint64_t inode;
};

struct hw_scap_counts {
	uint64_t blocks; /* that were walked over */
	uint64_t events; /* of them, those that have a number */
	uint64_t types[HW_SCAP_TYPES];
	uint64_t codes[HW_SCAP_CALLS];
	uint64_t numbers[HW_SCAP_CALLS];
	uint64_t room;	/* for descriptors that are made; whoever has it says how much */
	uint64_t key;	/* by which the event at which the walk ended is known again; 0: it is not */
	uint64_t asked; /* whether the walk ended because it has to be told how `thread` is judged */
	int64_t thread;
	uint64_t changed; /* descriptors, in their order; whoever reads them sets it to 0 */
	uint64_t begun;	  /* bytes of `block`, which belongs before the event at which the walk ended */
	uint8_t block[HW_SCAP_LONGEST_BEGUN];
	struct hw_scap_change changes[HW_SCAP_CHANGES];
};

struct hw_scap;

/* `count` types; NULL without memory. `counts` is the caller's, and is written to; `secret` has 16 bytes. */
struct hw_scap *hw_scap_new(const struct hw_scap_type *types, uint32_t count, const struct hw_scap_calls *calls,
			    struct hw_scap_counts *counts, const uint8_t *secret);
void hw_scap_free(struct hw_scap *scap);

/* Where the first block begins that Python has to look at; the end of the last whole one without. A block that it has
 * ended at must not be given again, unless the walk ended for a question or because there were enough changes. */
uint64_t hw_scap_skip(struct hw_scap *scap, const uint8_t *data, uint64_t begin, uint64_t size);

/* Says whether a thread is known: events of others are left to Python. */
void hw_scap_know(struct hw_scap *scap, int64_t tid, uint32_t known);

/* Says what, beside its values, an event of a thread is judged by, as a number that stands for all of it. */
void hw_scap_judge_by(struct hw_scap *scap, int64_t tid, uint64_t context);

/* Says that threads may be judged by something else now: it has to be asked again. */
void hw_scap_forget_threads(struct hw_scap *scap);

/* Says that an event was nothing, by the key that it is known again by, and what it has made; not 0. */
void hw_scap_learn(struct hw_scap *scap, uint64_t key, uint32_t made);

/* Forgets all keys. */
void hw_scap_forget(struct hw_scap *scap);

/* Says that the numbers of calls are not those of x86_64. */
void hw_scap_no_numbers(struct hw_scap *scap);

#endif
