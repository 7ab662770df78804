/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules out records by values that were judged before: detect/classifier.py in C, and the same in every result.
 *
 * The caller describes where values lie (recipes) and tells the classes of values as it learns them; a batch is
 * then looked at in one call. Nothing here trusts a batch: every length is checked before it is used, and a
 * record that contradicts itself is handed to the caller. The recipes are the caller's own and are trusted.
 */
#ifndef HULLWATCH_CLASSIFIER_H
#define HULLWATCH_CLASSIFIER_H

#include <stdint.h>

#define HW_CONTEXT_SIZE 28   /* bytes of a record's header that make a process context */
#define HW_STRINGS 2	     /* strings of a record that are looked at */
#define HW_SCALARS 6	     /* small values of a record that are looked at */
#define HW_CLASSES (1 << 14) /* classes of a domain, 0 (unknown) among them */
#define HW_KINDS 255
#define HW_START_SCALARS 12 /* small values of a program's record that processes are the same by */
#define HW_SURVIVORS 256    /* of one call */
#define HW_TOLD 4096	    /* fingerprints between two calls of hw_take_ruled_out; a power of two */

/*
 * The highest bits of fingerprints, as in native/bpf/ruled_out.h: of a file that is opened in one way, by whomever, and
 * what is told of such a one when some process has to be looked at for it.
 */
#define HW_OF_FILE (1ull << 62)
#define HW_NOT_FOR_ALL (1ull << 63)

/*
 * Stand for the kind of a survivor: a record that the caller has to see before the next one is looked at; one that
 * contradicts itself; one that no condition can hold for, but that the caller has to see in its turn, or because the
 * container has not connected to this peer yet.
 */
enum { HW_STATE = -1, HW_BROKEN = -2, HW_NOTED = -3, HW_CONTACT = -4 };

/*
 * What a type of records is to the caller's state: nothing; something that does not change what is known; all else, the
 * last two unless the call failed, and the last one, which is of a program, unless such a process is known already.
 */
enum { HW_PLAIN, HW_NOTE, HW_NOTE_END, HW_STOP, HW_STOP_UNLESS_FAILED, HW_STOP_UNLESS_KNOWN };

/* What `noted` of a survivor says; HW_NOTED_KNOWN: all is known that there is to know of the process that begins. */
enum { HW_NOTED_NOT, HW_NOTED_PLAIN, HW_NOTED_KNOWN };

struct hw_piece {
	uint32_t offset; /* from the record's first byte */
	uint32_t size;	 /* bytes, 24 at most in all pieces */
};

struct hw_string {
	uint32_t variable; /* which of the values of variable size */
	uint32_t protocol; /* offset of the protocol of an address pair; 0 for other strings */
	uint32_t decides;  /* 0: no condition asks for it */
};

struct hw_kind {
	uint32_t fixed_end; /* offset of the first value of variable size */
	uint32_t lengths;   /* offset of its u16 length, which those of the others follow */
	uint32_t asks_scalars;
	uint32_t scalar_count;
	struct hw_piece scalars[HW_SCALARS];
	uint32_t string_count;
	struct hw_string strings[HW_STRINGS];
	uint32_t is_told; /* whether ruled out calls of this kind are told by their fingerprints */
};

/* Where a record has the pair of addresses of a connection; offsets. */
struct hw_peer {
	uint32_t lengths; /* of the first length of a value of variable size; 0: nobody wants to see contacts */
	uint32_t variable;
	uint32_t protocol;
};

struct hw_type {
	uint32_t number;   /* of the event table */
	uint32_t is_event; /* counted and numbered */
	uint32_t state;	   /* HW_PLAIN ...; HW_NOTE_END: a process ends, which has no more records of its own */
	uint32_t shortest; /* bytes that a record has at least */
	uint32_t sign;	   /* offset of the result's highest byte; 0 without a result */
	int32_t succeeded; /* kind of calls that succeeded, or of all; -1: no condition can hold */
	int32_t failed;
	uint32_t fingerprint; /* offset of what the sensor can remember a successful call by; 0: nothing */
	uint32_t flags;	      /* offset of flags; 0: none are looked at */
	uint32_t spared;      /* calls with one of these flags are not told, though they are ruled out */
	struct hw_peer
		peer; /* of a type whose first call from a container to a peer is seen; its `state` is HW_PLAIN */
};

/* Where records of children (HW_NOTE) and of programs (HW_STOP_UNLESS_KNOWN) have what processes are the same by. */
struct hw_starts {
	uint32_t child_end; /* offset of the first value of variable size, the name; 0: nothing is known by others */
	uint32_t child_pid; /* offsets; of 8 bytes each */
	uint32_t child_start;
	uint32_t child_vpid;
	uint32_t child_lengths;
	uint32_t program_end;
	uint32_t vpid;
	uint32_t lengths;
	uint32_t variables; /* the last one is not looked at */
	uint32_t arguments; /* which of them they are, each ended by a zero byte */
	uint32_t scalar_count;
	struct hw_piece scalars[HW_START_SCALARS]; /* of 8 bytes at most */
};

struct hw_survivor {
	uint64_t offset; /* in the batch */
	uint64_t number; /* which event it is, from 1 at the beginning of the call */
	int32_t kind;
	uint32_t process; /* classes; 0 = unknown */
	uint32_t scalars;
	uint32_t strings[HW_STRINGS];
	uint32_t noted; /* of a type that the caller has to see, ruled out or not: HW_NOTED_... */
};

struct hw_call {
	/* what is asked */
	uint64_t size;	  /* of the batch */
	uint64_t counted; /* what stands before this offset was counted by an earlier call */
	/* asked: where to begin; answered: where to go on */
	uint64_t offset;
	/* what is answered */
	uint64_t events;
	uint32_t survivors;
	uint32_t broken; /* at the offset there is no whole record */
	struct hw_survivor list[HW_SURVIVORS];
};

struct hw_classifier;

/* `key` has 16 secret bytes. NULL without memory. */
struct hw_classifier *hw_new(const struct hw_type *types, uint32_t type_count, const struct hw_kind *kinds,
			     uint32_t kind_count, const uint8_t *key);
void hw_free(struct hw_classifier *classifier);

/*
 * Takes the automaton that finds the words in a kind's string: the column of each byte, the next state by state and
 * column, and by state the end of its words in `outputs`, each with bit 0 set if the word does not decide.
 * Returns 0, or -1 without memory; then new strings are unknown.
 */
int hw_set_words(struct hw_classifier *classifier, uint32_t kind, uint32_t slot, const uint8_t *columns,
		 uint32_t column_count, const uint32_t *next, uint32_t state_count, const uint32_t *output_ends,
		 const uint32_t *outputs);

/*
 * Looks at records from an offset on, to the end of the batch, the first record of HW_STOP, the first with an unknown
 * class, or until `call->list` is full.
 */
void hw_classify(struct hw_classifier *classifier, const uint8_t *batch, struct hw_call *call);

/* Says where the records that processes begin with have what they are the same by. */
void hw_set_starts(struct hw_classifier *classifier, const struct hw_starts *where);

/*
 * The words, as an automaton as of hw_set_words, without which in their arguments programs may be alike whatever these
 * are; `columns` has letters of both cases in one, and an output is a word's marks: bits that say to whom it matters.
 * Returns -1 without memory.
 */
int hw_set_argument_words(struct hw_classifier *classifier, const uint8_t *columns, uint32_t column_count,
			  const uint32_t *next, uint32_t state_count, const uint32_t *output_ends,
			  const uint32_t *outputs);

/*
 * `classes` has one for each kind; `container` is a number of the caller's, not 0. `alone`: it has no other context.
 * `ancestry` stands for all that the classes follow from, but for container and user, and `above` is its parent's; 0
 * when that is not known, or not all.
 */
void hw_learn_process(struct hw_classifier *classifier, const uint8_t *context, uint32_t container,
		      const uint16_t *classes, uint32_t alone, uint32_t ancestry, uint32_t above);

/*
 * What was learnt of the process that begins with a record, a child or one that runs a program, holds for all that
 * begin alike: from now on their records need not be judged. Until a container or a control group is forgotten. With
 * `marks`, programs begin alike whatever arguments behind the first they have, but for those with words of these.
 */
void hw_learn_start(struct hw_classifier *classifier, const uint8_t *batch, uint32_t size, uint32_t offset,
		    uint32_t marks);
void hw_forget_starts(struct hw_classifier *classifier);
void hw_learn_scalars(struct hw_classifier *classifier, uint32_t kind, const uint8_t *batch, uint64_t size,
		      uint64_t offset, uint32_t judged);
void hw_learn_string(struct hw_classifier *classifier, uint32_t kind, uint32_t slot, const uint8_t *batch,
		     uint64_t size, uint64_t offset, uint32_t judged);
void hw_learn_dead(struct hw_classifier *classifier, uint32_t kind, uint32_t process, uint32_t scalars, uint32_t first,
		   uint32_t second);
/* Whether no condition is left for these classes and any process at all. */
void hw_learn_anyone(struct hw_classifier *classifier, uint32_t kind, uint32_t scalars, uint32_t first, uint32_t second,
		     uint32_t dead);
void hw_forget_process(struct hw_classifier *classifier, uint64_t start, uint32_t pid);
void hw_forget_container(struct hw_classifier *classifier, uint32_t container);
void hw_forget_cgroup(struct hw_classifier *classifier, uint64_t id, uint32_t hierarchy);
void hw_forget_processes(struct hw_classifier *classifier);
/* From now on every contact is a first one again. */
void hw_forget_contacts(struct hw_classifier *classifier);

/* Gives fingerprints of calls that were ruled out since the last call, HW_TOLD at most; returns how many. */
uint32_t hw_take_ruled_out(struct hw_classifier *classifier, uint64_t *fingerprints);

/* Events of a type, which is its position in `types` of hw_new. */
struct hw_count {
	uint64_t type;
	uint64_t count;
};

/* Gives how many events there were since the last call, of types that there were any of; returns how many types. */
uint32_t hw_take_counts(struct hw_classifier *classifier, struct hw_count *counts);

#endif
