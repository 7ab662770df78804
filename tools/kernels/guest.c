// SPDX-License-Identifier: Apache-2.0
/*
 * The first and only program of a machine that was booted to try a kernel. It starts the sensor, carries its stream
 * over the second serial line, and does on command (over the first) what the sensor is to see.
 *
 * What it says begins with "guest: ". The host says "act" once the sensor has listed the processes, and
 * "act NAME" to have one act done again.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "acts.h"

#define CONSOLE "/dev/ttyS0"
#define STREAM "/dev/ttyS1"
#define SENSOR "/hullwatch-sensor"
#define SENSOR_USER "--user=61500:61500" /* as the supervisor starts it: without power but its two capabilities */
#define ACT_SECONDS 10

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	char line[512];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (dprintf(STDOUT_FILENO, "guest: %.*s\n", length, line) < 0)
		exit(1);
}

static void stop(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void need(long result, const char *what)
{
	if (result >= 0)
		return;
	say("broken %s: %s", what, strerror(errno));
	stop();
}

static void mount_at(const char *type, const char *target)
{
	mkdir(target, 0755);
	need(mount(type, target, type, 0, NULL), target);
}

/* Bytes as they are: no line ends changed, nothing echoed. */
static int open_line(const char *path)
{
	struct termios line;
	int descriptor = open(path, O_RDWR | O_NOCTTY);

	need(descriptor, path);
	need(tcgetattr(descriptor, &line), path);
	cfmakeraw(&line);
	need(tcsetattr(descriptor, TCSANOW, &line), path);
	return descriptor;
}

static void copy(int from, int to, const char *what)
{
	char bytes[16384];
	ssize_t length = read(from, bytes, sizeof(bytes)), done = 0;

	if (length <= 0)
		exit(0); /* the sensor has ended, which its parent tells */
	while (done < length) {
		ssize_t written = write(to, bytes + done, length - done);

		need(written, what);
		done += written;
	}
}

static void carry(int sensor, int line)
{
	struct pollfd ends[] = {{.fd = sensor, .events = POLLIN}, {.fd = line, .events = POLLIN}};

	for (;;) {
		need(poll(ends, 2, -1), "poll");
		if (ends[0].revents)
			copy(ends[0].fd, ends[1].fd, STREAM);
		if (ends[1].revents)
			copy(ends[1].fd, ends[0].fd, "the sensor's socket");
	}
}

static pid_t start_sensor(int line, int argument_count, char **arguments)
{
	char socket[32], own[32];
	int ends[2];
	pid_t carrier, sensor;

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
	carrier = fork();
	if (carrier == 0) {
		close(ends[1]);
		carry(ends[0], line);
	}
	snprintf(socket, sizeof(socket), "--socket=%d", ends[1]);
	snprintf(own, sizeof(own), "--own=%d", carrier);
	sensor = fork();
	if (sensor == 0) {
		char *command[16] = {SENSOR, socket, own, SENSOR_USER};

		for (int i = 0; i < argument_count && i < 8; i++)
			command[4 + i] = arguments[i];
		close(ends[0]);
		execv(SENSOR, command);
		exit(127);
	}
	close(ends[0]);
	close(ends[1]);
	return sensor;
}

/* Each act has a process of its own, so that it can change what it likes and is told by its number. */
static void perform(const struct act *act, long *result)
{
	int status;
	pid_t child;

	*result = -1;
	child = fork();
	if (child == 0) {
		alarm(ACT_SECONDS);
		*result = act->run();
		_exit(0);
	}
	need(child, "fork");
	waitpid(child, &status, 0);
	say("act %s %d %ld %d", act->name, child, *result, status);
}

/* The linker puts the entries of all acts behind each other. */
extern const struct act __start_acts[], __stop_acts[];

/* All acts, or that of a name. */
static void perform_acts(const char *name)
{
	static long *result;

	if (!result)
		result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (const struct act *act = __start_acts; act < __stop_acts; act++)
		if (!name || !strcmp(name, act->name))
			perform(act, result);
	say("done %s", name ? name : "all");
}

static void obey(pid_t sensor)
{
	char line[64];
	size_t length = 0;
	struct pollfd console = {.fd = STDIN_FILENO, .events = POLLIN};

	for (;;) {
		int status;

		if (waitpid(sensor, &status, WNOHANG) == sensor) {
			say("the sensor ended with status %d", status);
			stop();
		}
		if (poll(&console, 1, 200) <= 0 || read(STDIN_FILENO, line + length, 1) != 1)
			continue;
		if (line[length] != '\n' && length < sizeof(line) - 1) {
			length++;
			continue;
		}
		line[length] = 0;
		length = 0;
		if (!strcmp(line, "act"))
			perform_acts(NULL);
		else if (!strncmp(line, "act ", 4))
			perform_acts(line + 4);
		else if (!strcmp(line, "end"))
			stop();
	}
}

int main(int argument_count, char **arguments)
{
	struct utsname name;
	int console, stream;

	mkdir("/dev", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL); /* some kernels have done that */
	console = open_line(CONSOLE);
	dup2(console, STDIN_FILENO);
	dup2(console, STDOUT_FILENO);
	dup2(console, STDERR_FILENO);
	close(console);
	mount_at("proc", "/proc");
	mount_at("sysfs", "/sys");
	mount_at("cgroup2", "/sys/fs/cgroup");
	mount_at("tmpfs", FOLDER);
	umask(022);
	need(uname(&name), "uname");
	stream = open_line(STREAM); /* before the host hears of us, and sends orders */
	say("kernel %s", name.release);
	obey(start_sensor(stream, argument_count - 1, arguments + 1));
	return 0;
}
