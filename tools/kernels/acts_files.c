// SPDX-License-Identifier: Apache-2.0
/* What is done to files. Each act makes the file that it needs, by calls that other acts are about. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

#include "acts.h"

#define NUMBER_FCHMODAT2 452 /* newer than the headers of some systems */
#define COPY_OF_TREE 1	     /* OPEN_TREE_CLONE; not all headers have it, as what follows */
#define OF_DESCRIPTOR 4	     /* MOVE_MOUNT_F_EMPTY_PATH */

static int make(const char *path)
{
	return open(path, O_RDWR | O_CREAT, 0640);
}

ACT(openat)
{
	return CALL(openat, AT_FDCWD, FOLDER "/../t/openat", O_RDWR | O_CREAT, 0644);
}

/* The same each time, so that it can be known again. */
ACT(openat_known)
{
	return CALL(openat, AT_FDCWD, PROGRAM, O_RDONLY);
}

ACT(openat_missing)
{
	return CALL(openat, AT_FDCWD, FOLDER "/missing", O_RDONLY);
}

ACT(openat2)
{
	struct open_how how = {.flags = O_RDONLY | O_CREAT, .mode = 0600};

	return CALL(openat2, AT_FDCWD, FOLDER "/openat2", &how, sizeof(how));
}

/* Far down: the kernel programs have to walk up all of it. */
ACT(openat_deep)
{
	chdir(FOLDER);
	for (int depth = 0; depth < 30; depth++) {
		mkdir("deep", 0755);
		chdir("deep");
	}
	return CALL(openat, AT_FDCWD, "file", O_RDWR | O_CREAT, 0644);
}

ACT(close)
{
	return CALL(close, make(FOLDER "/close"));
}

/* Of all that is open from there on: the one that was written is told of. */
ACT(close_range)
{
	int first = open(FOLDER, O_RDONLY);

	make(FOLDER "/close_range");
	return CALL(close_range, first, ~0u, 0);
}

ACT(unlinkat)
{
	make(FOLDER "/unlinkat");
	return CALL(unlinkat, open(FOLDER, O_RDONLY), "unlinkat", 0);
}

ACT(mkdirat)
{
	chdir(FOLDER);
	return CALL(mkdirat, AT_FDCWD, "./mkdirat", 0700);
}

ACT(renameat)
{
	make(FOLDER "/renameat");
	return CALL(renameat, AT_FDCWD, FOLDER "/renameat", AT_FDCWD, FOLDER "/renamedat");
}

ACT(renameat2)
{
	make(FOLDER "/renameat2");
	return CALL(renameat2, AT_FDCWD, FOLDER "/renameat2", AT_FDCWD, FOLDER "/renamedat2", 0);
}

ACT(linkat)
{
	make(FOLDER "/linkat");
	return CALL(linkat, AT_FDCWD, FOLDER "/linkat", AT_FDCWD, FOLDER "/linkedat", 0);
}

ACT(symlinkat)
{
	return CALL(symlinkat, "/etc/passwd", AT_FDCWD, FOLDER "/symlinkat");
}

ACT(fchmod)
{
	return CALL(fchmod, make(FOLDER "/fchmod"), 0755);
}

ACT(fchmodat)
{
	make(FOLDER "/fchmodat");
	return CALL(fchmodat, AT_FDCWD, FOLDER "/fchmodat", 0755);
}

ACT(fchmodat2)
{
	make(FOLDER "/fchmodat2");
	return result_of(syscall(NUMBER_FCHMODAT2, AT_FDCWD, FOLDER "/fchmodat2", 0755, 0));
}

ACT(fchown)
{
	return CALL(fchown, make(FOLDER "/fchown"), 7, 8);
}

ACT(fchownat)
{
	make(FOLDER "/fchownat");
	return CALL(fchownat, AT_FDCWD, FOLDER "/fchownat", 7, 8, 0);
}

ACT(mknodat)
{
	return CALL(mknodat, AT_FDCWD, FOLDER "/mknodat", S_IFIFO | 0600, 0);
}

ACT(mount)
{
	mkdir(FOLDER "/mount", 0755);
	return CALL(mount, "none", FOLDER "/mount", "tmpfs", MS_NOSUID, NULL);
}

ACT(umount2)
{
	mkdir(FOLDER "/umount2", 0755);
	mount("none", FOLDER "/umount2", "tmpfs", 0, NULL);
	return CALL(umount2, FOLDER "/umount2", MNT_DETACH);
}

static long copy_of(const char *folder)
{
	mkdir(folder, 0755);
	return CALL(open_tree, AT_FDCWD, folder, COPY_OF_TREE);
}

ACT(open_tree)
{
	return copy_of(FOLDER "/open_tree");
}

ACT(move_mount)
{
	mkdir(FOLDER "/move_mount", 0755);
	return CALL(move_mount, copy_of(FOLDER "/moved"), "", AT_FDCWD, FOLDER "/move_mount", OF_DESCRIPTOR);
}

/* Since Linux 5.12; a call that the kernel has not is told as one that failed. */
ACT(mount_setattr)
{
	unsigned long long read_only[4] = {1};

	mkdir(FOLDER "/mount_setattr", 0755);
	mount("none", FOLDER "/mount_setattr", "tmpfs", 0, NULL);
	return CALL(mount_setattr, AT_FDCWD, FOLDER "/mount_setattr", 0, read_only, sizeof(read_only));
}

/* In a mount namespace of its own, as a container has. */
ACT(mapped_library)
{
	int file = make(FOLDER "/mapped_library");

	unshare(CLONE_NEWNS);
	CALL(mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
	return 0;
}

/* Across a mount: the walk has to leave it for the directory that it is on. */
ACT(openat_mounted)
{
	mkdir(FOLDER "/mounted", 0755);
	mount("none", FOLDER "/mounted", "tmpfs", 0, NULL);
	return CALL(openat, AT_FDCWD, FOLDER "/mounted/file", O_RDWR | O_CREAT, 0644);
}

ACT(open_by_handle_at)
{
	struct {
		struct file_handle handle;
		unsigned char bytes[128];
	} space = {.handle.handle_bytes = 128};
	int mount, folder = open(FOLDER, O_RDONLY);

	make(FOLDER "/handle");
	name_to_handle_at(AT_FDCWD, FOLDER "/handle", &space.handle, &mount, 0);
	return CALL(open_by_handle_at, folder, &space.handle, O_RDONLY);
}

ACT(ftruncate)
{
	return CALL(ftruncate, make(FOLDER "/ftruncate"), 5);
}

ACT(truncate)
{
	make(FOLDER "/truncate");
	return CALL(truncate, FOLDER "/truncate", 5);
}

ACT(utimensat)
{
	make(FOLDER "/utimensat");
	return CALL(utimensat, AT_FDCWD, FOLDER "/utimensat", NULL, 0);
}

ACT(setxattr)
{
	make(FOLDER "/setxattr");
	return CALL(setxattr, FOLDER "/setxattr", "trusted.a", "value", 5, 0);
}

ACT(lsetxattr)
{
	make(FOLDER "/lsetxattr");
	return CALL(lsetxattr, FOLDER "/lsetxattr", "trusted.a", "value", 5, 0);
}

ACT(fsetxattr)
{
	return CALL(fsetxattr, make(FOLDER "/fsetxattr"), "trusted.a", "value", 5, 0);
}
