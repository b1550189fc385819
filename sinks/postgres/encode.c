/* PostgreSQL's binary array format: int32 dimensions, int32 has-null, oid of the element, int32 length, int32 lower bound, then of
 * each element int32 length (-1 is NULL) and its bytes; all big-endian (src/backend/utils/adt/arrayfuncs.c, array_recv).
 * Threads: pure.
 */
#include "pg.h"

#include <endian.h>

#define BOOL_OID 16
#define BYTEA_OID 17
#define INT8_OID 20
#define INT4_OID 23
#define TEXT_OID 25
#define FLOAT8_OID 701
#define TIMESTAMPTZ_OID 1184
#define HEADER_BYTES 20
/* PostgreSQL counts time from 2000-01-01 */
#define POSTGRES_EPOCH_US (INT64_C(946684800) * GC_SECOND_US)

static const struct {
	Oid element, array;
} types[] = {
	{ BOOL_OID, 1000 }, { BYTEA_OID, 1001 },  { INT8_OID, 1016 },        { INT4_OID, 1007 },
	{ TEXT_OID, 1009 }, { FLOAT8_OID, 1022 }, { TIMESTAMPTZ_OID, 1185 },
};

static Oid array_of(Oid element)
{
	size_t i = 0;

	while (types[i].element != element)
		i++;
	return types[i].array;
}

static Oid element_of(enum gc_kind kind)
{
	switch (kind) {
	case GC_TEXT:
		return TEXT_OID;
	case GC_BOOL:
		return BOOL_OID;
	case GC_INT8:
		return INT8_OID;
	case GC_FLOAT8:
		return FLOAT8_OID;
	case GC_TIME:
		return TIMESTAMPTZ_OID;
	case GC_INT4:
	case GC_COMPONENT:
	case GC_TIER:
	case GC_ACTOR:
	case GC_MISSION:
		break;
	}
	return INT4_OID;
}

Oid gc_pg_array_type(enum gc_kind kind)
{
	return array_of(element_of(kind));
}

void gc_pg_parameters_init(struct gc_pg_parameters *parameters, struct gc_arena *arena)
{
	parameters->arena = arena;
	parameters->count = 0;
}

static char *put_int32(char *at, int32_t value)
{
	uint32_t big = htobe32((uint32_t)value);

	memcpy(at, &big, sizeof(big));
	return at + sizeof(big);
}

static char *put_int64(char *at, int64_t value)
{
	uint64_t big = htobe64((uint64_t)value);

	memcpy(at, &big, sizeof(big));
	return at + sizeof(big);
}

static char *put_bytes(char *at, struct gc_span bytes)
{
	at = put_int32(at, bytes.ptr ? (int32_t)bytes.len : -1);
	if (bytes.len > 0)
		memcpy(at, bytes.ptr, bytes.len);
	return at + bytes.len;
}

/* Room for `bytes` of elements; returns where they begin. An empty array has no dimension. */
static char *begin_array(struct gc_pg_parameters *parameters, Oid element, size_t count, size_t bytes)
{
	char *start = gc_arena_alloc(parameters->arena, HEADER_BYTES + bytes), *at = start;

	parameters->types[parameters->count] = array_of(element);
	parameters->values[parameters->count] = start;
	parameters->formats[parameters->count] = 1;
	at = put_int32(at, count > 0 ? 1 : 0);
	at = put_int32(at, 1);
	at = put_int32(at, (int32_t)element);
	if (count == 0)
		return at;
	at = put_int32(at, (int32_t)count);
	return put_int32(at, 1);
}

static void end_array(struct gc_pg_parameters *parameters, const char *end)
{
	parameters->lengths[parameters->count] = (int)(end - parameters->values[parameters->count]);
	parameters->count++;
}

void gc_pg_add_int8s(struct gc_pg_parameters *parameters, const int64_t *items, size_t stride, size_t count)
{
	char *at = begin_array(parameters, INT8_OID, count, count * 12);

	for (size_t i = 0; i < count; i++) {
		at = put_int32(at, 8);
		at = put_int64(at, *(const int64_t *)((const char *)items + i * stride));
	}
	end_array(parameters, at);
}

void gc_pg_add_int4s(struct gc_pg_parameters *parameters, const int32_t *items, size_t stride, size_t count)
{
	char *at = begin_array(parameters, INT4_OID, count, count * 8);

	for (size_t i = 0; i < count; i++) {
		at = put_int32(at, 4);
		at = put_int32(at, *(const int32_t *)((const char *)items + i * stride));
	}
	end_array(parameters, at);
}

static void add_spans(struct gc_pg_parameters *parameters, Oid element, const struct gc_span *items, size_t stride, size_t count)
{
	size_t bytes = count * 4;
	char *at;

	for (size_t i = 0; i < count; i++)
		bytes += ((const struct gc_span *)((const char *)items + i * stride))->len;
	at = begin_array(parameters, element, count, bytes);
	for (size_t i = 0; i < count; i++)
		at = put_bytes(at, *(const struct gc_span *)((const char *)items + i * stride));
	end_array(parameters, at);
}

void gc_pg_add_texts(struct gc_pg_parameters *parameters, const struct gc_span *items, size_t stride, size_t count)
{
	add_spans(parameters, TEXT_OID, items, stride, count);
}

void gc_pg_add_byteas(struct gc_pg_parameters *parameters, const struct gc_span *items, size_t stride, size_t count)
{
	add_spans(parameters, BYTEA_OID, items, stride, count);
}

static void add_scalar(struct gc_pg_parameters *parameters, Oid type, const char *text)
{
	parameters->types[parameters->count] = type;
	parameters->values[parameters->count] = text;
	parameters->formats[parameters->count] = 0;
	parameters->lengths[parameters->count] = 0;
	parameters->count++;
}

void gc_pg_add_text(struct gc_pg_parameters *parameters, const char *text)
{
	add_scalar(parameters, TEXT_OID, text);
}

void gc_pg_add_number(struct gc_pg_parameters *parameters, int64_t number)
{
	add_scalar(parameters, INT8_OID, gc_arena_printf(parameters->arena, "%lld", (long long)number).ptr);
}

void gc_pg_add_bound(struct gc_pg_parameters *parameters, const struct gc_pg *pg)
{
	gc_pg_add_number(parameters, pg->bound.count);
	gc_pg_add_number(parameters, pg->bound.bytes);
	gc_pg_add_number(parameters, pg->bound.drops_oldest);
}

static char *put_value(char *at, Oid element, const struct gc_value *value)
{
	uint64_t bits;

	if (value->state == GC_VALUE_NULL)
		return put_int32(at, -1);
	switch (element) {
	case TEXT_OID:
		return put_bytes(at, value->text);
	case BOOL_OID:
		at = put_int32(at, 1);
		*at = value->integer != 0;
		return at + 1;
	case INT4_OID:
		return put_int32(put_int32(at, 4), (int32_t)value->integer);
	case FLOAT8_OID:
		memcpy(&bits, &value->real, sizeof(bits));
		return put_int64(put_int32(at, 8), (int64_t)bits);
	case TIMESTAMPTZ_OID:
		return put_int64(put_int32(at, 8), value->integer - POSTGRES_EPOCH_US);
	default:
		return put_int64(put_int32(at, 8), value->integer);
	}
}

void gc_pg_add_column(struct gc_pg_parameters *parameters, struct gc_row *const *rows, size_t count, int column)
{
	Oid element = count > 0 ? element_of(rows[0]->target->columns[column].kind) : TEXT_OID;
	size_t bytes = count * 12;
	char *at;

	for (size_t i = 0; element == TEXT_OID && i < count; i++)
		bytes += rows[i]->values[column].state == GC_VALUE_SET ? rows[i]->values[column].text.len : 0;
	at = begin_array(parameters, element, count, bytes);
	for (size_t i = 0; i < count; i++)
		at = put_value(at, element, &rows[i]->values[column]);
	end_array(parameters, at);
}

static void add_deleted(struct gc_pg_parameters *parameters, struct gc_row *const *rows, size_t count)
{
	char *at = begin_array(parameters, BOOL_OID, count, count * 5);

	for (size_t i = 0; i < count; i++) {
		at = put_int32(at, 1);
		*at++ = rows[i]->deleted;
	}
	end_array(parameters, at);
}

/* Only the row that counts in the ledger names its partition: its outcome is the record's. By another one a key keeps the partition it has. */
static void add_offset_ids(struct gc_pg_parameters *parameters, struct gc_row *const *rows, size_t count,
			   const struct gc_partition_batch *partitions)
{
	char *at = begin_array(parameters, INT8_OID, count, count * 12);

	for (size_t i = 0; i < count; i++)
		at = rows[i]->counts_in_ledger ? put_int64(put_int32(at, 8), partitions[rows[i]->partition].offset_id)
					       : put_int32(at, -1);
	end_array(parameters, at);
}

void gc_pg_add_versions(struct gc_pg_parameters *parameters, struct gc_row *const *rows, size_t count,
			const struct gc_partition_batch *partitions)
{
	int64_t *members
		[4]; /* of those that merge functions take, source_us is the place and kafka_us the record's own time: see versions.sql */

	add_deleted(parameters, rows, count);
	for (int m = 0; m < 4; m++)
		members[m] = gc_arena_alloc(parameters->arena, count * sizeof(int64_t));
	for (size_t i = 0; i < count; i++) {
		members[0][i] = rows[i]->version.lsn;
		members[1][i] = rows[i]->version.at_us;
		members[2][i] = gc_version_own_us(&rows[i]->version);
		members[3][i] = rows[i]->version.offset;
	}
	for (int m = 0; m < 4; m++)
		gc_pg_add_int8s(parameters, members[m], sizeof(int64_t), count);
	add_offset_ids(parameters, rows, count, partitions);
}
