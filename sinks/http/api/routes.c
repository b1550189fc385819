/* The table of routes.
 *
 * To add one: a view with comments in sinks/sql, and a row here. Dispatch, checks of parameters, 404, 405 and /api/openapi.json follow
 * from it; names, types and meanings of the columns come from the database.
 * Threads: constants.
 */
#include "http/api/routes.h"

#define TIER_NAME "(SELECT x.tier_name FROM cube.dim_tier x WHERE x.tier_code = $)"
#define UTC_DAY "($::timestamptz AT TIME ZONE 'UTC')::date"
#define CONFIDENCE "^(0|1|0?\\.[0-9]{1,6}|1\\.0{1,6})$"
#define DAYS_AGO "now() - make_interval(days => $::int)"

const char *const gc_access_names[] = { "anybody", "viewer", "analyst", "operator", NULL };

/* ---- parameters ---- */

static const char *const formats[] = { "json", "csv", NULL };
static const char *const booleans[] = { "true", "false", NULL };

static const struct gc_parameter from = { "from", "Begin, included: a date (its midnight, UTC) or RFC 3339.",
					  .type = GC_PARAMETER_TIME };
static const struct gc_parameter to = { "to", "End, not included: a date (its midnight, UTC) or RFC 3339.",
					.type = GC_PARAMETER_TIME };
static const struct gc_parameter days = { "days",
					  "So many days back from now, instead of `from`; not both.",
					  .type = GC_PARAMETER_INTEGER,
					  .min = 1,
					  .max = 90,
					  .instead_of = "from" };
static const struct gc_parameter rate_days = { "days",
					       "So many days back from now, to the minute, instead of `from`; not both.",
					       .type = GC_PARAMETER_INTEGER,
					       .min = 1,
					       .max = 90,
					       .initially = "7",
					       .instead_of = "from" };
static const struct gc_parameter week = { "days",
					  "So many days back from now, instead of `from`; not both.",
					  .type = GC_PARAMETER_INTEGER,
					  .min = 1,
					  .max = 90,
					  .initially = "7",
					  .instead_of = "from" };
static const struct gc_parameter month = { "days",
					   "So many days back from now, instead of `from`; not both.",
					   .type = GC_PARAMETER_INTEGER,
					   .min = 1,
					   .max = 90,
					   .initially = "30",
					   .instead_of = "from" };
static const struct gc_parameter tier = { "tier", "Code of a tier.", .type = GC_PARAMETER_TEXT,
					  .pattern = "^(tier_[1-9][0-9]?|unknown)$" };
static const struct gc_parameter rate_tier = { "tier", "Code of a tier.", .type = GC_PARAMETER_TEXT, .pattern = "^tier_[123]$" };
static const struct gc_parameter component = { "component", "Name of a component.", .type = GC_PARAMETER_TEXT };
static const struct gc_parameter severity = { "severity", "Severity, as the records have it.", .type = GC_PARAMETER_TEXT };
static const struct gc_parameter mission_type = { "mission_type", "Type of mission.", .type = GC_PARAMETER_TEXT };
static const struct gc_parameter mission = { "mission", "Id of a mission.", .type = GC_PARAMETER_TEXT };
static const struct gc_parameter actor = { "actor", "Id of an actor: user:alice.", .type = GC_PARAMETER_TEXT };
static const struct gc_parameter status = { "status", "Status, as the records have it.", .type = GC_PARAMETER_TEXT };
static const struct gc_parameter error_type = { "type", "Type of error.", .type = GC_PARAMETER_TEXT };
static const struct gc_parameter search = { "q", "Text that id, action, trigger or error message must contain, in any case.",
					    .type = GC_PARAMETER_TEXT };
static const struct gc_parameter confidence_from = { "confidence_from", "Confidence, 0 to 1: at least this.",
						     .type = GC_PARAMETER_TEXT, .pattern = CONFIDENCE };
static const struct gc_parameter confidence_to = { "confidence_to",
						   "Confidence: less than this; 1 is included in a range that ends with 1.",
						   .type = GC_PARAMETER_TEXT, .pattern = CONFIDENCE };
static const struct gc_parameter weekday = { "weekday", "Created on this day of the week, UTC: 1 is Monday, 7 is Sunday.",
					     .type = GC_PARAMETER_INTEGER, .min = 1, .max = 7 };
static const struct gc_parameter hour = { "hour", "Created in this hour of the day, UTC.", .type = GC_PARAMETER_INTEGER,
					  .max = 23 };
static const struct gc_parameter format = {
	"format",
	"Form of the answer; else the Accept header decides. In CSV a text that a spreadsheet would take for a formula has an apostrophe before it.",
	.type = GC_PARAMETER_CHOICE, .choices = formats, .is_form = true
};
static const struct gc_parameter limit = {
	"limit", "Rows at most. When it is not given, lists of facts give 100 as JSON; CSV gives all, up to the largest limit.",
	.type = GC_PARAMETER_INTEGER, .min = 1
};
static const struct gc_parameter offset = { "offset", "Rows to leave out first.", .type = GC_PARAMETER_INTEGER, .max = 100000000 };

static const struct gc_parameter bom = { "bom", "CSV begins with a byte order mark, by which Excel knows UTF-8.",
					 .type = GC_PARAMETER_CHOICE, .choices = booleans, .is_form = true };

static const char *const grains[] = { "minute", "hour", "day", "week", "month", NULL };
static const char *const comparisons[] = { "previous", "week", "month", NULL };

static const struct gc_parameter by = {
	"by",
	"Dimensions, with commas between: a value for each member. The catalog has those of a metric; in CSV each has a column.",
	.type = GC_PARAMETER_TEXT, .pattern = "^[a-z][a-z0-9_]*(,[a-z][a-z0-9_]*)*$"
};
static const struct gc_parameter grain = { "grain", "A value for each of these, which are of UTC; else one for the whole window.",
					   .type = GC_PARAMETER_CHOICE, .choices = grains };
static const struct gc_parameter where = {
	"where", "Members: tier=tier_1,tier_2;component!=hunter, or as JSON {\"tier\": [\"tier_1\", \"tier_2\"]}.",
	.type = GC_PARAMETER_TEXT
};
static const struct gc_parameter compare = { "compare",
					     "Beside it the period before: as long and right before, a week or a month earlier.",
					     .type = GC_PARAMETER_CHOICE, .choices = comparisons };
static const struct gc_parameter compared = {
	"compare",
	"The period before, that the change is from: previous (as long and right before; so it is when nothing is said), or a "
	"week or a month earlier.",
	.type = GC_PARAMETER_CHOICE, .choices = comparisons, .initially = "previous"
};
static const struct gc_parameter cuts = { "by", "Dimensions, with commas between; all of the metric when none is asked for.",
					  .type = GC_PARAMETER_TEXT, .pattern = "^[a-z][a-z0-9_]*(,[a-z][a-z0-9_]*)*$" };
static const struct gc_parameter members = {
	"limit",
	"Members of a dimension at most, those with the largest parts; one row more is all others, so that the parts still add up.",
	.type = GC_PARAMETER_INTEGER,
	.min = 1,
	.max = 500,
	.initially = "20"
};
static const struct gc_parameter as = {
	"as", "The same as `format`.", .type = GC_PARAMETER_CHOICE, .choices = formats, .instead_of = "format", .is_form = true
};

const struct gc_filter gc_common_filters[] = {
	{ &format, NULL }, { &limit, NULL }, { &offset, NULL }, { &bom, NULL }, { NULL, NULL }
};
const struct gc_filter gc_form_filters[] = { { &format, NULL }, { &bom, NULL }, { NULL, NULL } };

/* ---- which conditions they are ---- */

/* A day counts when any of it is in the window. */
#define BY_DAY                                                                                                                     \
	{ &from, "day >= " UTC_DAY }, { &to, "day < $::timestamptz AT TIME ZONE 'UTC'" }, { &days, "day >= (" DAYS_AGO ")::date" }
/* time_key beside created_at: its index finds the newest rows without sorting. */
#define BY_CREATION                                                                                                                \
	{ &from, "created_at >= $::timestamptz AND time_key >= cube.time_key($::timestamptz)" },                                   \
		{ &to, "created_at < $::timestamptz AND time_key <= cube.time_key($::timestamptz)" },                              \
		{ &days, "created_at >= " DAYS_AGO " AND time_key >= cube.time_key(" DAYS_AGO ")" }
#define BY_TIER_NAME { &tier, "tier_name = " TIER_NAME }
#define BY_COMPONENT { &component, "component_name = $" }
#define BY_ACTOR { &actor, "actor_id = $" }
#define BY_SEVERITY { &severity, "severity = $" }
#define END { NULL, NULL }

/* clang-format off */
static const struct gc_filter by_rate[] = { { &rate_tier, NULL }, { &component, NULL }, { &rate_days, NULL }, { &from, NULL }, { &to, NULL }, END };
static const struct gc_filter by_trend[] = { { &rate_days, NULL }, { &from, NULL }, { &to, NULL }, BY_SEVERITY, END };
/* Answers that grow with every hour or day by many rows are of some time unless told otherwise. */
static const struct gc_filter by_week[] = { { &from, NULL }, { &to, NULL }, { &week, NULL }, { &tier, NULL }, { &component, NULL }, END };
static const struct gc_filter by_month[] = { { &from, NULL }, { &to, NULL }, { &month, NULL }, { &tier, NULL }, { &component, NULL }, END };
static const struct gc_filter by_window[] = { { &from, NULL }, { &to, NULL }, { &days, NULL }, { &tier, NULL }, { &component, NULL }, END };
static const struct gc_filter by_mission_type[] = { { &mission_type, "mission_type = $" }, BY_TIER_NAME, END };
static const struct gc_filter by_day[] = { BY_DAY, END };
static const struct gc_filter by_day_tier_actor[] = { BY_DAY, BY_TIER_NAME, BY_ACTOR, END };
static const struct gc_filter by_day_actor[] = { BY_DAY, BY_ACTOR, END };
static const struct gc_filter by_day_component[] = { BY_DAY, BY_COMPONENT, END };
static const struct gc_filter by_error_type[] = { BY_DAY, BY_SEVERITY, BY_COMPONENT, { &error_type, "error_type = $" }, END };
static const struct gc_filter by_error_status[] = { BY_DAY, BY_SEVERITY, { &status, "status = $" }, BY_COMPONENT, END };
static const struct gc_filter by_type[] = { { &mission_type, "mission_type = $" }, END };
static const struct gc_filter by_component[] = { BY_COMPONENT, END };
static const struct gc_filter by_actor[] = { BY_ACTOR, END };
static const struct gc_filter by_creation[] = { BY_CREATION, END };
static const struct gc_filter of_executions[] = { BY_CREATION, { &tier, NULL }, { &component, NULL }, { &actor, NULL }, { &status, "contract_status = $" },
						  { &mission, NULL }, { &mission_type, "mission_type = $ AND mission_id <> 'unknown'" },
						  { &confidence_from, "confidence_score * 20 >= $::float8 * 20" },
						  { &confidence_to, "confidence_score * 20 < CASE WHEN $::float8 = 1 THEN 21 ELSE $::float8 * 20 END" },
						  { &weekday, "(time_key / 1440 + 3) % 7 + 1 = $::int" }, { &hour, "time_key / 60 % 24 = $::int" },
						  { &search, "strpos(lower(concat_ws(' ', contract_id, action_type, triggered_by, error_message)), lower($)) > 0" },
						  END };
static const struct gc_filter of_errors[] = { BY_CREATION, BY_SEVERITY, { &component, NULL }, { &error_type, "error_type = $" }, { &status, "status = $" }, END };
static const struct gc_filter of_approvals[] = { BY_CREATION, { &tier, NULL }, { &status, "status = $" }, END };
static const struct gc_filter of_metric[] = { { &by, NULL }, { &from, NULL }, { &to, NULL }, { &days, NULL }, { &grain, NULL }, { &where, NULL },
					      { &compare, NULL }, { &as, NULL }, END };
static const struct gc_filter of_change[] = { { &cuts, NULL }, { &from, NULL }, { &to, NULL }, { &week, NULL }, { &where, NULL }, { &compared, NULL },
					      { &members, NULL }, { &as, NULL }, END };
static const struct gc_filter of_audit[] = { { &from, "asked_at >= $::timestamptz" }, { &to, "asked_at < $::timestamptz" }, { &days, "asked_at >= " DAYS_AGO }, END };
/* clang-format on */

/* ---- the table: the three of the design document, the views, the facts, the rest ---- */

#define BEGIN "coalesce(:from::timestamptz, now() - make_interval(days => :days::int))"
#define WINDOW BEGIN ", :to::timestamptz"
/* A day counts when any of it is in the window. */
#define DAYS "(" BEGIN " AT TIME ZONE 'UTC')::date, :to::timestamptz, :tier, :component"
#define METRIC(name) "/api/cube/metrics/" name, GC_ANSWER_ROWS, GC_ACCESS_VIEWER

/* clang-format off */
const struct gc_route gc_routes[] = {
	{ METRIC("verification-success-rate"), "Success rate of executions by tier, over a rolling window that is exact to the minute.",
	  "cube_verification_success_rate", "SELECT * FROM cube.verification_success_rate(:tier, :component, " WINDOW ")", by_rate, NULL, 0 },
	{ METRIC("mission-performance"), "Missions that have executions, by type and tier.", "cube_mission_metrics", NULL, by_mission_type,
	  "mission_type, tier_name", 0 },
	{ METRIC("error-trends"), "Errors by UTC day and severity, over a rolling window that is exact to the minute.", "cube_error_trends",
	  "SELECT * FROM cube.error_trends(" WINDOW ")", by_trend, "year, month, day, severity", 0 },

	{ METRIC("daily-verification-by-tier"), "Executions, successes, rollbacks and averages by UTC day and tier.",
	  "cube_daily_verification_by_tier", "SELECT v.*, make_date(v.year, v.month, v.day) AS date FROM cube.daily_verification(" DAYS ") v", by_window, "year, month, day, tier_name", 0 },
	{ METRIC("hourly-verification"), "Executions, successes, rollbacks and averages by hour and tier.", "cube_hourly_verification",
	  "SELECT * FROM cube.hourly_verification(:tier, :component, " WINDOW ")", by_week, "hour, tier_code", 0 },
	{ METRIC("activity-heatmap"), "Executions by weekday and hour of the day.", "cube_activity_heatmap",
	  "SELECT * FROM cube.activity_heatmap(:tier, :component, " WINDOW ")", by_window, "iso_weekday, hour, tier_code", 0 },
	{ METRIC("duration-percentiles"), "Percentiles of the duration by UTC day and tier, within 1 %.", "cube_duration_percentiles",
	  "SELECT * FROM cube.duration_percentiles(" DAYS ", false)", by_month, "day, tier_name", 0 },
	{ METRIC("window-durations"), "Percentiles of the duration by tier, of all days together, within 1 %.", "cube_window_durations",
	  "SELECT tier_name, executions, p50_seconds, p95_seconds, p99_seconds FROM cube.duration_percentiles(" DAYS ", true)", by_window, "tier_name", 0 },
	{ METRIC("confidence-distribution"), "How confident executions were, and how often rightly, by UTC day and tier.", "cube_confidence_distribution",
	  "SELECT * FROM cube.confidence_distribution(" DAYS ", false)", by_month, "day, tier_name, bucket", 0 },
	{ METRIC("window-confidence"), "How confident executions were, and how often rightly, by tier, of all days together.", "cube_window_confidence",
	  "SELECT tier_name, bucket, confidence_from, confidence_to, executions, successful_executions FROM cube.confidence_distribution(" DAYS ", true)",
	  by_window, "tier_name, bucket", 0 },
	{ METRIC("mission-metrics"), "Missions that have executions, by type and tier.", "cube_mission_metrics", NULL, by_mission_type,
	  "mission_type, tier_name", 0 },
	{ METRIC("missions-by-type"), "Missions by type, each once.", "cube_missions_by_type", NULL, by_type, "missions DESC, mission_type", 0 },
	{ METRIC("approvals"), "Approvals by the UTC day on which they were asked for.", "cube_daily_approvals", NULL, by_day, "day", 0 },
	{ METRIC("daily-approvals"), "Approvals by the UTC day on which they were asked for.", "cube_daily_approvals", NULL, by_day, "day", 0 },
	{ METRIC("approvals-by-approver"), "Decisions by the one who decided.", "cube_approvals_by_approver", NULL, by_actor,
	  "decided DESC, actor_id", 0 },
	{ METRIC("errors-by-component"), "Errors by component.", "cube_errors_by_component", NULL, by_component, "errors DESC, component_name", 0 },
	{ METRIC("top-error-types"), "Errors by UTC day, type, severity and component.", "cube_top_error_types", NULL, by_error_type,
	  "day, errors DESC, error_type, severity, component_name", 0 },
	{ METRIC("errors-by-status"), "Errors by UTC day, severity, status and component: how they ended, false positives apart.",
	  "cube_errors_by_status", NULL, by_error_status, "day, severity, status, component_name", 0 },
	{ METRIC("playbook-performance"), "Playbook runs by UTC day, playbook and component.", "cube_playbook_performance", NULL, by_day_component,
	  "day, playbook_id, component_name", 0 },
	{ METRIC("playbook-steps"), "Steps of playbook runs by UTC day, component and position.", "cube_playbook_steps", NULL, by_day_component,
	  "day, component_name, step_order", 0 },
	{ METRIC("healing-outcomes"), "Healing actions and their outcomes.", "cube_healing_outcomes", NULL, by_day_component,
	  "day, component_name, action", 0 },
	{ METRIC("votes-by-session"), "Sessions of the parliament with their votes and turnout, the newest first.", "cube_votes_by_session", NULL,
	  by_creation, "time_key DESC, created_at DESC, governance_session_id", 100 },
	{ METRIC("votes-by-member"), "Votes by member.", "cube_votes_by_member", NULL, by_actor, "votes DESC, actor_id", 0 },
	{ METRIC("compliance"), "Compliance by UTC day, actor and tier.", "cube_compliance", NULL, by_day_tier_actor, "day, actor_id, tier_name", 0 },
	{ METRIC("failed-principles"), "Which principles failed, by UTC day and actor.", "cube_failed_principles", NULL, by_day_actor,
	  "day, actor_id, principle", 0 },
	{ METRIC("task-throughput"), "Tasks by UTC day and type.", "cube_task_throughput", NULL, by_day, "day, task_type", 0 },
	{ METRIC("insights-by-phase"), "Steps of agents' reasoning by UTC day and phase.", "cube_insights_by_phase", NULL, by_day, "day, phase", 0 },
	{ METRIC("shard-liveness"), "Is each shard alive.", "cube_shard_liveness", NULL, NULL, "shard_id", 0 },
	{ METRIC("daily-snapshots"), "Snapshots by UTC day.", "cube_daily_snapshots", NULL, by_day, "day", 0 },
	{ METRIC("daily-benchmarks"), "Benchmark runs by UTC day and type.", "cube_daily_benchmarks", NULL, by_day, "day, benchmark_type", 0 },
	{ METRIC("daily-events"), "Entries of the immutable log by UTC day, subsystem and action.", "cube_daily_events", NULL, by_day,
	  "day, subsystem, action", 0 },
	{ METRIC("log-integrity"), "Is the hash chain of the immutable log whole, by UTC day.", "cube_log_integrity", NULL, by_day, "day", 0 },
	{ METRIC("quality-issues"), "What was senseless in records, and how often.", "cube_quality_issues", NULL, NULL,
	  "issues DESC, stream, field, rule", 0 },
	{ METRIC("freshness"), "How far each stream has come.", "cube_freshness", NULL, NULL, "stream", 0 },
	{ METRIC("extents"), "On which UTC day the data of a subject begin and end.", "cube_extents", NULL, NULL, "subject", 0 },
	{ METRIC("lag"), "How much of each stream was read, and how long ago it last moved.", "cube_lag", NULL, NULL, "stream", 0 },
	{ METRIC("etl-metadata"), "Watermark and ledger of each topic and partition.", "cube_etl_metadata", NULL, NULL, "group_id, topic, partition", 0 },

	/* the registry's: whatever has no row of its own above */
	{ "/api/cube/metrics", GC_ANSWER_ROWS, GC_ACCESS_VIEWER, "Every metric: what it says, how it is computed, what it may be cut by.", "metric_catalog",
	  NULL, NULL, NULL, 0 },
	{ METRIC("{name}/definition"), "One metric of the catalog.", "metric_catalog",
	  "SELECT c.* FROM cube.metric_catalog c WHERE c.name = (SELECT :name::text WHERE cube.metric_named(:name) IS NOT NULL)", NULL, NULL, 0 },
	{ METRIC("{name}/explain"), "Why a metric changed: what each member of its dimensions made of the change, mix and rate apart.", "cube_metric_change",
	  "SELECT * FROM cube.metric_change(:name, " WINDOW ", :compare, string_to_array(:by, ','), cube.metric_filter(:where), :limit)", of_change,
	  NULL, GC_LIMITS_ITSELF },
	{ METRIC("{name}"), "A metric of the catalog: in a window, by grain and dimensions, filtered, beside the period before.", "cube_metric_answer",
	  "SELECT * FROM cube.metric_compared(:name, " WINDOW ", :grain, string_to_array(:by, ','), cube.metric_filter(:where), :compare)", of_metric,
	  "at, dimensions", 0 },

	{ "/api/cube/executions", GC_ANSWER_ROWS, GC_ACCESS_ANALYST, "Executions, the newest first.", "cube_executions",
	  "SELECT * FROM cube.executions(:tier, :component, :actor, :mission)", of_executions,
	  "time_key DESC, created_at DESC, contract_id", 100 },
	{ "/api/cube/errors", GC_ANSWER_ROWS, GC_ACCESS_ANALYST, "Errors, the newest first.", "cube_errors",
	  "SELECT * FROM cube.errors(:component)", of_errors,
	  "time_key DESC, created_at DESC, error_id", 100 },
	{ "/api/cube/approvals", GC_ANSWER_ROWS, GC_ACCESS_ANALYST, "Approvals, the newest first.", "cube_approvals",
	  "SELECT * FROM cube.approvals(:tier)", of_approvals,
	  "time_key DESC, created_at DESC, approval_id", 100 },
	/* whoever may not see the contract may not see what came of it */
	{ "/api/cube/executions/{contract_id}/timeline", GC_ANSWER_ROW, GC_ACCESS_ANALYST, "One contract's whole story in order.", NULL,
	  "SELECT * FROM cube.cube_execution_timeline(:contract_id) WHERE EXISTS (SELECT FROM cube.cube_executions e WHERE e.contract_id = :contract_id)",
	  NULL, "at, fact, key", 0 },
	{ "/api/cube/executions/{contract_id}", GC_ANSWER_ROW, GC_ACCESS_ANALYST, "One execution.", "cube_executions",
	  "SELECT * FROM cube.cube_executions WHERE contract_id = :contract_id", NULL, NULL, 0 },
	{ "/api/cube/components", GC_ANSWER_ROWS, GC_ACCESS_VIEWER, "Components by which answers can be narrowed.", "cube_components", NULL, NULL,
	  "component_name", 0 },
	{ "/api/cube/severities", GC_ANSWER_ROWS, GC_ACCESS_VIEWER, "Severities, in their order.", "cube_severities", NULL, NULL,
	  "severity_order, severity", 0 },
	{ "/api/cube/audit", GC_ANSWER_ROWS, GC_ACCESS_OPERATOR, "Requests to this API, the newest first.", "cube_api_audit", NULL, of_audit,
	  "asked_at DESC, audit_id DESC", 100 },

	{ "/api/cube/events", GC_ANSWER_EVENTS, GC_ACCESS_VIEWER, "Server-sent events: `changed` after each commit, with the streams it touched.", NULL, NULL,
	  NULL, NULL, 0 },
	{ "/api/cube/me", GC_ANSWER_ME, GC_ACCESS_VIEWER, "What this token may do.", NULL, NULL, NULL, NULL, 0 },
	{ "/api/openapi.json", GC_ANSWER_OPENAPI, GC_ACCESS_VIEWER, "This document.", NULL, NULL, NULL, NULL, 0 },
	{ "/mcp", GC_ANSWER_MCP, GC_ACCESS_VIEWER, "The Model Context Protocol, by which agents ask.", NULL, NULL, NULL, NULL, 0 },
	{ "/livez", GC_ANSWER_LIVE, GC_ACCESS_ANYBODY, "Is the process alive.", NULL, NULL, NULL, NULL, 0 },
	{ "/readyz", GC_ANSWER_READY, GC_ACCESS_ANYBODY, "Does the database answer, with the right schema.", NULL, NULL, NULL, NULL, 0 },
	{ "/assets/{file}", GC_ANSWER_ASSET, GC_ACCESS_ANYBODY, "A file of the dashboard.", NULL, NULL, NULL, NULL, 0 },
	{ "/", GC_ANSWER_ASSET, GC_ACCESS_ANYBODY, "The dashboard.", NULL, NULL, NULL, NULL, 0 },
	{ .path = NULL },
};
/* clang-format on */

/* ---- finding ---- */

/* The part between what stands before and behind the braces; a part is never empty. */
static bool fits(const char *pattern, const char *path, struct gc_span *ret_part)
{
	const char *brace = strchr(pattern, '{');
	size_t before = brace ? (size_t)(brace - pattern) : 0, len = strlen(path), behind;
	const char *rest;

	if (!brace)
		return strcmp(pattern, path) == 0;
	rest = strchr(brace, '}') + 1;
	behind = strlen(rest);
	if (len <= before + behind || strncmp(pattern, path, before) != 0 || strcmp(path + len - behind, rest) != 0)
		return false;
	*ret_part = (struct gc_span){ path + before, len - before - behind };
	return true;
}

const struct gc_route *gc_route_find(const char *path, struct gc_span *ret_part)
{
	*ret_part = GC_SPAN_NULL;
	for (const struct gc_route *route = gc_routes; route->path; route++) {
		if (fits(route->path, path, ret_part))
			return route;
	}
	return NULL;
}

const char *gc_route_methods(const struct gc_route *route)
{
	return route->answer == GC_ANSWER_MCP ? "POST" : "GET, HEAD";
}

struct gc_span gc_route_part(const struct gc_route *route)
{
	const char *open = strchr(route->path, '{');

	return open ? (struct gc_span){ open + 1, strcspn(open + 1, "}") } : GC_SPAN_NULL;
}
