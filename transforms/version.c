/* Which of two versions of a row is the newer one. Threads: pure. */
#include <gracecube/stream.h>

static int compare(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

int gc_version_compare(struct gc_version a, struct gc_version b)
{
	if (a.lsn > 0 && a.lsn == b.lsn && a.source_us == b.source_us)
		return 0; /* the same change, sent again */
	if (a.lsn > 0 && b.lsn > 0 && a.lsn != b.lsn)
		return compare(a.lsn, b.lsn);
	if (a.source_us > 0 && b.source_us > 0 && a.source_us != b.source_us)
		return compare(a.source_us, b.source_us);
	if (a.kafka_us != b.kafka_us)
		return compare(a.kafka_us, b.kafka_us);
	return compare(a.offset, b.offset);
}

static bool has_place(struct gc_version version)
{
	return version.lsn > 0 || version.source_us > 0;
}

bool gc_version_replaces(struct gc_version version, bool is_deleted, struct gc_version standing, bool standing_is_deleted)
{
	if (is_deleted && standing_is_deleted && has_place(version) != has_place(standing))
		return has_place(version);
	return gc_version_compare(version, standing) > 0;
}
