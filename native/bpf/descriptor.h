/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a descriptor of the running thread to the kernel's open file. */
#pragma once

#include "event.h"

static __always_inline struct file *file_of_descriptor(struct task_struct *task, long fd)
{
	struct fdtable *table = READ(task, files, fdt);
	struct file **files = READ(table, fd);

	if (fd < 0 || fd >= READ(table, max_fds))
		return NULL;
	return read_pointer(&files[fd]);
}
