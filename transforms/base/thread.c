/* Threads: see gracecube/thread.h. */
#include <gracecube/thread.h>
#include <gracecube/time.h>
#include <stdlib.h>
#include <time.h>

void gc_thread_create(pthread_t *ret_id, void *(*run)(void *), void *arg)
{
	if (pthread_create(ret_id, NULL, run, arg) != 0)
		abort();
}

void gc_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

void gc_thread_start(struct gc_thread *thread, void *(*run)(void *), void *arg)
{
	thread->stopping = false;
	pthread_mutex_init(&thread->lock, NULL);
	gc_cond_init(&thread->stop);
	gc_thread_create(&thread->id, run, arg);
}

bool gc_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_us)
{
	struct timespec until = { .tv_sec = until_us / GC_SECOND_US, .tv_nsec = until_us % GC_SECOND_US * 1000 };

	if (until_us == 0)
		return pthread_cond_wait(cond, lock) == 0;
	return pthread_cond_timedwait(cond, lock, &until) == 0;
}

bool gc_thread_wait(struct gc_thread *thread, int64_t us)
{
	int64_t until_us = gc_monotonic_us() + us;
	bool stopping;

	pthread_mutex_lock(&thread->lock);
	while (!thread->stopping && gc_cond_wait_until(&thread->stop, &thread->lock, until_us))
		;
	stopping = thread->stopping;
	pthread_mutex_unlock(&thread->lock);
	return !stopping;
}

bool gc_thread_is_stopping(struct gc_thread *thread)
{
	bool stopping;

	pthread_mutex_lock(&thread->lock);
	stopping = thread->stopping;
	pthread_mutex_unlock(&thread->lock);
	return stopping;
}

void gc_thread_stop(struct gc_thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	thread->stopping = true;
	pthread_cond_signal(&thread->stop);
	pthread_mutex_unlock(&thread->lock);
	pthread_join(thread->id, NULL);
	pthread_cond_destroy(&thread->stop);
	pthread_mutex_destroy(&thread->lock);
}
