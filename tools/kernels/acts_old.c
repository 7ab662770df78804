// SPDX-License-Identifier: Apache-2.0
/* Calls that x86_64 has from old times, and newer processors have not. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "acts.h"

#ifdef SYS_open

static int make(const char *path)
{
	return open(path, O_RDWR | O_CREAT, 0640);
}

ACT(open)
{
	return CALL(open, FOLDER "/open", O_WRONLY | O_CREAT, 0640);
}

ACT(creat)
{
	return CALL(creat, FOLDER "/creat", 0600);
}

ACT(unlink)
{
	make(FOLDER "/unlink");
	return CALL(unlink, FOLDER "/./x/..//unlink") == -ENOENT ? CALL(unlink, FOLDER "/unlink") : -1;
}

ACT(rmdir)
{
	mkdir(FOLDER "/rmdir", 0755);
	chdir(FOLDER);
	return CALL(rmdir, "rmdir");
}

ACT(mkdir)
{
	return CALL(mkdir, FOLDER "/mkdir", 0700);
}

ACT(rename)
{
	make(FOLDER "/rename");
	return CALL(rename, FOLDER "/rename", FOLDER "/renamed");
}

ACT(link)
{
	make(FOLDER "/link");
	return CALL(link, FOLDER "/link", FOLDER "/linked");
}

ACT(symlink)
{
	return CALL(symlink, "/etc/passwd", FOLDER "/symlink");
}

ACT(chmod)
{
	make(FOLDER "/chmod");
	return CALL(chmod, FOLDER "/chmod", 04755);
}

ACT(chown)
{
	make(FOLDER "/chown");
	return CALL(chown, FOLDER "/chown", 7, 8);
}

ACT(lchown)
{
	make(FOLDER "/lchown");
	return CALL(lchown, FOLDER "/lchown", 7, 8);
}

ACT(mknod)
{
	return CALL(mknod, FOLDER "/mknod", S_IFIFO | 0600, 0);
}

ACT(utime)
{
	make(FOLDER "/utime");
	return CALL(utime, FOLDER "/utime", NULL);
}

ACT(utimes)
{
	make(FOLDER "/utimes");
	return CALL(utimes, FOLDER "/utimes", NULL);
}

ACT(futimesat)
{
	make(FOLDER "/futimesat");
	return CALL(futimesat, AT_FDCWD, FOLDER "/futimesat", NULL);
}

ACT(fork)
{
	long child = CALL(fork);

	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	return child;
}

ACT(vfork)
{
	long child = vfork();

	if (child == 0)
		_exit(0);
	return child;
}

#endif
