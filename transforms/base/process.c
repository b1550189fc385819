/* Metrics of the process itself, by the names that Prometheus' client libraries give them.
 *
 * Threads: no shared state.
 */
#include <gracecube/metric.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void print_cpu(struct gc_metric_printer *p)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	gc_metric_line(p, "", NULL,
		       (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

/* The nth number behind the name in /proc/self/stat; -1 when there is none. Its fields are numbered from 1 in proc(5). */
static double read_stat(int field)
{
	char text[1024];
	FILE *file = fopen("/proc/self/stat", "re");
	const char *at = NULL;

	if (file) {
		if (fgets(text, sizeof(text), file))
			at = strrchr(text, ')'); /* ends the second field */
		fclose(file);
	}
	for (int i = 2; at && i < field; i++)
		at = strchr(at + 1, ' ');
	return at ? strtod(at, NULL) : -1;
}

static void print_resident(struct gc_metric_printer *p)
{
	gc_metric_line(p, "", NULL, read_stat(24) * (double)sysconf(_SC_PAGESIZE));
}

static void print_virtual(struct gc_metric_printer *p)
{
	gc_metric_line(p, "", NULL, read_stat(23));
}

/* Field 22 is in clock ticks since boot. */
static void print_started(struct gc_metric_printer *p)
{
	struct timespec now, since_boot;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &since_boot);
	gc_metric_line(p, "", NULL, (double)(now.tv_sec - since_boot.tv_sec) + read_stat(22) / (double)sysconf(_SC_CLK_TCK));
}

static void print_open_files(struct gc_metric_printer *p)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = -3; /* ".", "..", and the directory itself */

	if (!directory)
		return;
	while (readdir(directory))
		count++;
	closedir(directory);
	gc_metric_line(p, "", NULL, count);
}

static void print_max_files(struct gc_metric_printer *p)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		gc_metric_line(p, "", NULL, (double)limit.rlim_cur);
}

/* clang-format off */
const struct gc_metric gc_process_metrics[] = {
	{ "process_cpu_seconds_total", GC_METRIC_COUNTER, .help = "CPU time of the process.", .print = print_cpu },
	{ "process_resident_memory_bytes", GC_METRIC_GAUGE, .help = "Resident memory.", .print = print_resident },
	{ "process_virtual_memory_bytes", GC_METRIC_GAUGE, .help = "Virtual memory.", .print = print_virtual },
	{ "process_start_time_seconds", GC_METRIC_GAUGE, .help = "When the process started.", .print = print_started },
	{ "process_open_fds", GC_METRIC_GAUGE, .help = "Open file descriptors.", .print = print_open_files },
	{ "process_max_fds", GC_METRIC_GAUGE, .help = "How many there may be.", .print = print_max_files },
	{ .name = NULL },
};
/* clang-format on */
