// SPDX-License-Identifier: Apache-2.0
/*
 * hullwatch-sensor --probe | --socket FD [--user UID:GID] [--own PID]... [--ring-bytes N] [--tier full|basic]
 *
 * Started by the supervisor, never by hand. Says it is ready with a clock record; attaches its programs when the
 * engine has said what it wants.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define EVENT_TABLE_ROWS
#include "programs.h"

#ifndef HULLWATCH_VERSION
#define HULLWATCH_VERSION "unknown"
#endif

#define TAMPERED_BYTES 512 /* of the sentence that tells of it */

/* One entry of the parameter `counts` of the record `drops`. */
struct drop_count {
	__u16 event;
	__u16 reason;
	__u32 zero;
	__u64 count;
};

struct sensor {
	struct programs *programs;
	struct queue *queues; /* one for each CPU, and one for the sensor's own records */
	int cpus;
	bool attached;
	__u64 last_report;
	__u64 drops[INDEX_COUNT][DROP_REASON_COUNT];
};

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
	(void)signal;
	stopping = 1;
}

void fail(const char *sentence, ...)
{
	va_list arguments;

	va_start(arguments, sentence);
	fputs("hullwatch-sensor: ", stderr);
	vfprintf(stderr, sentence, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(EXIT_CANNOT);
}

static __u64 nanoseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

__u64 boot_time(void)
{
	return nanoseconds(CLOCK_BOOTTIME);
}

static struct queue *own_queue(struct sensor *sensor)
{
	return &sensor->queues[sensor->cpus];
}

static void report_clock(struct sensor *sensor)
{
	struct record_clock clock = {
		.header = {.length = sizeof(clock), .type = EVENT_CLOCK, .time = boot_time()},
		.realtime = nanoseconds(CLOCK_REALTIME),
	};

	clock_was_told(clock.realtime, clock.header.time);
	queue_push(own_queue(sensor), &clock, sizeof(clock));
}

/* Say what this kernel lets be seen of what is asked for. */
static void report_support(struct sensor *sensor, const __u16 *types, size_t count)
{
	struct {
		struct record_kernel_support record;
		__u16 unseen[INDEX_COUNT + 3]; /* with room to fill up the record's last eight bytes */
	} report = {.record.header = {.type = EVENT_KERNEL_SUPPORT, .time = boot_time()}};
	__u32 length = sizeof(__u16) * programs_unseen(sensor->programs, types, count, report.unseen);

	report.record.tier = programs_tier(sensor->programs);
	report.record.lacks = programs_lacks(sensor->programs);
	report.record.unseen_length = length;
	report.record.header.length = (sizeof(report.record) + length + 7) & ~7u;
	queue_push(own_queue(sensor), &report, report.record.header.length);
}

/* Send all counts when one of them has changed. */
static void report_drops(struct sensor *sensor)
{
	struct {
		struct record_drops record;
		struct drop_count counts[INDEX_COUNT * DROP_REASON_COUNT];
	} report = {.record.header = {.type = EVENT_DROPS, .time = boot_time()}};
	__u64 drops[INDEX_COUNT][DROP_REASON_COUNT];
	int entries = 0;

	programs_count_drops(sensor->programs, drops);
	if (memcmp(drops, sensor->drops, sizeof(drops)) == 0)
		return;
	memcpy(sensor->drops, drops, sizeof(drops));
	for (int event = 0; event < INDEX_COUNT; event++)
		for (int reason = 0; reason < DROP_REASON_COUNT; reason++)
			if (drops[event][reason])
				report.counts[entries++] = (struct drop_count){
					.event = event_rows[event].number,
					.reason = reason,
					.count = drops[event][reason],
				};
	report.record.counts_length = entries * sizeof(struct drop_count);
	report.record.header.length = sizeof(report.record) + report.record.counts_length;
	queue_push(own_queue(sensor), &report, report.record.header.length);
}

static void report_pulse(struct sensor *sensor)
{
	struct record_pulse pulse = {
		.header = {.length = sizeof(pulse), .type = EVENT_PULSE, .time = boot_time()},
		.pid = getpid(),
		.cpu_time = nanoseconds(CLOCK_PROCESS_CPUTIME_ID),
	};

	queue_push(own_queue(sensor), &pulse, sizeof(pulse));
}

static void report_tampering(const char *what, bool repaired, const struct bpf_caller *caller, void *context)
{
	size_t length = strlen(what);
	struct {
		struct record_tampered record;
		char what[TAMPERED_BYTES];
	} report = {.record = {
			    .header = {.type = EVENT_TAMPERED, .time = boot_time()},
			    .caller_pid = caller->pid,
			    .caller_start = caller->start,
			    .caller_time = caller->time,
			    .caller_command = caller->command,
			    .repaired = repaired,
		    }};

	if (length > sizeof(report.what))
		length = sizeof(report.what);
	memcpy(report.what, what, length);
	report.record.what_length = length;
	report.record.header.length = sizeof(report.record) + (length + 7) / 8 * 8;
	queue_push(own_queue(context), &report, report.record.header.length);
}

static void drain(struct sensor *sensor);

/* While a long list is made: part of it is sent, which it may be when it is older than the slack. */
static void make_room(void *context)
{
	struct timespec slack = {.tv_nsec = 2 * ORDER_SLACK_NS};

	nanosleep(&slack, NULL);
	drain(context);
}

static struct types read_types(const void *list, __u16 bytes)
{
	struct types types = {.count = bytes / sizeof(__u16)};

	if (types.count > TYPES_MAXIMUM)
		fail("the engine named %zu types of events, more than there are", types.count);
	memcpy(types.numbers, list, types.count * sizeof(__u16));
	return types;
}

static void set_interest(struct sensor *sensor, const struct record_interest *record)
{
	const __u8 *lists = (const void *)(record + 1);
	struct interest interest = {
		.wanted = read_types(lists, record->types_length),
		.narrowed = read_types(lists + record->types_length, record->narrowed_length),
		.succeeded =
			read_types(lists + record->types_length + record->narrowed_length, record->succeeded_length),
	};

	programs_set_interest(sensor->programs, &interest);
}

static void answer(struct sensor *sensor, const struct record_process_answer *record)
{
	struct types types = read_types(record + 1, record->types_length);

	programs_answer(sensor->programs, record->fingerprint, &types);
}

static void obey(const struct record_header *header, void *context)
{
	struct sensor *sensor = context;
	const struct record_interest *interest = (const void *)header;
	const struct record_fingerprints *found = (const void *)header;
	const struct record_shed *shed = (const void *)header;
	const struct record_variables *names = (const void *)header;
	const struct record_process_answer *judged = (const void *)header;

	if (header->type == EVENT_CONTROL_INTEREST && header->length >= sizeof(*interest) + interest->types_length +
										interest->narrowed_length +
										interest->succeeded_length) {
		set_interest(sensor, interest);
		if (!sensor->attached)
			programs_attach(sensor->programs);
		sensor->attached = true;
		report_support(sensor, (const void *)(interest + 1), interest->types_length / 2);
	} else if (header->type == EVENT_CONTROL_RULED_OUT &&
		   header->length >= sizeof(*found) + found->fingerprints_length) {
		programs_rule_out(sensor->programs, (const void *)(found + 1), found->fingerprints_length / 8);
	} else if (header->type == EVENT_CONTROL_SHED && header->length >= sizeof(*shed) + shed->types_length &&
		   sensor->attached) {
		struct types types = read_types(shed + 1, shed->types_length);

		programs_shed(sensor->programs, &types, shed->reads);
		programs_pause_counting(sensor->programs, shed->counts);
	} else if (header->type == EVENT_CONTROL_ENVIRONMENT &&
		   header->length >= sizeof(*names) + names->names_length) {
		programs_name_variables(sensor->programs, (const void *)(names + 1), names->names_length);
	} else if (header->type == EVENT_CONTROL_PROCESS && header->length >= sizeof(*judged) + judged->types_length) {
		answer(sensor, judged);
	} else if (header->type == EVENT_CONTROL_FORGET || header->type == EVENT_CONTROL_FORGET_CALLS) {
		programs_forget(sensor->programs, header->type == EVENT_CONTROL_FORGET_CALLS);
	} else if (header->type == EVENT_CONTROL_COUNTS) {
		programs_count_processes(sensor->programs, own_queue(sensor));
	} else if (header->type == EVENT_CONTROL_SNAPSHOT && sensor->attached) {
		programs_snapshot(sensor->programs, own_queue(sensor), make_room, sensor);
	} else {
		fail("the engine sent record type %u (%u bytes), which is no order that can be obeyed now",
		     header->type, header->length);
	}
}

static void drain(struct sensor *sensor)
{
	__u64 now = boot_time();

	programs_drain(sensor->programs);
	if (now - sensor->last_report >= REPORT_INTERVAL_NS) {
		report_clock(sensor);
		report_drops(sensor);
		if (sensor->attached) {
			report_pulse(sensor);
			programs_check(sensor->programs, report_tampering, sensor);
		}
		sensor->last_report = now;
	} else if (clock_has_stepped(nanoseconds(CLOCK_REALTIME), now)) {
		report_clock(sensor);
	}
	queues_release(sensor->queues, sensor->cpus + 1, now - ORDER_SLACK_NS, stream_append, NULL);
	stream_flush(now - ORDER_SLACK_NS);
}

static void parse_user(struct options *options, const char *text)
{
	if (sscanf(text, "%d:%d", &options->uid, &options->gid) != 2)
		fail("--user takes UID:GID, not '%s'", text);
}

static int parse_tier(const char *text)
{
	for (int tier = TIER_FULL; tier <= TIER_BASIC; tier++)
		if (!strcmp(text, tier_name(tier)))
			return tier;
	fail("--tier takes 'full' or 'basic', not '%s'", text);
}

/* For 'hullwatch doctor', which shows it in words: the tier, and what the kernel lacks as bits. */
static void print_support(void)
{
	enum tiers tier = tier_of_kernel();

	printf("%s %u\n", tier_name(tier), hooks_lacking(tier));
}

static struct options parse(int count, char **arguments)
{
	static const struct option names[] = {
		{"socket", required_argument, NULL, 's'}, {"user", required_argument, NULL, 'u'},
		{"own", required_argument, NULL, 'o'},	  {"ring-bytes", required_argument, NULL, 'r'},
		{"tier", required_argument, NULL, 't'},	  {"probe", no_argument, NULL, 'p'},
		{"version", no_argument, NULL, 'v'},	  {},
	};
	struct options options = {.socket = -1, .uid = -1, .gid = -1, .tier = -1};
	int option;

	while ((option = getopt_long(count, arguments, "", names, NULL)) != -1) {
		if (option == 's') {
			options.socket = atoi(optarg);
		} else if (option == 'u') {
			parse_user(&options, optarg);
		} else if (option == 'o' && options.own_count < OWN_PROCESS_LIMIT) {
			options.own_processes[options.own_count++] = atoi(optarg);
		} else if (option == 'r') {
			options.ring_bytes = atoi(optarg);
		} else if (option == 't') {
			options.tier = parse_tier(optarg);
		} else if (option == 'p') {
			print_support();
			exit(0);
		} else if (option == 'v') {
			printf("hullwatch-sensor %s, event table %d, libbpf %s\n", HULLWATCH_VERSION,
			       EVENT_TABLE_VERSION, libbpf_version_string());
			exit(0);
		} else {
			exit(2);
		}
	}
	if (options.socket < 0)
		fail("it is started by 'hullwatch run', with a socket to send events to");
	return options;
}

static void handle_signals(void)
{
	signal(SIGTERM, stop);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
}

int main(int count, char **arguments)
{
	struct options options = parse(count, arguments);
	struct sensor sensor = {.cpus = libbpf_num_possible_cpus()};
	const struct timespec pause = {.tv_nsec = DRAIN_INTERVAL_MS * 1000000L};

	if (sensor.cpus < 1)
		fail("the number of processors can not be read: %s", strerror(-sensor.cpus));
	signal(SIGINT, SIG_IGN); /* Ctrl-C is the supervisor's */
	drop_privileges(&options);
	handle_signals(); /* behind the change of user, which resets the death signal */
	if (options.own_count < OWN_PROCESS_LIMIT)
		options.own_processes[options.own_count++] = getpid();
	sensor.queues = calloc(sensor.cpus + 1, sizeof(*sensor.queues));
	if (!sensor.queues)
		fail("there is no memory");
	stream_open(options.socket);
	sensor.programs = programs_load(&options, sensor.queues, sensor.cpus);
	while (!stopping) {
		/* Not poll(): an order that wakes us costs the engine more than all else that it does for a frame, and an
		 * answer to each frame would bring another small frame. */
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		if (!stream_read_orders(obey, &sensor))
			break;
		drain(&sensor);
	}
	programs_drain(sensor.programs);
	report_drops(&sensor);
	queues_release(sensor.queues, sensor.cpus + 1, boot_time(), stream_append, NULL);
	stream_flush(boot_time());
	programs_unload(sensor.programs);
	return 0;
}
