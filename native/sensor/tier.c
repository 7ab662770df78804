// SPDX-License-Identifier: Apache-2.0
/* Which of the two sets of kernel programs this kernel can load: asked of its helpers, never of its version. */
#include <bpf/btf.h>
#include <errno.h>
#include <string.h>

#include "basic_programs.skel.h"
#include "full_programs.skel.h"
#include "programs.h"

/* What the programs call, as the kernel names its helpers. */
static const char *const basic_tier_helpers[] = {
	"BPF_FUNC_probe_read_kernel", "BPF_FUNC_probe_read_user_str", "BPF_FUNC_ringbuf_output",
	"BPF_FUNC_ktime_get_boot_ns", "BPF_FUNC_seq_write",
};
static const char *const full_tier_helpers[] = {
	"BPF_FUNC_get_current_task_btf",
	"BPF_FUNC_task_pt_regs",
	"BPF_FUNC_loop",
	"BPF_FUNC_copy_from_user_task",
};

#define FIND_MISSING(types, helpers) find_missing(types, helpers, sizeof(helpers) / sizeof(*(helpers)))

static bool has_helper(const struct btf *types, const struct btf_type *helpers, const char *name)
{
	const struct btf_enum *values = btf_enum(helpers);

	for (int i = 0; i < btf_vlen(helpers); i++)
		if (!strcmp(btf__name_by_offset(types, values[i].name_off), name))
			return true;
	return false;
}

/* The first helper that the kernel has not; NULL when it has all. */
static const char *find_missing(const struct btf *types, const char *const *names, size_t count)
{
	__s32 helpers = btf__find_by_name_kind(types, "bpf_func_id", BTF_KIND_ENUM);

	for (size_t i = 0; i < count; i++)
		if (helpers < 0 || !has_helper(types, btf__type_by_id(types, helpers), names[i]))
			return names[i];
	return NULL;
}

/* The best tier that the kernel has all helpers for. */
enum tiers tier_of_kernel(void)
{
	struct btf *types = btf__load_vmlinux_btf();
	const char *missing;
	enum tiers tier;

	if (!types)
		fail("the kernel's description of its types (/sys/kernel/btf/vmlinux) can not be read: %s",
		     strerror(errno));
	missing = FIND_MISSING(types, basic_tier_helpers);
	if (missing)
		fail("this kernel is too old: it has no %s, as Linux 5.10 and newer ones have", missing);
	tier = FIND_MISSING(types, full_tier_helpers) ? TIER_BASIC : TIER_FULL;
	btf__free(types);
	return tier;
}

const char *tier_name(enum tiers tier)
{
	return tier == TIER_FULL ? "full" : "basic";
}

/* The programs of a tier, opened and not loaded; NULL with errno when they can not be. */
struct bpf_object *tier_open(enum tiers tier)
{
	size_t size;
	const void *bytes = tier == TIER_FULL ? full_programs__elf_bytes(&size) : basic_programs__elf_bytes(&size);

	return bpf_object__open_mem(bytes, size, NULL);
}

int __real_bpf_btf_get_next_id(__u32 start, __u32 *next);
int __wrap_bpf_btf_get_next_id(__u32 start, __u32 *next);

/*
 * libbpf looks for a type that the kernel has not among those of modules. To list them takes more power than the sensor
 * has, and libbpf gives up all, also where it can do without the type. To us there are none. (The linker puts this in
 * the place of libbpf's function.)
 */
int __wrap_bpf_btf_get_next_id(__u32 start, __u32 *next)
{
	int error = __real_bpf_btf_get_next_id(start, next);

	if (error && errno == EPERM) {
		errno = ENOENT;
		return -ENOENT;
	}
	return error;
}
