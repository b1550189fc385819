/* Pages made from the option table: the sample file, the reference and the manual page. The first two
 * are in the repository as config/gracecube.yaml and config/reference.md; a test keeps both current.
 *
 * Threads: no shared state.
 */
#include <stdlib.h>

#include <gracecube/arena.h>
#include <gracecube/roff.h>

#include "options.h"

static bool is_in(const struct gc_option *option, const struct gc_section *section)
{
	size_t len = strlen(section->name);
	return strncmp(option->name, section->name, len) == 0 && option->name[len] == '.';
}

static const char *key_of(const struct gc_option *option)
{
	const char *dot = strchr(option->name, '.');
	return dot ? dot + 1 : option->name;
}

static bool is_section(const struct gc_section *section, const char *name)
{
	return strcmp(section->name, name) == 0;
}

/* "must be a size from 1KiB to 1GiB" without its first words; texts need no range. */
static const char *range_of(const struct gc_option *option, char *buffer, size_t bytes)
{
	static const char *const lead[] = { "must be a ", "must be " };
	gc_option_domain(option, buffer, bytes);
	for (size_t i = 0; i < sizeof(lead) / sizeof(*lead); i++)
		if (strncmp(buffer, lead[i], strlen(lead[i])) == 0)
			return buffer + strlen(lead[i]);
	return buffer;
}

static const char *type_of(const struct gc_option *option, char *buffer, size_t bytes)
{
	if (option->type == GC_OPTION_LIST || option->type == GC_OPTION_COMMAS)
		return "list";
	return range_of(option, buffer, bytes);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* For people in the order of the alphabet, whatever order the streams are applied in; ends with NULL; free it. */
static const char **sort_names(const char *const *names)
{
	size_t count = 0;
	while (names[count])
		count++;
	const char **sorted = gc_calloc(count + 1, sizeof(*sorted));
	memcpy(sorted, names, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_names);
	return sorted;
}

/* -- the sample -- */

static void sample_value(const struct gc_option *option, const char *value, FILE *out)
{
	if (option->type == GC_OPTION_TEXT || !*value)
		fprintf(out, "\"%s\"", value);
	else
		fputs(value, out);
}

static void sample_option(const struct gc_option *option, FILE *out)
{
	char buffer[160];
	fprintf(out, "  # %s", option->description);
	if (option->type != GC_OPTION_TEXT && option->type != GC_OPTION_COMMAS)
		fprintf(out, " (%s)", range_of(option, buffer, sizeof(buffer)));
	fprintf(out, "\n  %s: ", key_of(option));
	sample_value(option, option->initially, out);
	fputc('\n', out);
}

static void sample_properties(FILE *out)
{
	fputs("  # Any property of librdkafka by its own name, \"compression.type: zstd\", except those that the cube\n"
	      "  # depends on; secrets as ${VAR}.\n"
	      "  properties: {}\n",
	      out);
}

static void sample_list(const char *value, FILE *out)
{
	fputc('[', out);
	for (; *value; value++) {
		fputc(*value, out);
		if (*value == ',')
			fputc(' ', out);
	}
	fputc(']', out);
}

static void sample_stream(const char *stream, FILE *out)
{
	fprintf(out, "  %s: {", stream);
	for (const struct gc_option *option = gc_stream_options; option->name; option++) {
		char *value = gc_option_initially(option, stream);
		fprintf(out, "%s%s: ", option == gc_stream_options ? "" : ", ", option->name);
		if (option->type == GC_OPTION_LIST)
			sample_list(value, out);
		else
			fputs(value, out);
		free(value);
	}
	fputs("}\n", out);
}

static void sample_streams(const char *const *stream_names, FILE *out)
{
	char buffer[160];
	for (const struct gc_option *option = gc_stream_options; option->name; option++)
		fprintf(out, "  # %s: %s (%s)\n", option->name, option->description, type_of(option, buffer, sizeof(buffer)));
	const char **sorted = sort_names(stream_names);
	for (const char **name = sorted; *name; name++)
		sample_stream(*name, out);
	free(sorted);
}

static void sample_section(const struct gc_section *section, const char *const *stream_names, FILE *out)
{
	fprintf(out, "\n# %s\n%s:\n", section->description, section->name);
	for (const struct gc_option *option = gc_options; option->name; option++)
		if (is_in(option, section))
			sample_option(option, out);
	if (is_section(section, "kafka"))
		sample_properties(out);
	if (is_section(section, "streams"))
		sample_streams(stream_names, out);
}

void gc_config_sample(const char *const *stream_names, FILE *out)
{
	fputs("# gracecube: every option with its default, made by `gracecube config sample`. What is left out is the\n"
	      "# default too. An option is also an environment variable, GRACECUBE_<SECTION>_<KEY>, which wins over this\n"
	      "# file; a flag, -s section.key=value, wins over both. `gracecube config show` prints what came out and from\n"
	      "# where. In values ${VAR}, ${VAR:-default} and ${VAR:?message} stand for environment variables, $$ for a\n"
	      "# dollar sign. gracecube.yaml(5) and config/reference.md have it all in a table.\n",
	      out);
	for (const struct gc_section *section = gc_sections; section->name; section++)
		sample_section(section, stream_names, out);
}

/* -- the reference -- */

static void refer_option(const char *name, const struct gc_option *option, FILE *out)
{
	char type[160], variable[GC_NAME_MAX + 16];
	bool empty = *option->initially == '\0';
	fprintf(out, "| `%s` | %s | %s%s%s | `%s` | %s |\n", name, type_of(option, type, sizeof(type)), empty ? "" : "`",
		option->initially, empty ? "" : "`", gc_option_variable(name, variable, sizeof(variable)), option->description);
}

static void refer_stream_options(FILE *out)
{
	char name[GC_NAME_MAX];
	for (const struct gc_option *option = gc_stream_options; option->name; option++) {
		snprintf(name, sizeof(name), "streams.<stream>.%s", option->name);
		refer_option(name, option, out);
	}
}

static void refer_properties(FILE *out)
{
	fputs("| `kafka.properties` | section | | `GRACECUBE_KAFKA_PROPERTIES_<NAME>` | "
	      "Properties of librdkafka, passed on as they are. |\n",
	      out);
}

static void refer_protected(FILE *out)
{
	fputs("\nA property is named as in librdkafka's own list, `linger.ms`; in an environment variable the dots are\n"
	      "underscores, `GRACECUBE_KAFKA_PROPERTIES_SASL_PASSWORD`; as a flag it is `-X linger.ms=5`. The design\n"
	      "depends on these, so they cannot be set:",
	      out);
	for (const char *const *name = gc_config_protected_properties; *name; name++)
		fprintf(out, "%s\n`%s`", name == gc_config_protected_properties ? "" : ",", *name);
	fputs(".\nThese take certain values only:", out);
	for (const struct gc_allowed *allowed = gc_allowed_properties; allowed->name; allowed++) {
		fprintf(out, "%s\n`%s`", allowed == gc_allowed_properties ? "" : ";", allowed->name);
		for (const char *const *value = allowed->values; *value; value++)
			fprintf(out, "%s `%s`", value == allowed->values ? "" : " or", *value);
	}
	fputs(".\n`group.instance.id` gets the number of the worker behind it, `-1`, `-2` …\n", out);
}

static void refer_streams(const char *const *stream_names, FILE *out)
{
	const char **sorted = sort_names(stream_names);
	fputs("\nThe streams:", out);
	for (const char **name = sorted; *name; name++)
		fprintf(out, "%s\n`%s`", name == sorted ? "" : ",", *name);
	free(sorted);
	fputs(".\nA topic may stand in one stream only.\n", out);
}

static void refer_section(const struct gc_section *section, const char *const *stream_names, FILE *out)
{
	fprintf(out, "\n## %s\n%s\n\n| option | type | default | environment | meaning |\n|---|---|---|---|---|\n", section->name,
		section->description);
	for (const struct gc_option *option = gc_options; option->name; option++)
		if (is_in(option, section))
			refer_option(option->name, option, out);
	if (is_section(section, "kafka")) {
		refer_properties(out);
		refer_protected(out);
	}
	if (is_section(section, "streams")) {
		refer_stream_options(out);
		refer_streams(stream_names, out);
	}
}

/* What holds for all options: Markdown, and prose of the manual page. */
static const char rules[] =
	"One YAML file (`--config FILE`, else `config/gracecube.yaml` if there is one, else the installed one, the\n"
	"package's `/etc/gracecube/gracecube.yaml`), the environment, and flags (`-s section.key=value`). A flag wins over the\n"
	"environment, the environment over the file, the file over the default. `gracecube config show` prints every value\n"
	"with its origin. Anything unknown, given twice, of the wrong type or out of range ends the program before it\n"
	"starts, with the place and the nearest name.\n"
	"\n"
	"That also holds for environment variables that begin with `GRACECUBE_` and a section, or resemble an option.\n"
	"Others are left alone: those that the file uses by `${VAR}`, those that Kubernetes adds for a Service\n"
	"(`GRACECUBE_SERVE_PORT=tcp://…`, `GRACECUBE_SERVE_SERVICE_HOST` …; a line at level debug names them), and those\n"
	"that begin with no section (`GRACECUBE_VERSION`; a line at level info).\n"
	"\n"
	"Sizes have a unit: `B KiB MiB GiB TiB`, `kB MB GB TB`; a bare number is bytes. Durations have a unit:\n"
	"`us ms s m h d`. Lists are YAML lists, or one text with commas (in the environment and in flags always).\n"
	"\n"
	"In the file's values `${VAR}` is an environment variable and an error when it is not set, `${VAR:-default}`\n"
	"has a default, `${VAR:?message}` a message of its own, and `$$` is a dollar sign. They are replaced after\n"
	"the YAML is read, so a value never adds structure.\n"
	"\n"
	"Secrets come from `postgres.password_file`, `kafka.password_file`, from `${VAR}` or from the environment. They are\n"
	"refused as flags and never printed. A newline behind the only line of a variable (`PGPASSWORD` too) is dropped.\n";

void gc_config_reference(const char *const *stream_names, FILE *out)
{
	fprintf(out, "# Configuration\n\nMade by `gracecube config reference` from the option table; do not edit.\n\n%s", rules);
	for (const struct gc_section *section = gc_sections; section->name; section++)
		refer_section(section, stream_names, out);
}

/* -- for completion -- */

void gc_config_options(const char *const *stream_names,
		       void (*visit)(void *context, const char *name, const char *const *choices, const char *description),
		       void *context)
{
	char name[GC_NAME_MAX];
	for (const struct gc_option *option = gc_options; option->name; option++)
		visit(context, option->name, option->choices, option->description);
	for (; *stream_names; stream_names++) {
		for (const struct gc_option *option = gc_stream_options; option->name; option++) {
			snprintf(name, sizeof(name), "streams.%s.%s", *stream_names, option->name);
			visit(context, name, option->choices, option->description);
		}
	}
}

/* -- the manual page -- */

static void explain_option(const char *name, const struct gc_option *option, FILE *out)
{
	char type[160], variable[GC_NAME_MAX + 16], term[GC_NAME_MAX + 4];
	snprintf(term, sizeof(term), "`%s`", name);
	gc_roff_term(out, term);
	gc_roff_line(out, "%s", option->description);
	fputs(".br\n", out);
	gc_roff_line(out, "%s; default %s; `%s`", type_of(option, type, sizeof(type)),
		     *option->initially ? option->initially : "empty", gc_option_variable(name, variable, sizeof(variable)));
}

static void explain_stream_options(const char *const *stream_names, FILE *out)
{
	char name[GC_NAME_MAX];
	for (const struct gc_option *option = gc_stream_options; option->name; option++) {
		snprintf(name, sizeof(name), "streams.<stream>.%s", option->name);
		explain_option(name, option, out);
	}
	const char **sorted = sort_names(stream_names);
	fputs(".PP\n", out);
	gc_roff_line(out, "The streams, of which a topic may stand in one only:");
	for (const char **stream = sorted; *stream; stream++)
		gc_roff_line(out, "`%s`%s", *stream, stream[1] ? "," : ".");
	free(sorted);
}

static void explain_properties(FILE *out)
{
	gc_roff_term(out, "`kafka.properties`");
	gc_roff_line(out, "Any property of librdkafka by its own name, but for these, on which the design depends:");
	for (const char *const *name = gc_config_protected_properties; *name; name++)
		gc_roff_line(out, "`%s`%s", *name, name[1] ? "," : ".");
	fputs(".br\n", out);
	gc_roff_line(out, "section; `GRACECUBE_KAFKA_PROPERTIES_<NAME>`, with the dots as underscores");
}

static void explain_section(const struct gc_section *section, const char *const *stream_names, FILE *out)
{
	fprintf(out, ".SS %s\n", section->name);
	gc_roff_line(out, "%s", section->description);
	for (const struct gc_option *option = gc_options; option->name; option++)
		if (is_in(option, section))
			explain_option(option->name, option, out);
	if (is_section(section, "kafka"))
		explain_properties(out);
	if (is_section(section, "streams"))
		explain_stream_options(stream_names, out);
}

void gc_config_manual(const char *const *stream_names, const char *made_by, FILE *out)
{
	gc_roff_title(out, "gracecube.yaml", 5, "configuration of gracecube", made_by);
	gc_roff_heading(out, "DESCRIPTION");
	gc_roff_prose(out, rules);
	gc_roff_heading(out, "OPTIONS");
	for (const struct gc_section *section = gc_sections; section->name; section++)
		explain_section(section, stream_names, out);
	gc_roff_heading(out, "FILES");
	gc_roff_file(out, gc_config_installed_path);
	gc_roff_line(out, "read when there are neither `--config` nor `config/gracecube.yaml`");
	gc_roff_heading(out, "SEE ALSO");
	gc_roff_reference(out, "", "gracecube", 1);
	gc_roff_reference(out, ",", "gracecube-config", 1);
	fputc('\n', out);
}
