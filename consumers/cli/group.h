/* Which consumer group a command means, when none was named. Threads: no shared state. */
#ifndef GRACECUBE_GROUP_H
#define GRACECUBE_GROUP_H

#include <gracecube/config.h>
#include <gracecube/sink.h>

/* Where kafka.group_id is the default, set by no flag or variable, and that group has read nothing while others have, the group that moved
 * last takes its place in cfg; stderr says so and names the others. */
enum gc_verdict gc_group_settle(struct gc_config *cfg, struct gc_pg *pg, struct gc_err *err) GC_MUST_CHECK;

#endif
