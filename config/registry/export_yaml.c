/* JSON values as YAML, each text that could be taken for something else in quotes. Threads: no shared state. */
#include "export.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

static void emit(yaml_emitter_t *emitter, int initialized, yaml_event_t *event)
{
	if (!initialized || !yaml_emitter_emit(emitter, event))
		abort(); /* no memory, or a program that is wrong */
}

static bool is_plain(const char *text)
{
	static const char *const meant[] = { "true", "false", "null", "yes", "no", "on", "off", "y", "n", NULL };

	for (size_t i = 0; meant[i]; i++) {
		if (strcmp(text, meant[i]) == 0)
			return false;
	}
	for (const char *c = text; *c; c++) {
		if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_')
			return false;
	}
	return islower((unsigned char)*text);
}

static void emit_scalar(yaml_emitter_t *emitter, const char *text, bool plain)
{
	bool has_quotes = strchr(text, '"') && !strpbrk(text, "'\n"); /* they would be escaped */
	yaml_scalar_style_t quoted = has_quotes ? YAML_SINGLE_QUOTED_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	yaml_event_t event;

	emit(emitter,
	     yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), plain, 1,
					  plain ? YAML_PLAIN_SCALAR_STYLE : quoted),
	     &event);
}

static void emit_json(yaml_emitter_t *emitter, const json_t *json)
{
	yaml_event_t event;
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_object(json)) {
		emit(emitter, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE), &event);
		json_object_foreach((json_t *)(uintptr_t)json, key, value)
		{
			emit_scalar(emitter, key, true);
			emit_json(emitter, value);
		}
		emit(emitter, yaml_mapping_end_event_initialize(&event), &event);
	} else if (json_is_array(json)) {
		emit(emitter, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE), &event);
		json_array_foreach(json, i, value) emit_json(emitter, value);
		emit(emitter, yaml_sequence_end_event_initialize(&event), &event);
	} else if (json_is_string(json)) {
		emit_scalar(emitter, json_string_value(json), is_plain(json_string_value(json)));
	} else {
		char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

		if (!text)
			abort();
		emit_scalar(emitter, text, true);
		free(text);
	}
}

void gc_export_yaml(const json_t *json, FILE *out)
{
	yaml_emitter_t emitter;
	yaml_event_t event;

	if (!yaml_emitter_initialize(&emitter))
		abort();
	yaml_emitter_set_output_file(&emitter, out);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1);
	emit(&emitter, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING), &event);
	emit(&emitter, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1), &event);
	emit_json(&emitter, json);
	emit(&emitter, yaml_document_end_event_initialize(&event, 1), &event);
	emit(&emitter, yaml_stream_end_event_initialize(&event), &event);
	yaml_emitter_delete(&emitter);
}
