/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Paths that a request of io_uring was given by name, as the names were noted when it was made. */
#pragma once

#include "io_uring.h"
#include "named_path.h"

/* Stands for the address of a name that was noted: only that there is one counts. */
#define NOTED(dirfd) GIVEN(dirfd, 1)

static __always_inline __u32 append_noted(struct scratch *scratch, __u32 position, struct io_kiocb *request, int slot,
					  int dirfd, __u16 *path_length, __u16 *raw_length)
{
	return append_meant(scratch, position, BPF_CORE_READ(request, cqe.res), slot,
			    take_noted_name(scratch, slot, request), NOTED(dirfd), path_length, raw_length);
}
