// SPDX-License-Identifier: Apache-2.0
/* Which variables of the environment the kernel programs look for: the engine's names, made ready to be compared. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "programs.h"

#define NAMES 32	/* as in environment.h */
#define NAME_WORDS 8	/* the same */
#define NAME_LONGEST 63 /* bytes; "=" follows */

struct environment_names {
	__u64 count;
	struct {
		__u8 text[NAME_WORDS * 8];
		__u8 mask[NAME_WORDS * 8];
	} names[NAMES];
};

/* `names` are `length` bytes, each name ended by a zero byte. */
void programs_name_variables(struct programs *programs, const char *names, size_t length)
{
	struct environment_names known = {0};
	const char *end = names + length;
	__u32 zero = 0;

	while (names < end) {
		size_t bytes = strnlen(names, end - names);

		if (known.count == NAMES || bytes == 0 || bytes > NAME_LONGEST || names + bytes == end)
			fail("the engine names variables of the environment that can not be looked for");
		memcpy(known.names[known.count].text, names, bytes);
		known.names[known.count].text[bytes] = '=';
		memset(known.names[known.count].mask, 0xff, bytes + 1);
		known.count++;
		names += bytes + 1;
	}
	if (bpf_map_update_elem(programs_table(programs, "environment_names_buffer"), &zero, &known, BPF_ANY))
		fail("the names of variables can not be written into the kernel: %s", strerror(errno));
}
