// What the page shows: for each panel its question to the API, the streams that change it, the picture, the sentence, the table.

import { WEEKDAYS, HOUR, DAY, count, plural, percent, ratio, share, duration, isoDay, dayName, clock, moment, floorDay, floorWeek, wilson, interval, sum, group, cells, h } from './format.js';
import * as charts from './charts.js';

// --- Tiers and severities ---------------------------------------------------------------------------------------------

const tierNames = new Map([['tier_1', 'Operational'], ['tier_2', 'Tactical'], ['tier_3', 'Strategic'], ['unknown', 'unknown']]);
// answers by day name a tier, answers by hour and facts also its code
export function learnTiers(rows) {
	for (const { tier_code: code, tier_name: name } of rows) if (code && name) tierNames.set(code, name);
}
export const tierName = code => tierNames.get(code) || code;
const tierCode = name => {
	for (const [code, known] of tierNames) if (known === name) return code;
	tierNames.set(name, name);
	return name;
};
// A token may be limited to tiers: those up to its own, and nothing of which no tier is known.
let highest = null;
export const limitTiers = tier => { highest = tier; };
const rank = code => /^tier_\d+$/.test(code) ? Number(code.slice(5)) : Infinity;
const isSeen = code => highest == null || rank(code) <= rank(highest);
export const knownTiers = () => [...tierNames.keys()].filter(isSeen).sort((a, b) => (a === 'unknown') - (b === 'unknown') || a.localeCompare(b, 'en', { numeric: true }));
export const limitText = () => highest && `${rank(highest) > 1 ? `up to ${tierName(highest)}` : `only ${tierName(highest)}`}, by your token`;
export const tone = code => `tone-${/^tier_\d+$/.test(code) ? (Number(code.slice(5)) - 1) % 5 + 1 : 0}`;

const SEVERITY_LOOK = { unknown: ['s-unknown', null], low: ['s-low', null], medium: ['s-medium', 'dots'], high: ['s-high', 'rise'], critical: ['s-critical', 'cross'], sev0: ['s-worst', 'bars'] };
const severityOrder = new Map();
export function learnSeverities(rows) {
	for (const { severity, severity_order: order } of rows) severityOrder.set(severity, order);
}
const severityRank = s => severityOrder.get(s) ?? 1;
const GRAVE = 50; // critical

// --- Rows as they come → rows as they are drawn -----------------------------------------------------------------------

const dayOf = row => row.year ? Date.UTC(row.year, row.month - 1, row.day) : Date.parse(String(row.day).slice(0, 10));
export const readVerification = rows => rows.map(row => ({
	t: row.hour ? Date.parse(row.hour) : dayOf(row), tier: row.tier_code || tierCode(row.tier_name),
	n: row.total_executions, ok: row.successful_executions, back: row.rollbacks }));
export const readErrors = rows => rows.map(row => ({
	t: dayOf(row), severity: row.severity || 'unknown', type: row.error_type, component: row.component_name,
	n: row.error_count ?? row.errors, auto: row.auto_resolved_count ?? row.auto_resolved }));
export const readApprovals = rows => rows.map(row => ({
	t: dayOf(row), n: row.total, yes: row.approved, no: row.rejected, open: row.pending, seconds: row.avg_decision_seconds, timed: row.timed_decisions }));
// the mean of means, each weighed by the decisions that it is of; not every decision has a time
const meanDecision = rows => share(sum(rows, row => (row.seconds ?? 0) * row.timed), sum(rows, row => row.timed));

const inRange = (rows, view) => rows.filter(row => (view.dayAligned(view.from) == null || row.t >= view.dayAligned(view.from)) && row.t < view.to);
const inHours = (rows, view) => rows.filter(row => (view.from == null || row.t >= view.from) && row.t < view.to);
const beforeRange = (rows, view) => view.before == null ? null : rows.filter(row => row.t >= view.dayAligned(view.before) && row.t < view.dayAligned(view.from));
const beforeHours = (rows, view) => view.before == null ? null : rows.filter(row => row.t >= view.before && row.t < view.from);
const ofTier = (rows, view) => view.tier ? rows.filter(row => row.tier === view.tier) : rows;

// The day on which the data begin, and the one after their last; null where there are none.
export function extentOf(extents) {
	const rows = extents?.rows.filter(row => row.first_day) ?? [];
	return rows.length ? { from: Math.min(...rows.map(row => Date.parse(row.first_day))), to: Math.max(...rows.map(row => Date.parse(row.last_day))) + DAY } : null;
}

// The period before is compared with where data had begun by then: of both periods together the first rows, strays aside, came when it began, or as
// soon after it as rows come in the view. Else this says on how many of its days, or hours, there are any.
function lacksBefore(now, before, view, size) {
	if (!before) return null;
	const places = rows => new Set(rows.map(row => Math.floor(row.t / size))).size, length = view.to - view.from;
	const total = sum(now, row => row.n) + sum(before, row => row.n), sorted = [...before].sort((a, b) => a.t - b.t);
	let came = 0;
	const first = sorted.find(row => (came += row.n) > total / 100)?.t ?? Infinity;
	const late = Math.max(size, length / 10, places(now) ? 2 * (length / places(now) - size) : 0);
	return first - view.before <= late ? null : `${count(places(before))} of ${plural(Math.round(length / size), size === HOUR ? 'hour' : 'day')} have data`;
}

// what of the answers lies in the view and before it
export function select(data, view) {
	const all = data.verification && readVerification(data.verification.rows), errors = data.errors && readErrors(data.errors.rows), approvals = data.approvals && readApprovals(data.approvals.rows);
	const size = view.hourly ? HOUR : DAY, lacks = {
		runs: all && lacksBefore(inHours(all, view), beforeHours(all, view), view, size),
		errors: errors && lacksBefore(inRange(errors, view), beforeRange(errors, view), view, DAY),
		approvals: approvals && lacksBefore(inRange(approvals, view), beforeRange(approvals, view), view, DAY),
	};
	return {
		lacks,
		runs: all && inHours(ofTier(all, view), view), runsBefore: all && !lacks.runs ? beforeHours(ofTier(all, view), view) : null,
		errors: errors && inRange(errors, view), errorsBefore: errors && !lacks.errors ? beforeRange(errors, view) : null,
		approvals: approvals && inRange(approvals, view), approvalsBefore: approvals && !lacks.approvals ? beforeRange(approvals, view) : null,
	};
}

// --- The time axis ----------------------------------------------------------------------------------------------------

// Of all time a few stray rows, long before the others, would take most of the axis: where these begin. Strays are a tenth of all at most.
function settled(rows, to) {
	const sorted = [...rows].sort((a, b) => a.t - b.t), total = sum(sorted, row => row.n), first = sorted[0].t;
	let before = 0;
	for (const row of sorted) {
		if (before > total / 10) break;
		if (row.t - first > (to - first) / 2) return row.t;
		before += row.n;
	}
	return first;
}

// Strays are one place at the begin, however long that lasts.
function axis(view, rows, finest) {
	const isOpen = view.from == null || view.asked, earliest = isOpen && rows.length ? Math.min(...rows.map(row => row.t)) : view.from ?? view.to - 30 * DAY;
	const from = isOpen && rows.length ? settled(rows, view.to) : earliest;
	let size = finest, floor = time => Math.floor(time / size) * size;
	if (size === DAY && (view.to - from) / DAY > 100) {
		size = 7 * DAY;
		floor = floorWeek;
	}
	const begin = floor(from), strays = floor(earliest) < begin ? [floor(earliest)] : [];
	const starts = [...strays, ...Array.from({ length: Math.max(1, Math.ceil((view.to - begin) / size)) }, (_, i) => begin + i * size)];
	const long = view.to - from > 200 * DAY;
	const isStray = i => i < strays.length, end = i => isStray(i) ? begin : starts[i] + size;
	const at = time => time < begin ? (strays.length ? 0 : -1) : strays.length + Math.floor((floor(time) - begin) / size);
	const name = i => isStray(i) ? `${dayName(starts[i], true)} – ${dayName(begin - 1, true)}`
		: size === HOUR ? `${dayName(starts[i])} ${clock(starts[i])}–${clock(starts[i] + HOUR)}` : size === DAY ? `${WEEKDAYS[(new Date(starts[i]).getUTCDay() + 6) % 7]} ${dayName(starts[i], true)}` : `${dayName(starts[i])} – ${dayName(starts[i] + 6 * DAY, true)}`;
	return {
		starts, size, n: starts.length, name, at,
		labels: starts.map((start, i) => isStray(i) ? 'before' : size === HOUR ? (new Date(start).getUTCHours() ? clock(start) : dayName(start)) : long ? `${dayName(start).split(' ')[1]} ’${String(new Date(start).getUTCFullYear()).slice(2)}` : dayName(start)),
		cell: i => cells.time(name(i), size === HOUR ? new Date(starts[i]).toISOString() : isoDay(starts[i])),
		word: size === HOUR ? 'hour' : size === DAY ? 'day' : 'week',
		bounds: i => ({ from: starts[i], to: end(i) }),
		spread: list => {
			const places = starts.map(() => []);
			for (const row of list) places[at(row.t)]?.push(row);
			return places;
		},
	};
}

// is the difference more than chance makes (95 %)? of two shares, and of two counts
const differs = (a, n, b, m) => {
	const p = (a + b) / (n + m);
	return Math.abs(a / n - b / m) > 1.96 * Math.sqrt(p * (1 - p) * (1 / n + 1 / m));
};
const countsDiffer = (a, b) => Math.abs(a - b) > 1.96 * Math.sqrt(a + b);
// too few for a line: then each point stands for itself
const isSparse = (n, points) => n < 30 || n / points.filter(Boolean).length < 4;
const change = (now, then) => then == null ? null : now - then;
const points = d => `${d >= 0 ? '+' : '−'}${Math.abs(d * 100).toFixed(1)} points`;
const EXECUTIONS = ['action_contracts', 'tier_policies'];
const ERRORS = ['security_events', 'immutable_log', 'trigger_events', 'playbook_runs'];
const APPROVALS = ['approval_requests', 'trigger_events', 'action_contracts'];

// --- Questions --------------------------------------------------------------------------------------------------------

const instant = time => time == null ? null : new Date(time).toISOString();
const day = (view, time) => time == null ? null : isoDay(view.dayAligned(time));
const lastDay = view => isoDay(Math.ceil(view.to / DAY) * DAY);
// without a begin some answers would be those of the last days
const BEGIN = '1970-01-01';
const whole = (view, since) => ({ from: day(view, since) ?? BEGIN, to: lastDay(view) });
const ofDays = (view, since) => ({ ...whole(view, since), component: view.component });

export const sources = {
	freshness: () => ({ path: 'metrics/freshness' }),
	extents: () => ({ path: 'metrics/extents' }),
	severities: () => ({ path: 'severities' }),
	verification: view => view.hourly
		? { path: 'metrics/hourly-verification', parameters: { from: instant(view.before ?? view.from), to: instant(view.to), component: view.component } }
		: { path: 'metrics/daily-verification-by-tier', parameters: ofDays(view, view.before ?? view.from) },
	durations: view => ({ path: 'metrics/duration-percentiles', parameters: ofDays(view, view.from) }),
	allDurations: view => ({ path: 'metrics/window-durations', parameters: ofDays(view, view.from) }),
	confidence: view => ({ path: 'metrics/window-confidence', parameters: ofDays(view, view.from) }),
	heat: view => ({ path: 'metrics/activity-heatmap', parameters: { from: instant(view.from) ?? BEGIN, to: instant(view.to), component: view.component } }),
	// only the types know the component of an error
	errors: view => view.component
		? { path: 'metrics/top-error-types', parameters: ofDays(view, view.before ?? view.from) }
		: { path: 'metrics/error-trends', parameters: whole(view, view.before ?? view.from) },
	errorStates: view => ({ path: 'metrics/errors-by-status', parameters: ofDays(view, view.from) }),
	types: view => ({ path: 'metrics/top-error-types', parameters: ofDays(view, view.before ?? view.from) }),
	approvals: view => ({ path: 'metrics/approvals', parameters: whole(view, view.before ?? view.from) }),
	missions: () => ({ path: 'metrics/mission-performance' }),
	missionTypes: () => ({ path: 'metrics/missions-by-type' }),
	components: () => ({ path: 'components' }),
};

// --- Panels -----------------------------------------------------------------------------------------------------------

export const panels = [
	{
		id: 'success', title: 'Verification success rate by tier', unit: '% of executions verified, band: 95 % interval', size: 'large', streams: EXECUTIONS,
		needs: ['verification'], heeds: ['tier', 'component'], facts: view => ['executions', { component: view.component }],
		render(host, data, view, open) {
			const { runs, runsBefore } = select(data, view);
			if (!runs.length) return null;
			const scale = axis(view, runs, view.hourly ? HOUR : DAY);
			const byTier = group(runs, row => row.tier);
			const tiers = knownTiers().filter(code => byTier.has(code));
			const grid = tiers.map(code => scale.spread(byTier.get(code)).map(cell => {
				const n = sum(cell, row => row.n), ok = sum(cell, row => row.ok), w = wilson(ok, n);
				return n ? { n, ok, p: ok / n, low: w[0], high: w[1] } : null;
			}));
			const totals = tiers.map(code => ({ code, n: sum(byTier.get(code), row => row.n), ok: sum(byTier.get(code), row => row.ok) }));
			charts.strips(host, {
				label: 'Verification success rate by tier over time.',
				rows: totals.map(t => ({ label: tierName(t.code), big: percent(t.ok / t.n), small: `${count(t.ok)} of ${count(t.n)}`, tone: tone(t.code), sparse: isSparse(t.n, grid[tiers.indexOf(t.code)]) })),
				labels: scale.labels, points: grid, scale: { from: 0, to: 1 },
				bands: [{ low: p => p.low, high: p => p.high, opacity: 0.2 }], lines: [{ of: p => p.p }],
				tell: (row, i) => ({
					title: scale.name(i),
					rows: tiers.map((code, index) => [tierName(code), grid[index][i] ? `${percent(grid[index][i].p)} · ${count(grid[index][i].ok)} of ${count(grid[index][i].n)}` : 'none', index === row]),
					note: grid[row][i] && `${tierName(tiers[row])}: 95 % interval ${interval(grid[row][i].ok, grid[row][i].n)}`,
				}),
				pick: (row, i) => open('executions', { ...scale.bounds(i), tier: tiers[row], component: view.component }, `${tierName(tiers[row])}, ${scale.name(i)}`),
			});
			const n = sum(runs, row => row.n), ok = sum(runs, row => row.ok);
			const then = runsBefore && share(sum(runsBefore, row => row.ok), sum(runsBefore, row => row.n));
			const worst = totals.filter(t => t.n >= 30 && t.code !== 'unknown').sort((a, b) => a.ok / a.n - b.ok / b.n)[0];
			return {
				says: `${percent(ok / n)} of ${count(n)} executions were verified${then == null ? '' : `, ${points(change(ok / n, then))} on the period before`}${worst && totals.length > 1 ? `; lowest is ${tierName(worst.code)} with ${percent(worst.ok / worst.n)} of ${count(worst.n)}` : ''}.`,
				table: {
					head: [scale.word, 'tier', 'executions', 'verified', 'rate', '95 % interval'],
					rows: scale.starts.flatMap((_, i) => tiers.map((code, row) => [grid[row][i], code]).filter(([p]) => p).map(([p, code]) => [scale.cell(i), tierName(code), cells.count(p.n), cells.count(p.ok), cells.part(p.ok, p.n), cells.interval(p.ok, p.n)])),
				},
			};
		},
	},
	{
		id: 'executions', title: 'Executions and rollbacks', unit: 'executions, below: % rolled back', size: 'small', streams: EXECUTIONS,
		needs: ['verification'], heeds: ['tier', 'component'], facts: view => ['executions', { component: view.component }],
		render(host, data, view, open) {
			const { runs, runsBefore } = select(data, view);
			if (!runs.length) return null;
			const scale = axis(view, runs, view.hourly ? HOUR : DAY);
			const rows = scale.spread(runs).map(cell => {
				const n = sum(cell, row => row.n), ok = sum(cell, row => row.ok), back = sum(cell, row => row.back);
				return n ? { n, ok, back, other: n - ok - back, w: wilson(back, n) } : null;
			});
			const series = [
				{ label: 'verified', fill: 'f-good', of: row => row.ok },
				{ label: 'open or failed', fill: 'f-other', hatch: 'dots', of: row => row.other },
				{ label: 'rolled back', fill: 'f-bad', hatch: 'rise', of: row => row.back },
			];
			const top = Math.max(0.1, ...rows.map(row => row && row.n >= 5 ? row.w[1] : 0));
			const edge = top > 0.5 ? 1 : top > 0.25 ? 0.5 : top > 0.1 ? 0.25 : 0.1;
			charts.stack(host, {
				label: 'Executions over time by outcome, with the share that was rolled back.', labels: scale.labels, rows, series,
				under: { label: 'rolled back', of: row => Math.min(edge, row.back / row.n), low: row => Math.min(edge, row.w[0]), high: row => Math.min(edge, row.w[1]), from: 0, to: edge, ticks: [0, edge], format: v => percent(v, 0) },
				tell: i => rows[i] ? { title: scale.name(i), rows: [['executions', count(rows[i].n)], ...series.map(s => [s.label, `${count(s.of(rows[i]))} · ${percent(s.of(rows[i]) / rows[i].n)}`])], note: `rolled back: 95 % interval ${interval(rows[i].back, rows[i].n)}` } : { title: scale.name(i), note: 'No executions.' },
				pick: i => open('executions', { ...scale.bounds(i), tier: view.tier, component: view.component }, scale.name(i)),
			});
			const n = sum(runs, row => row.n), back = sum(runs, row => row.back), before = runsBefore && sum(runsBefore, row => row.n);
			return {
				says: `${plural(n, 'execution')}${before ? `, ${ratio(n, before)} ${n > 3 * before ? 'the period before' : 'on the period before'}` : ''}; ${count(back)} were rolled back, ${percent(back / n)} (${interval(back, n)}).`,
				legend: charts.legend(series),
				table: { head: [scale.word, 'executions', 'verified', 'other', 'rolled back', '% rolled back'], rows: rows.map((row, i) => row && [scale.cell(i), cells.count(row.n), cells.count(row.ok), cells.count(row.other), cells.count(row.back), cells.part(row.back, row.n)]).filter(Boolean) },
			};
		},
	},
	{
		id: 'durations', title: 'Duration by tier', unit: 'p50, p95, p99 by day, log axis; in figures: p50 of the whole range', size: 'large', streams: EXECUTIONS,
		needs: ['durations', 'allDurations'], heeds: ['tier', 'component'], days: true, facts: view => ['executions', { component: view.component }],
		render(host, data, view, open) {
			const all = ofTier(data.durations.rows.map(row => ({ ...row, t: dayOf(row), tier: tierCode(row.tier_name) })), view).filter(row => row.executions > 0 && row.p50_seconds != null);
			if (!all.length) return null;
			const first = view.from == null || view.asked ? settled(all.map(row => ({ t: row.t, n: row.executions })), view.to) : floorDay(view.from);
			const n = Math.max(1, Math.ceil((view.to - first) / DAY)), name = i => dayName(first + i * DAY, true), long = n > 200;
			const tiers = knownTiers().filter(code => all.some(row => row.tier === code));
			const grid = tiers.map(() => Array(n).fill(null));
			for (const row of all) if (row.t >= first) grid[tiers.indexOf(row.tier)][Math.round((row.t - first) / DAY)] = row;
			const low = Math.max(0.001, Math.min(...all.map(row => row.p50_seconds))), high = Math.max(...all.map(row => row.p99_seconds));
			const overall = new Map(data.allDurations.rows.map(row => [tierCode(row.tier_name), row]));
			const measured = code => overall.get(code)?.executions ?? 0, middle = code => overall.get(code)?.p50_seconds;
			charts.strips(host, {
				label: 'Percentiles of the duration by tier and day, on a logarithmic axis.',
				rows: tiers.map(code => ({ label: tierName(code), big: duration(middle(code)), small: `n ${count(measured(code))}`, tone: tone(code), sparse: isSparse(measured(code), grid[tiers.indexOf(code)]) })),
				labels: Array.from({ length: n }, (_, i) => long ? `${dayName(first + i * DAY).split(' ')[1]} ’${String(new Date(first + i * DAY).getUTCFullYear()).slice(2)}` : dayName(first + i * DAY)),
				points: grid, scale: { log: true, from: low / 1.3, to: Math.max(high * 1.3, low * 12) },
				bands: [{ low: p => p.p50_seconds, high: p => p.p95_seconds, opacity: 0.2 }, { low: p => p.p95_seconds, high: p => p.p99_seconds, opacity: 0.09 }],
				lines: [{ of: p => p.p50_seconds }, { of: p => p.p95_seconds, dash: 'dash' }, { of: p => p.p99_seconds, dash: 'dotted' }],
				tell: (row, i) => ({
					title: `${tierName(tiers[row])}, ${name(i)}`,
					rows: grid[row][i] ? [['p99', duration(grid[row][i].p99_seconds)], ['p95', duration(grid[row][i].p95_seconds)], ['p50', duration(grid[row][i].p50_seconds)], ['executions with a duration', count(grid[row][i].executions)]] : [],
					note: grid[row][i] ? null : 'Nothing was finished.',
				}),
				pick: (row, i) => open('executions', { from: first + i * DAY, to: first + (i + 1) * DAY, tier: tiers[row], component: view.component }, `${tierName(tiers[row])}, ${name(i)}`),
			});
			const worst = all.reduce((a, b) => b.p95_seconds > a.p95_seconds ? b : a);
			const typical = tiers.map(code => `${tierName(code)} ${duration(middle(code))}`);
			return {
				says: `Half of the executions took at most: ${typical.join(', ')}. The longest p95 of a day was ${duration(worst.p95_seconds)}, ${tierName(worst.tier)} on ${dayName(worst.t)} (n ${count(worst.executions)}).`,
				legend: charts.legend([{ label: 'p50', line: 'line ink' }, { label: 'p95', line: 'line ink dash' }, { label: 'p99', line: 'line ink dotted' }]),
				table: { head: ['day', 'tier', 'executions', 'p50', 'p95', 'p99'], rows: [...all].sort((a, b) => a.t - b.t).map(row => [cells.time(dayName(row.t, true), isoDay(row.t)), tierName(row.tier), cells.count(row.executions), cells.seconds(row.p50_seconds), cells.seconds(row.p95_seconds), cells.seconds(row.p99_seconds)]) },
			};
		},
	},
	{
		id: 'heat', title: 'When it works', unit: 'executions by weekday and hour, UTC', size: 'small', streams: EXECUTIONS,
		needs: ['heat'], heeds: ['tier', 'component'],
		render(host, data, view, open) {
			const rows = data.heat.rows.filter(row => !view.tier || row.tier_code === view.tier);
			const places = WEEKDAYS.map(() => Array.from({ length: 24 }, () => ({ n: 0, ok: 0 })));
			for (const row of rows) {
				const cell = places[row.iso_weekday - 1]?.[row.hour];
				if (cell) {
					cell.n += row.executions;
					cell.ok += row.successful;
				}
			}
			const n = sum(places.flat(), cell => cell.n);
			if (!n) return null;
			const name = (d, hour) => `${WEEKDAYS[d]} ${hour}:00–${hour + 1}:00`;
			charts.heat(host, {
				label: 'Executions by weekday and hour.', cells: places, weekdays: WEEKDAYS,
				tell: (d, hour) => ({ title: name(d, hour), rows: [['executions', count(places[d][hour].n)], ['verified', places[d][hour].n ? `${count(places[d][hour].ok)} · ${percent(places[d][hour].ok / places[d][hour].n)}` : '–']], note: places[d][hour].n ? `95 % interval ${interval(places[d][hour].ok, places[d][hour].n)}` : null }),
				pick: (d, hour) => open('executions', { from: view.from, to: view.to, tier: view.tier, component: view.component, weekday: d + 1, hour }, `${name(d, hour)} UTC`),
			});
			let best = [0, 0];
			places.forEach((line, d) => line.forEach((cell, hour) => { if (cell.n > places[best[0]][best[1]].n) best = [d, hour]; }));
			const work = sum(places.slice(0, 5).flatMap(line => line.slice(9, 17)), cell => cell.n);
			return {
				says: `Busiest is ${name(...best)} with ${count(places[best[0]][best[1]].n)} of ${count(n)} executions; ${percent(work / n, 0)} fall on Monday to Friday, 9 to 17 h.`,
				table: { head: ['weekday', 'hour', 'executions', 'verified', 'rate'], rows: places.flatMap((line, d) => line.map((cell, hour) => cell.n ? [WEEKDAYS[d], `${hour}:00`, cells.count(cell.n), cells.count(cell.ok), cells.part(cell.ok, cell.n)] : null)).filter(Boolean) },
			};
		},
	},
	{
		id: 'confidence', title: 'Confidence, and whether it was right', unit: 'executions by confidence, square-root axis', size: 'small', streams: EXECUTIONS,
		needs: ['confidence'], heeds: ['tier', 'component'], days: true,
		render(host, data, view, open) {
			const all = ofTier(data.confidence.rows.map(row => ({ ...row, tier: tierCode(row.tier_name) })), view);
			const rows = Array.from({ length: 20 }, (_, bucket) => {
				const here = all.filter(row => row.bucket === bucket), n = sum(here, row => row.executions), ok = sum(here, row => row.successful_executions);
				return n ? { n, ok, w: wilson(ok, n) } : null;
			});
			const n = sum(rows, row => row?.n), ok = sum(rows, row => row?.ok);
			if (!n) return null;
			const name = b => `${(b / 20).toFixed(2)}–${((b + 1) / 20).toFixed(2)}`;
			const series = [{ label: 'verified', fill: 'f-good', of: row => row.ok }, { label: 'not verified', fill: 'f-other', hatch: 'dots', of: row => row.n - row.ok }];
			charts.stack(host, {
				label: 'Executions by confidence, and the share of them that was verified.', labels: rows.map((_, b) => (b / 20).toFixed(2)), rows, series, root: true, room: 34,
				under: { label: 'really verified, 95 % interval; dashed: as promised', height: 84, points: true, of: row => row.ok / row.n, low: row => row.w[0], high: row => row.w[1], from: 0, to: 1, ticks: [0, 0.5, 1], format: v => percent(v, 0), reference: b => (b + 0.5) / 20 },
				tell: b => rows[b] ? { title: `confidence ${name(b)}`, rows: [['executions', count(rows[b].n)], ['verified', `${count(rows[b].ok)} · ${percent(rows[b].ok / rows[b].n)}`], ['95 % interval', interval(rows[b].ok, rows[b].n)]] } : { title: `confidence ${name(b)}`, note: 'No executions.' },
				pick: b => open('executions', { ...view.wholeDays(), tier: view.tier, component: view.component, confidence_from: (b / 20).toFixed(2), confidence_to: ((b + 1) / 20).toFixed(2) }, `confidence ${name(b)}`),
			});
			const sure = rows.slice(16).filter(Boolean), unsure = rows.slice(0, 16).filter(Boolean);
			const rate = list => `${percent(share(sum(list, row => row.ok), sum(list, row => row.n)), 0)} of ${count(sum(list, row => row.n))}`;
			const off = sum(rows.map((row, b) => row ? Math.abs(row.ok / row.n - (b + 0.5) / 20) * row.n : 0), v => v) / n;
			return {
				says: `${sure.length ? `From 0.80 up, ${rate(sure)} were verified` : 'No confidence is 0.80 or more'}${unsure.length ? `; below, ${rate(unsure)}` : ''}. Confidence is off by ${(off * 100).toFixed(0)} points on average (n ${count(n)}).`,
				legend: charts.legend(series),
				table: { head: ['confidence', 'executions', 'verified', 'rate', '95 % interval'], rows: rows.map((row, b) => row && [name(b), cells.count(row.n), cells.count(row.ok), cells.part(row.ok, row.n), cells.interval(row.ok, row.n)]).filter(Boolean) },
			};
		},
	},
	{
		id: 'errors', title: 'Errors by severity', unit: 'errors a day, below: % auto-resolved', size: 'large', streams: ERRORS,
		needs: ['errors', 'errorStates'], heeds: ['component'], days: true, facts: view => ['errors', { component: view.component }],
		render(host, data, view, open) {
			const { errors, errorsBefore } = select(data, view);
			if (!errors.length) return null;
			const scale = axis(view, errors, DAY);
			const severities = [...new Set(errors.map(row => row.severity))].sort((a, b) => severityRank(a) - severityRank(b));
			const rows = scale.spread(errors).map(cell => {
				const n = sum(cell, row => row.n), auto = sum(cell, row => row.auto);
				return n ? { n, auto, w: wilson(auto, n), by: Object.fromEntries(severities.map(s => [s, sum(cell.filter(row => row.severity === s), row => row.n)])) } : null;
			});
			const series = severities.map(s => ({ label: s, fill: (SEVERITY_LOOK[s] || ['s-unknown'])[0], hatch: (SEVERITY_LOOK[s] || [0, 'fall'])[1], of: row => row.by[s] }));
			charts.stack(host, {
				label: 'Errors over time by severity, with the share that was resolved without a person.', labels: scale.labels, rows, series,
				under: { label: 'auto-resolved', of: row => row.auto / row.n, low: row => row.w[0], high: row => row.w[1], from: 0, to: 1, ticks: [0, 0.5, 1], format: v => percent(v, 0) },
				tell: i => rows[i] ? { title: scale.name(i), rows: [['errors', count(rows[i].n)], ...[...series].reverse().filter(s => s.of(rows[i])).map(s => [s.label, count(s.of(rows[i]))]), ['auto-resolved', `${count(rows[i].auto)} · ${percent(rows[i].auto / rows[i].n)}`]] } : { title: scale.name(i), note: 'No errors.' },
				pick: i => open('errors', { ...scale.bounds(i), component: view.component }, scale.name(i)),
			});
			const n = sum(errors, row => row.n), auto = sum(errors, row => row.auto), before = errorsBefore && sum(errorsBefore, row => row.n);
			const ends = [...group(inRange(data.errorStates.rows.map(row => ({ ...row, t: dayOf(row) })), view), row => row.status)].filter(([status]) => !['resolved', 'unknown'].includes(status))
				.map(([status, rows]) => [status, sum(rows, row => row.errors)]).sort((a, b) => b[1] - a[1]).map(([status, n]) => `${count(n)} ${status.replaceAll('_', ' ')}`);
			const grave = sum(errors.filter(row => severityRank(row.severity) >= GRAVE), row => row.n);
			return {
				says: `${plural(n, 'error')}${before ? `, ${ratio(n, before)} ${n > 3 * before ? 'the period before' : 'on the period before'}` : ''}; ${count(grave)} were critical or worse, ${percent(auto / n)} (${count(auto)}) resolved without a person, false positives included.${ends.length ? ` In all ${ends.join(', ')}.` : ''}`,
				legend: charts.legend(series),
				table: { head: [scale.word, 'errors', ...severities, 'auto-resolved', '%'], rows: rows.map((row, i) => row && [scale.cell(i), cells.count(row.n), ...severities.map(s => cells.count(row.by[s])), cells.count(row.auto), cells.part(row.auto, row.n)]).filter(Boolean) },
			};
		},
	},
	{
		id: 'approvals', title: 'Approvals and the time to decide', unit: 'approvals by day asked, below: mean time, log axis', size: 'large', streams: APPROVALS,
		needs: ['approvals'], heeds: [], days: true, facts: () => ['approvals', {}],
		render(host, data, view, open) {
			const { approvals } = select(data, view);
			if (!approvals.length) return null;
			const scale = axis(view, approvals, DAY);
			const rows = scale.spread(approvals).map(cell => cell.length ? { n: sum(cell, row => row.n), yes: sum(cell, row => row.yes), no: sum(cell, row => row.no), open: sum(cell, row => row.open), seconds: meanDecision(cell) } : null);
			const series = [
				{ label: 'approved', fill: 'f-good', of: row => row.yes },
				{ label: 'rejected', fill: 'f-bad', hatch: 'rise', of: row => row.no },
				{ label: 'pending', fill: 'f-other', hatch: 'dots', of: row => row.open },
			];
			const times = rows.filter(row => row?.seconds > 0).map(row => row.seconds);
			charts.stack(host, {
				label: 'Approvals by decision, with the mean time to decide.', labels: scale.labels, rows, series,
				under: times.length ? { label: 'mean time to decide', of: row => row.seconds > 0 ? row.seconds : null, log: true, from: Math.min(...times) / 1.5, to: Math.max(Math.max(...times) * 1.5, Math.min(...times) * 15), format: duration } : null,
				tell: i => rows[i] ? { title: scale.name(i), rows: [['asked for', count(rows[i].n)], ...series.map(s => [s.label, count(s.of(rows[i]))]), ['mean time to decide', duration(rows[i].seconds)]] } : { title: scale.name(i), note: 'None was asked for.' },
				pick: i => open('approvals', scale.bounds(i), scale.name(i)),
			});
			const n = sum(approvals, row => row.n), yes = sum(approvals, row => row.yes), no = sum(approvals, row => row.no), pending = sum(approvals, row => row.open);
			return {
				says: `Of ${plural(n, 'approval')}, ${count(yes)} were granted, ${count(no)} refused (${percent(share(yes, yes + no), 0)} of the decided granted); ${count(pending)} wait. A decision took ${duration(meanDecision(approvals))} on average.`,
				legend: charts.legend(series),
				table: { head: [scale.word, 'asked', 'approved', 'rejected', 'pending', 'mean time'], rows: rows.map((row, i) => row && [scale.cell(i), cells.count(row.n), cells.count(row.yes), cells.count(row.no), cells.count(row.open), cells.seconds(row.seconds)]).filter(Boolean) },
			};
		},
	},
	{
		id: 'types', title: 'Top error types', unit: 'errors, the solid part auto-resolved', size: 'small', streams: ERRORS,
		needs: ['types'], heeds: ['component'], days: true, facts: view => ['errors', { component: view.component }],
		render(host, data, view, open) {
			const all = readErrors(data.types.rows), now = inRange(all, view), earlier = beforeRange(all, view), then = lacksBefore(now, earlier, view, DAY) ? null : earlier;
			if (!now.length) return null;
			const before = then?.length ? group(then, row => row.type) : null;
			const list = [...group(now, row => row.type)].map(([type, rows]) => {
				const n = sum(rows, row => row.n), was = before && sum(before.get(type) || [], row => row.n);
				const worst = rows.reduce((a, b) => severityRank(b.severity) > severityRank(a.severity) ? b : a).severity;
				return { label: type || 'unknown', type, n, part: sum(rows, row => row.auto), was, worst, note: was == null ? '' : was === 0 ? 'new' : n === was ? 'as before' : `${n > was ? '▲' : '▼'} ${ratio(n, was).replace(/^[+−]/, '')}` };
			}).sort((a, b) => b.n - a.n || a.label.localeCompare(b.label));
			const shown = list.slice(0, 12), n = sum(list, row => row.n);
			const looks = [{ label: 'errors', fill: 'f-pale' }, { label: 'auto-resolved', fill: 'f-deep' }];
			charts.bars(host, {
				label: 'The most frequent error types.', rows: shown, whole: looks[0], part: looks[1],
				tell: i => ({ title: shown[i].label, rows: [['errors', `${count(shown[i].n)} · ${percent(shown[i].n / n)} of all`], ['auto-resolved', `${count(shown[i].part)} · ${percent(shown[i].part / shown[i].n)}`], ['worst severity', shown[i].worst], ...(shown[i].was == null ? [] : [['period before', count(shown[i].was)]])] }),
				pick: i => open('errors', { ...view.wholeDays(), type: shown[i].type, component: view.component }, shown[i].label),
			});
			return {
				says: `${list[0].label} makes ${percent(list[0].n / n, 0)} of ${plural(n, 'error')}, ${percent(list[0].part / list[0].n, 0)} of it auto-resolved; ${plural(list.length, 'type')} in all.`,
				legend: charts.legend(looks),
				table: { head: ['type', 'errors', 'auto-resolved', '%', 'worst severity', 'period before'], rows: list.map(row => [row.label, cells.count(row.n), cells.count(row.part), cells.part(row.part, row.n), row.worst, row.was == null ? cells.none : cells.count(row.was)]) },
			};
		},
	},
	{
		id: 'missions', title: 'Missions by type and tier', unit: '% of missions that succeeded', size: 'large', streams: ['mission_timelines', 'action_contracts', 'immutable_log'],
		needs: ['missions', 'missionTypes'], heeds: ['tier'], always: true,
		render(host, data, view, open) {
			const all = ofTier(data.missions.rows.map(row => ({ ...row, tier: tierCode(row.tier_name) })), view);
			if (!all.length) return null;
			const tiers = knownTiers().filter(code => all.some(row => row.tier === code));
			const types = [...group(all, row => row.mission_type)].sort((a, b) => (a[0] === 'unknown') - (b[0] === 'unknown') || sum(b[1], row => row.total_missions) - sum(a[1], row => row.total_missions));
			const places = types.map(([, rows]) => tiers.map(code => {
				const row = rows.find(r => r.tier === code);
				return row ? { n: row.total_missions, part: row.successful_missions, row } : null;
			}));
			charts.matrix(host, {
				label: 'Missions that succeeded, by type and tier.', rows: types.map(([type]) => type), columns: tiers.map(tierName), cells: places, tones: tiers.map(tone),
				tell: (r, c) => places[r][c] ? { title: `${types[r][0].replaceAll('_', ' ')}, ${tierName(tiers[c])}`, rows: [['missions', count(places[r][c].n)], ['succeeded', `${count(places[r][c].part)} · ${percent(places[r][c].part / places[r][c].n)}`], ['95 % interval', interval(places[r][c].part, places[r][c].n)], ['executions', count(places[r][c].row.executions)], ['mean confidence', places[r][c].row.avg_confidence?.toFixed(3) ?? '–']] } : { title: `${types[r][0]}, ${tierName(tiers[c])}`, note: 'No missions.' },
				pick: (r, c) => places[r][c] && open('executions', { tier: tiers[c], mission_type: types[r][0] }, `missions, ${types[r][0].replaceAll('_', ' ')}, ${tierName(tiers[c])}`),
			});
			// each mission once, and those that still run judged by nobody
			const rated = data.missionTypes.rows.map(row => ({ type: row.mission_type, n: row.missions - row.running, ok: row.successful })).filter(t => t.n >= 10 && t.type !== 'unknown').sort((a, b) => b.ok / b.n - a.ok / a.n);
			const describe = t => `${t.type.replaceAll('_', ' ')} (${percent(t.ok / t.n, 0)} of ${count(t.n)} that ended)`, running = sum(data.missionTypes.rows, row => row.running);
			return {
				says: `${rated.length > 1 ? `Of all missions, each once, best does ${describe(rated[0])}, worst ${describe(rated[rated.length - 1])}. ` : ''}${running ? `${count(running)} still run. ` : ''}In the picture a mission with executions of two tiers counts in both.`,
				table: { head: ['type', 'tier', 'missions', 'succeeded', '%', 'executions', 'mean confidence'], rows: types.flatMap(([type, rows]) => rows.map(row => [type, row.tier_name, cells.count(row.total_missions), cells.count(row.successful_missions), cells.part(row.successful_missions, row.total_missions), cells.count(row.executions), cells.score(row.avg_confidence)])) },
			};
		},
	},
	{
		id: 'streams', title: 'Freshness by stream', unit: 'newest record, and its way into the cube', size: 'small', streams: null,
		needs: ['freshness'], heeds: [], always: true,
		render(host, data, view, open, clockNow) {
			const rows = data.freshness.rows.filter(row => row.records_read > 0).sort((a, b) => String(b.data_through).localeCompare(String(a.data_through)) || a.stream.localeCompare(b.stream));
			if (!rows.length) return null;
			const silent = data.freshness.rows.filter(row => !(row.records_read > 0)).map(row => row.stream);
			host.replaceChildren(h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Freshness by stream, a table' }, h('table', { class: 'streams' },
				h('thead', {}, h('tr', {}, ['stream', 'age', 'newest', 'records', 'dead'].map((name, i) => h('th', { scope: 'col', class: i ? 'number' : null }, name)))),
				h('tbody', {}, rows.map(row => {
					const age = (clockNow - Date.parse(row.data_through)) / 1000, usual = isRegular(row) ? row.usual_gap_seconds : null;
					return h('tr', {}, h('th', { scope: 'row' }, row.stream.replaceAll('_', ' ')), h('td', { class: `number age ${usual == null ? '' : freshnessOf(age, usual)}`, 'data-since': Date.parse(row.data_through), 'data-usual': usual,
						title: usual == null ? 'It brings nothing regularly: its age says little.' : `Usually it brings something every ${duration(usual)}.` }, duration(Math.max(0, age))),
						h('td', { class: 'number' }, `${dayName(row.data_through)} ${clock(row.data_through, true)}`), h('td', { class: 'number' }, count(row.records_read)), h('td', { class: row.dead_letters ? 'number bad' : 'number' }, count(row.dead_letters)));
				})))));
			const dead = sum(rows, row => row.dead_letters), read = sum(rows, row => row.records_read);
			return {
				says: `${plural(read, 'record')} of ${plural(rows.length, 'stream')} are in the cube; ${dead ? `${plural(dead, 'dead letter')}: “gracecube dead list” says why` : 'no dead letters'}.${silent.length ? ` Nothing yet of ${silent.join(', ').replaceAll('_', ' ')}.` : ''}`,
				table: { head: ['stream', 'newest', 'usual gap', 'records', 'dead'], rows: rows.map(row => [row.stream, cells.time(moment(row.data_through), row.data_through), cells.seconds(row.usual_gap_seconds), cells.count(row.records_read), cells.count(row.dead_letters)]) },
			};
		},
	},
];

// --- How fresh is fresh -----------------------------------------------------------------------------------------------

export const GOAL = { age: 60, stale: 900, delay: 1 };
// A stream that brings little is late when it has been silent for some times as long as it usually is: of random arrivals one gap in twenty is
// three times as long as the mean, and one in 22,000 ten times.
export const freshnessOf = (age, usual = 0) => age <= Math.max(GOAL.age, 3 * usual) ? 'good' : age <= Math.max(GOAL.stale, 10 * usual) ? 'fair' : 'poor';
// A stream that brings something every day, on average; that others bring nothing says nothing.
const isRegular = row => row.usual_gap_seconds != null && row.usual_gap_seconds <= 86400;
const STATES = ['good', 'fair', 'poor'];
// The tile is as fresh as the worst of the regular streams; where there is none, as the newest record.
function freshness(rows, clockNow) {
	const newest = rows.reduce((a, b) => Date.parse(b.data_through) > Date.parse(a.data_through) ? b : a), regular = rows.filter(isRegular);
	const judged = (regular.length ? regular : [newest]).map(row => {
		const through = Date.parse(row.data_through), age = Math.max(0, (clockNow - through) / 1000), usual = regular.length ? row.usual_gap_seconds : 0;
		return { row, through, age, usual, state: freshnessOf(age, usual) };
	});
	const worst = judged.reduce((a, b) => (STATES.indexOf(b.state) - STATES.indexOf(a.state) || b.age - a.age) > 0 ? b : a);
	return { ...worst, fresh: judged.filter(one => one.state === 'good').length, of: judged.length };
}

// The numbers at the top. Each says what it is of, and how it was in the period before.
export function numbers(data, view, clockNow) {
	const { runs, runsBefore, errors, errorsBefore, approvals, approvalsBefore, lacks } = select(data, view);
	const list = [];
	if (data.freshness) {
		const rows = data.freshness.rows.filter(row => row.data_through);
		if (rows.length) {
			const newest = rows.reduce((a, b) => Date.parse(b.data_through) > Date.parse(a.data_through) ? b : a);
			const worst = freshness(rows, clockNow);
			const delay = Math.max(0, (Date.parse(newest.last_commit_at) - Date.parse(newest.data_through)) / 1000);
			list.push({
				id: 'freshness', label: 'Oldest of the busy streams', value: duration(worst.age), unit: 'old', state: worst.state, since: worst.through, usual: worst.usual, quiet: true,
				word: { good: 'fresh', fair: 'ageing', poor: 'stale' }[worst.state], goal: `goal: under ${duration(Math.max(GOAL.age, 3 * worst.usual))}`,
				detail: `${worst.row.stream.replaceAll('_', ' ')}; ${count(worst.fresh)} of ${plural(worst.of, 'stream')} fresh`,
				advice: worst.state === 'poor' ? 'Nothing of it is published, or nothing is read: “gracecube status” tells which.' : null,
			}, {
				id: 'lag', label: 'Lag, published to visible', value: duration(delay), state: delay <= GOAL.delay ? 'good' : delay <= 30 ? 'fair' : 'poor',
				word: delay <= GOAL.delay ? 'in time' : delay <= 30 ? 'slow' : 'behind', goal: `goal: under ${duration(GOAL.delay)}`,
				detail: `newest record, ${newest.stream.replaceAll('_', ' ')}`,
				advice: delay > 3600 ? 'The newest record was this old when it was committed: a backlog, or a replay.' : null,
			});
		} else list.push({ id: 'freshness', label: 'Newest record', value: 'none', state: 'poor', word: 'empty', detail: 'The cube has read nothing yet.', advice: 'Start “gracecube run”, or try “gracecube sandbox”.' });
	}
	const trend = (rows, size, of) => rows.length ? axis(view, rows, size).spread(rows).map(cell => cell.length ? of(cell) : null) : [];
	if (runs) {
		const n = sum(runs, row => row.n), ok = sum(runs, row => row.ok), back = sum(runs, row => row.back);
		const before = runsBefore && { n: sum(runsBefore, row => row.n), ok: sum(runsBefore, row => row.ok), back: sum(runsBefore, row => row.back) };
		const size = view.hourly ? HOUR : DAY;
		list.push(
			{ id: 'success-rate', lacks: lacks.runs, label: 'Verification success', value: percent(share(ok, n)), detail: n ? `${count(ok)} of ${count(n)} · ${interval(ok, n)}` : 'no executions', change: before?.n && n ? ok / n - before.ok / before.n : null, sure: before?.n && n && differs(ok, n, before.ok, before.n), as: 'points', better: 1, was: before?.n ? percent(before.ok / before.n) : null, spark: trend(runs, size, cell => share(sum(cell, row => row.ok), sum(cell, row => row.n))) },
			{ id: 'execution-count', lacks: lacks.runs, label: 'Executions', value: count(n), detail: `${view.tier ? tierName(view.tier) : limitText() ?? 'all tiers'}${view.component ? `, ${view.component}` : ''}`, change: before?.n ? n / before.n - 1 : null, as: before && ratio(n, before.n), better: 0, was: before ? count(before.n) : null, spark: trend(runs, size, cell => sum(cell, row => row.n)) },
			{ id: 'rollback-rate', lacks: lacks.runs, label: 'Rolled back', value: percent(share(back, n)), detail: n ? `${count(back)} of ${count(n)} · ${interval(back, n)}` : 'no executions', change: before?.n && n ? back / n - before.back / before.n : null, sure: before?.n && n && differs(back, n, before.back, before.n), as: 'points', better: -1, was: before?.n ? percent(before.back / before.n) : null, spark: trend(runs, size, cell => share(sum(cell, row => row.back), sum(cell, row => row.n))) });
	}
	if (errors) {
		const n = sum(errors, row => row.n), auto = sum(errors, row => row.auto), before = errorsBefore && sum(errorsBefore, row => row.n);
		list.push({ id: 'error-count', lacks: lacks.errors, label: 'Errors', value: count(n), detail: n ? `${percent(auto / n)} auto-resolved, ${count(auto)} of ${count(n)}` : 'none', change: before ? n / before - 1 : null, as: before && ratio(n, before), sure: before && countsDiffer(n, before), better: -1, was: before == null ? null : count(before), spark: trend(errors, DAY, cell => sum(cell, row => row.n)) });
	}
	if (approvals) {
		const n = sum(approvals, row => row.n), open = sum(approvals, row => row.open), timed = sum(approvals, row => row.timed), seconds = meanDecision(approvals);
		const before = approvalsBefore && sum(approvalsBefore, row => row.n);
		list.push({ id: 'approval-count', lacks: lacks.approvals, label: 'Approvals', value: count(n), detail: [n ? `${count(open)} pending · mean ${duration(seconds)}, n ${count(timed)}` : 'none', view.component && 'all components', limitText()].filter(Boolean).join(' · '), change: before ? n / before - 1 : null, as: before && ratio(n, before), better: 0, was: before == null ? null : count(before), spark: trend(approvals, DAY, cell => sum(cell, row => row.n)) });
	}
	return list;
}

export { moment };
