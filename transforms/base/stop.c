/* Signals: see stop.h. */
#include <gracecube/stop.h>

#include <gracecube/time.h>
#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

static volatile sig_atomic_t stop_asked;
static volatile sig_atomic_t limit_s;

static void on_signal(int number)
{
	if (stop_asked)
		_exit(128 + number);
	stop_asked = 1;
	alarm((unsigned)limit_s);
}

/* What does not answer is not waited for: it may never do. */
static void on_limit(int number)
{
	static const char text[] =
		"gracecube: not done within run.shutdown_timeout: a server does not answer. Left as it is: nothing is "
		"lost, the position is in PostgreSQL\n";

	(void)number;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(EX_UNAVAILABLE);
	_exit(EX_UNAVAILABLE);
}

void gc_stop_on_signals(int64_t limit_us)
{
	struct sigaction action = { .sa_handler = on_signal };

	stop_asked = 0;
	limit_s = (sig_atomic_t)((limit_us + GC_SECOND_US - 1) / GC_SECOND_US);
	signal(SIGALRM, on_limit);
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

void gc_stop_begins(void)
{
	if (!stop_asked)
		alarm((unsigned)limit_s);
}

bool gc_stop_was_asked(void)
{
	return stop_asked != 0;
}
