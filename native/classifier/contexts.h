/* SPDX-License-Identifier: Apache-2.0 */
/* The classes of process contexts, by kind. Of fixed size; what does not fit takes the place of what was there. */
#ifndef HULLWATCH_CONTEXTS_H
#define HULLWATCH_CONTEXTS_H

#include <stdint.h>

#include "classifier.h"

/* As the values lie in a record's header. */
struct context_key {
	uint64_t start;
	uint64_t cgroup;
	uint32_t hierarchy;
	uint32_t uid;
	uint32_t pid;
} __attribute__((packed));

struct context {
	struct context_key key;
	uint32_t container; /* the caller's number; 0 = free */
	uint32_t ancestry;  /* the caller's number for what it runs below what; 0 = not known */
	uint32_t above;	    /* that of its parent; 0 = not known */
};

struct contexts {
	struct context *entries; /* all of one process in one set */
	uint16_t *classes;	 /* by entry and kind */
	uint32_t kind_count;
	uint64_t replaced;
	uint64_t last; /* place of the entry that was found last */
	uint64_t hash_key[2];
};

int contexts_make(struct contexts *contexts, uint32_t kind_count, const uint64_t hash_key[2]);
void contexts_free(struct contexts *contexts);

/* The classes by kind; NULL when the context is not known. */
const uint16_t *contexts_find(struct contexts *contexts, const uint8_t *context);
/* The same with all that is known besides. */
const struct context *contexts_entry(const struct contexts *contexts, const uint8_t *context);
const uint16_t *contexts_classes(const struct contexts *contexts, const struct context *entry);
void contexts_learn(struct contexts *contexts, const struct context *known, const uint16_t *classes);
void contexts_forget_process(struct contexts *contexts, uint64_t start, uint32_t pid);
void contexts_forget_container(struct contexts *contexts, uint32_t container);
void contexts_forget_cgroup(struct contexts *contexts, uint64_t id, uint32_t hierarchy);
void contexts_forget_all(struct contexts *contexts);

#endif
