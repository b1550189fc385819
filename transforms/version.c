/* Which of two versions of a row is the newer one. Threads: pure. */
#include <gracecube/stream.h>

static int compare(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int64_t position(struct gc_version version)
{
	return version.lsn > 0 ? version.lsn : 0;
}

int gc_version_compare(struct gc_version a, struct gc_version b)
{
	if (a.at_us != b.at_us)
		return compare(a.at_us, b.at_us);
	if (position(a) != position(b))
		return compare(position(a), position(b));
	return position(a) > 0 ? 0 : compare(a.offset, b.offset);
}
