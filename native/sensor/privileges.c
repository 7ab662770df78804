// SPDX-License-Identifier: Apache-2.0
/* Down to two capabilities, for good. */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sensor.h"

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#define CAP_BPF 39
#endif

#define LAST_CAPABILITY 63

static void keep_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {};
	__u32 high = 1u << (CAP_BPF - 32) | 1u << (CAP_PERFMON - 32);

	data[1].effective = high;
	data[1].permitted = high;
	if (syscall(SYS_capset, &header, data))
		fail("the capabilities BPF and PERFMON are missing (%s): start Hullwatch as root, or grant them with "
		     "'setcap cap_bpf,cap_perfmon+ep'",
		     strerror(errno));
}

/* Before 5.11 the kernel counts tables and programs as locked memory. Where that is not allowed, the load will tell. */
static void allow_locked_memory(void)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

void drop_privileges(const struct options *options)
{
	allow_locked_memory();
	if (geteuid() == 0 && options->uid > 0) {
		for (int capability = 0; capability <= LAST_CAPABILITY; capability++)
			prctl(PR_CAPBSET_DROP, capability, 0, 0, 0); /* unknown ones fail, which is as good */
		if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || setgroups(0, NULL) ||
		    setresgid(options->gid, options->gid, options->gid) ||
		    setresuid(options->uid, options->uid, options->uid))
			fail("the sensor can not become user %d: %s", options->uid, strerror(errno));
	}
	keep_capabilities();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fail("the sensor can not give up new privileges: %s", strerror(errno));
}
