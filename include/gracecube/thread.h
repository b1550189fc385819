/* Threads that work in turns, wait in between, and are told to stop.
 *
 *     while (gc_thread_wait(&x->thread, GC_SECOND_US))     in the thread
 *             look_after(x);
 *
 * Threads: start and stop belong to one thread; a wait is of the thread itself.
 */
#ifndef GRACECUBE_THREAD_H
#define GRACECUBE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct gc_thread {
	pthread_t id;
	pthread_mutex_t lock;
	pthread_cond_t stop;
	bool stopping;
};

/* pthread_create(), or the process ends: without threads left on the machine nothing sensible can follow. */
void gc_thread_create(pthread_t *ret_id, void *(*run)(void *), void *arg);

void gc_thread_start(struct gc_thread *thread, void *(*run)(void *), void *arg);
/* Waits so long; false as soon as it is to stop. */
bool gc_thread_wait(struct gc_thread *thread, int64_t us);
bool gc_thread_is_stopping(struct gc_thread *thread);
/* Tells it to stop, and returns when it has. */
void gc_thread_stop(struct gc_thread *thread);

/* A condition that is waited for by the monotonic clock, so that a wall clock that is set moves no deadline. (The thread sanitizer of gcc 12
 * does not know pthread_cond_clockwait().) */
void gc_cond_init(pthread_cond_t *cond);
/* Up to a time of gc_monotonic_us(), 0: without an end. False when the time is over. */
bool gc_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_us);

#endif
