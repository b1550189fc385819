/* Descriptors: what a stream is, and what rows it makes. One C file in transforms/streams/ and one SQL file in sinks/sql/code/3_streams/ of
 * the same stem make a stream; everything else (registry, prepared statements, start-up checks, help, configuration,
 * reference pages) is made from these tables.
 */
#ifndef GRACECUBE_STREAM_H
#define GRACECUBE_STREAM_H

#include <gracecube/json.h>
#include <gracecube/message.h>
#include <gracecube/time.h>

/* What a column holds, which also decides its type in PostgreSQL. The last four are surrogate keys (int4), looked up in
 * the dimension caches from the natural key that decode gives. */
enum gc_kind {
	GC_TEXT,
	GC_BOOL,
	GC_INT4,
	GC_INT8,
	GC_FLOAT8,
	GC_TIME, /* timestamptz */
	GC_COMPONENT,
	GC_TIER,
	GC_ACTOR,
	GC_MISSION,
};

/* Dimensions whose members are found by natural key. */
enum gc_dimension { GC_DIM_COMPONENT, GC_DIM_TIER, GC_DIM_ACTOR, GC_DIM_MISSION, GC_DIM_COUNT };

enum gc_column_flag {
	GC_REQUIRED = 1 << 0,     /* absent or null: dead letter */
	GC_VOCABULARY = 1 << 1,   /* trimmed and lower-cased */
	GC_UNIT_RANGE = 1 << 2,   /* a measure of 0 to 1; outside, NaN or infinite: NULL and a quality issue */
	GC_NOT_NEGATIVE = 1 << 3, /* a measure; negative, NaN or infinite: NULL and a quality issue */
	GC_KEEPS = 1 << 4,      /* "as it was" is said by "__debezium_unavailable_value", of a measure by NaN, of others by NULL */
	GC_JSON_FIELD = 1 << 5, /* text as it stands, an object or array as its JSON text */
};

struct gc_column {
	const char *name; /* parameter of the merge function */
	enum gc_kind kind;
	unsigned flags;
	const char *field; /* the source field it is read from; NULL: the stream's derive function sets it */
};

/* A merge function of the cube: cube.merge_<name>(columns…, deleted, lsn, source_us, kafka_us, record_offset, offset_id).
 * Column 0 is the key, text. */
#define GC_BACKWARD_STEP "a step that the source never makes"

struct gc_target {
	const char *name;
	const struct gc_column *columns;
	int column_count;
	int created_at;           /* index of the column that decides time_key and partition, -1 where there is none */
	bool keep_versions;       /* every version counts (histories): rows of one key are not coalesced */
	bool introduces_missions; /* see gc_batch_introduces_missions() */
	/* States that the source never goes between, where it has such: NULL, or true for a step that is a quality issue, GC_BACKWARD_STEP. */
	bool (*is_backward)(struct gc_span from, struct gc_span to);
	int state_column;
	bool names_missions; /* a mission_ref that counts once the mission is known: see cube.mission_gate() */
};

/* A version of a row: its place, and what that was made of; 0 is "not known". See order.h. */
struct gc_version {
	int64_t at_us;     /* the place: a time; among those of one time the log position, then the offset */
	int64_t lsn;       /* the source's log position */
	int64_t source_us; /* the source's time of the change */
	int64_t kafka_us;  /* Kafka's timestamp */
	int64_t offset;
};

/* The later place is the newer version; what has a log position is the same change at the same place, whatever its offset.
 * cube.is_newer() in sinks/sql/code is the same rule, and tests/contract/version_order.csv its cases. Negative, 0, positive like memcmp. */
int gc_version_compare(struct gc_version a, struct gc_version b);

/* The record's own time: the source's, else Kafka's. */
static inline int64_t gc_version_own_us(const struct gc_version *version)
{
	return version->source_us > 0 ? version->source_us : version->kafka_us;
}

/* Does the note of an error's resolution name a person, that is "user:" in any case? cube.names_person() is the same rule, and
 * tests/contract/persons.csv its cases. */
bool gc_error_names_person(struct gc_span note);

/* Which contract the reason of an approval names: the first id behind "contract=", where that begins a word; it ends at a blank, a comma, a
 * semicolon or a closing bracket. cube.contract_in() is the same rule, and tests/contract/contracts_in_reasons.csv its cases. */
struct gc_span gc_approval_names_contract(struct gc_span reason);

/* GC_TRUNCATE: all rows of the table were deleted. */
enum gc_op { GC_UPSERT, GC_DELETE, GC_TRUNCATE, GC_IGNORE };

/* One change, whatever shape it came in. */
struct gc_change {
	const struct gc_message *message;
	enum gc_op op;
	const struct gc_json *row;    /* the row, or a trigger event; NULL for a delete by key */
	const struct gc_json *key;    /* the parsed key without its schema, NULL when it is no JSON */
	const char *key_fault;        /* why the key cannot be read although it is more than a text; NULL when it can */
	const struct gc_json *schema; /* of the row, where the message carries one: decimals need it */
	struct gc_version version;    /* its place is known once gc_order_place() has given it */
	int64_t source;               /* which database the log position is of: a hash of its names */
	int64_t disbelieved_us;       /* the source's time, where it is not to be believed */
	bool is_snapshot, is_incremental, is_tombstone;
	bool ends_snapshot;            /* the last row of its table in a full snapshot */
	const struct gc_json *payload; /* of a trigger event, NULL where it is none */
	const char *ignored_because;   /* GC_IGNORE */
};

struct gc_decode;

struct gc_stream {
	const char *name;
	const char *record;       /* what one record is, for people */
	const char *lands_in;     /* for people */
	const char *key_field;    /* the field of the row and of the key that names the row; NULL: records have no key */
	const char *key_fallback; /* the field of the row that does so where there is no key_field; may be NULL */
	const char *key_prefix;   /* what stands before it in the cube's key; may be NULL */
	bool key_is_vocabulary;   /* the key is trimmed and in lower case */
	/* Fields of the source's rows that no column is read from, alphabetical; ends with NULL. A key of Kafka's that is made of a field
	 * other than the key field names no row. */
	const char *const *other_fields;
	const struct gc_target *const *targets; /* ends with NULL; the first is the one deletes go to */
	/* Makes the rows of one change that is not a delete. Pure: no I/O, no clock. Reports by gc_decode_reject(). */
	void (*decode)(struct gc_decode *decode, const struct gc_change *change);
};

/* All streams in the order in which their rows are applied; ends with NULL. Made by CMake from transforms/streams. */
extern const struct gc_stream *const gc_streams[];
const struct gc_stream *gc_stream_find(struct gc_span name);
size_t gc_stream_count(void);

#endif
