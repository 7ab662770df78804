/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether a process may write to a file, as the kernel decides it for the usual permissions. */
#pragma once

#include "capabilities.h"

#define SUPER_READ_ONLY 1    /* SB_RDONLY */
#define MOUNT_READ_ONLY 0x40 /* MNT_READONLY */
#define INODE_IMMUTABLE 8    /* S_IMMUTABLE */
#define WRITE_BY_OWNER 0200
#define WRITE_BY_GROUP 0020
#define WRITE_BY_OTHERS 0002
#define CAP_DAC_OVERRIDE 1
#define GROUPS_LOOKED_AT 32 /* of the supplementary ones; few accounts have more */

static __always_inline int is_in_group(const struct cred *cred, __u32 gid)
{
	struct group_info *groups = BPF_CORE_READ(cred, group_info);
	int count = BPF_CORE_READ(groups, ngroups);
	__u32 found[GROUPS_LOOKED_AT] = {};

	if (BPF_CORE_READ(cred, fsgid.val) == gid)
		return 1;
	if (count > GROUPS_LOOKED_AT)
		count = GROUPS_LOOKED_AT;
	bpf_probe_read_kernel(found, sizeof(found), (char *)groups + bpf_core_field_offset(struct group_info, gid));
	for (int i = 0; i < GROUPS_LOOKED_AT; i++)
		if (i < count && found[i] == gid)
			return 1;
	return 0;
}

/* Lists of access (ACL) are not looked at, and a capability counts only in the first user namespace. */
static __always_inline int is_writable(struct file *file, struct inode *inode, const struct cred *cred)
{
	__u32 mode = BPF_CORE_READ(inode, i_mode);

	if (BPF_CORE_READ(inode, i_sb, s_flags) & SUPER_READ_ONLY || BPF_CORE_READ(inode, i_flags) & INODE_IMMUTABLE ||
	    BPF_CORE_READ(file, f_path.mnt, mnt_flags) & MOUNT_READ_ONLY)
		return 0;
	if (CAPABILITIES(cred, cap_effective) & 1 << CAP_DAC_OVERRIDE && BPF_CORE_READ(cred, user_ns, level) == 0)
		return 1;
	if (BPF_CORE_READ(cred, fsuid.val) == BPF_CORE_READ(inode, i_uid.val))
		return (mode & WRITE_BY_OWNER) != 0;
	if (is_in_group(cred, BPF_CORE_READ(inode, i_gid.val)))
		return (mode & WRITE_BY_GROUP) != 0;
	return (mode & WRITE_BY_OTHERS) != 0;
}
