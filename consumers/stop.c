/* Signals: see stop.h. */
#include "stop.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
	if (stop_asked)
		_exit(128 + number);
	stop_asked = 1;
}

void gc_stop_on_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	stop_asked = 0;
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool gc_stop_was_asked(void)
{
	return stop_asked != 0;
}
