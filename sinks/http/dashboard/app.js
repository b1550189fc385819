// The page: what it shows is in its address; what changes is read again, at most once a second.

import { h, DAY, HOUR, count, plural, duration, isoDay, dayName, clock, moment, floorDay, wordsOf, csvOf, plainly } from './format.js';
import * as api from './api.js';
import { panels, sources, numbers, learnTiers, learnSeverities, limitTiers, limitText, knownTiers, tierName, freshnessOf, extentOf } from './panels.js';
import { spark, hideTip, moveTip } from './charts.js';
import { showFacts, showTimeline, connect, readList, writeList } from './drawer.js';

const $ = id => document.getElementById(id);
const RANGES = { '24h': DAY, '7d': 7 * DAY, '30d': 30 * DAY, '90d': 90 * DAY };
const WORDS = { '24h': '24 hours', '7d': '7 days', '30d': '30 days', '90d': '90 days' };
const filters = $('filters');

// --- What is shown: the address and the controls ----------------------------------------------------------------------

const isDay = text => /^\d{4}-\d\d-\d\d$/.test(text || '') && !isNaN(Date.parse(text));
let misread = []; // what of the address was not understood: it is said, and the address put right
function readAddress() {
	const query = new URLSearchParams(location.search);
	const read = { range: query.get('range') || '30d', tier: query.get('tier') || '', component: query.get('component') || '', from: query.get('from'), to: query.get('to'),
		contract: query.get('contract'), list: readList(query.get('list')) };
	misread = [];
	const wrong = (words, right) => {
		misread.push(words);
		Object.assign(read, right);
	};
	if (!RANGES[read.range] && !['all', 'custom'].includes(read.range)) wrong(`there is no range “${read.range}”`, { range: '30d' });
	if (read.range === 'custom' && !(isDay(read.from) && isDay(read.to))) wrong('its days are not like 2026-11-05', { range: '30d' });
	if (read.range === 'custom' && read.from > read.to) wrong('its first day was later than its last, and they changed places', { from: read.to, to: read.from });
	if (read.tier && !/^(tier_[1-9]\d?|unknown)$/.test(read.tier)) wrong(`there is no tier “${read.tier}”`, { tier: '' });
	if (misread.length) writeAddress(read, true, history.state);
	return read;
}
function writeAddress(chosen, replace, state = null) {
	const query = new URLSearchParams({ range: chosen.range });
	if (chosen.range === 'custom') {
		query.set('from', chosen.from);
		query.set('to', chosen.to);
	}
	for (const name of ['tier', 'component', 'contract']) if (chosen[name]) query.set(name, chosen[name]);
	if (chosen.list) query.set('list', writeList(chosen.list));
	const url = `?${query}`;
	if (url !== location.search) history[replace ? 'replaceState' : 'pushState'](state, '', url);
}
function showMisread() {
	const words = [...misread];
	if (chosen.component && components.size && !components.has(chosen.component)) words.push(`no record names the component “${chosen.component}”`);
	if (chosen.tier && !knownTiers().includes(chosen.tier)) words.push(limitText() ? `${tierName(chosen.tier)} is not for you: you see ${limitText()}` : `no record is of ${chosen.tier}`);
	$('misread').textContent = words.length ? plainly(`Of this link: ${words.join('; ')}.`) : '';
	$('misread').hidden = !words.length;
}

let offset = 0; // the server's clock − this one
const now = () => Date.now() + offset;
let chosen = readAddress(), me = null; // me: what the token may do
const answers = new Map(); // source → {rows, asOf} of this view
let view = makeView();

// The range in times. Ranges of days are whole UTC days with today as the last; the period before is as long.
function makeView() {
	const { range } = chosen, tomorrow = floorDay(now()) + DAY;
	let from = null, to = tomorrow;
	if (range === '24h') {
		to = Math.ceil(now() / HOUR) * HOUR;
		from = to - DAY;
	} else if (range === 'custom') {
		from = Date.parse(chosen.from);
		to = Date.parse(chosen.to) + DAY;
	} else if (range !== 'all') from = to - RANGES[range];
	// beyond the data there is nothing to be shown
	const extent = extentOf(answers.get('extents'));
	let asked = null;
	if (range === 'custom' && extent && from < extent.to && extent.from < to && (from < extent.from || to > extent.to)) {
		asked = { from, to };
		from = Math.max(from, extent.from);
		to = Math.min(to, extent.to);
	}
	const dayAligned = time => time == null ? null : floorDay(time);
	return {
		range, from, to, asked, tier: chosen.tier, component: chosen.component,
		before: from == null ? null : from - (to - from),
		hourly: from != null && to - from <= 3 * DAY,
		dayAligned, wholeDays: () => ({ from: dayAligned(from), to: Math.ceil(to / DAY) * DAY }),
	};
}

function rangeText(view) {
	if (view.from == null) return 'all time';
	return view.range === '24h' ? `${dayName(view.from)} ${clock(view.from)} to ${dayName(view.to)} ${clock(view.to)} UTC` : `${dayName(view.from, true)} to ${dayName(view.to - 1, true)}, UTC`;
}
const beforeText = view => WORDS[view.range] ? `the ${WORDS[view.range]} before` : `the ${count((view.to - view.from) / DAY)} days before`;

function options(select, entries, value) {
	const list = [['', 'all'], ...entries];
	if (value && !list.some(([key]) => key === value)) list.push([value, value]);
	if (list.map(([key]) => key).join('\n') !== [...select.options].map(option => option.value).join('\n') || list.some(([, label], i) => select.options[i].textContent !== label))
		select.replaceChildren(...list.map(([key, label]) => h('option', { value: key }, label)));
	select.value = value;
}
const components = new Set();
function showControls() {
	for (const radio of filters.querySelectorAll('[name=range]')) radio.checked = radio.value === chosen.range;
	$('dates').hidden = chosen.range !== 'custom';
	filters.elements.from.value = chosen.from || '';
	filters.elements.to.value = chosen.to || '';
	options(filters.elements.tier, knownTiers().map(code => [code, tierName(code) === code ? code : `${tierName(code)} (${code})`]), chosen.tier);
	options(filters.elements.component, [...components].sort().map(name => [name, name]), chosen.component);
}

function choose(change) {
	onceClosed(() => {
		chosen = { ...chosen, ...change, contract: null, list: null };
		misread = [];
		writeAddress(chosen);
		showControls();
		hideTip();
		reload();
	});
}
filters.addEventListener('change', event => {
	const { name, value } = event.target;
	if (name === 'range' && value === 'custom') {
		const view = makeView();
		choose({ range: 'custom', from: isoDay(view.from ?? view.to - 30 * DAY), to: isoDay(view.to - 1) });
	} else if (name === 'from' || name === 'to') {
		const { from, to } = filters.elements;
		if (isDay(from.value) && isDay(to.value)) choose(from.value <= to.value ? { from: from.value, to: to.value } : { from: value, to: value });
	} else choose({ [name]: value });
});
filters.addEventListener('submit', event => event.preventDefault());

// --- The drawer: a list of facts, or one contract's story. Each is a place of the browser's history: back leads out of it, on a phone, too ----------

// Going back in the history takes a while, and what is written there meanwhile would be left again: it waits.
let isClosing = false;
const waiting = [];
function onceClosed(action) {
	if (isClosing) waiting.push(action);
	else action();
}
function isClosed() {
	isClosing = false;
	for (const action of waiting.splice(0)) action();
}
const depth = () => history.state?.drawer ?? 0; // how many places of the history it takes
const place = ({ range, from, to, tier, component }) => JSON.stringify([range, from, to, tier, component]);
const withoutDrawer = () => ({ ...chosen, contract: null, list: null });

function showDrawer() {
	const canGoBack = !!history.state?.isOver;
	if (chosen.contract) showTimeline(chosen.contract, canGoBack);
	else if (chosen.list) showFacts(chosen.list, canGoBack);
	else $('drawer').close();
}
function openDrawer(page) {
	onceClosed(() => {
		const isOver = $('drawer').open;
		chosen = { ...withoutDrawer(), ...page };
		writeAddress(chosen, !isOver && depth() > 0, { drawer: isOver ? depth() + 1 : 1, isOver });
		showDrawer();
	});
}
connect({
	open: openDrawer,
	closed() {
		if (!chosen.contract && !chosen.list) return;
		chosen = withoutDrawer();
		isClosing = depth() > 0;
		if (isClosing) {
			history.go(-depth());
			setTimeout(isClosed, 1000); // a browser that has dropped the place goes nowhere
		} else writeAddress(chosen, true);
	},
});
addEventListener('popstate', () => {
	const before = place(chosen);
	chosen = readAddress();
	if (isClosing && (chosen.contract || chosen.list)) { // a link led into the drawer
		chosen = withoutDrawer();
		writeAddress(chosen, true);
	}
	showControls();
	if (place(chosen) !== before) reload();
	showDrawer();
	isClosed();
});

// --- Light and dark ---------------------------------------------------------------------------------------------------

const dark = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => (document.documentElement.dataset.theme || (dark.matches ? 'dark' : 'light')) === 'dark';
const showTheme = () => { $('theme').textContent = isDark() ? 'Light' : 'Dark'; };
$('theme').addEventListener('click', () => {
	const theme = isDark() ? 'light' : 'dark';
	document.documentElement.dataset.theme = theme;
	localStorage.setItem('gracecube-theme', theme);
	showTheme();
});
dark.addEventListener('change', showTheme);
showTheme();

// --- Panels -----------------------------------------------------------------------------------------------------------

const boxes = new Map();

function open(kind, filters, of) {
	hideTip();
	openDrawer({ list: { kind, filters, of } });
}
// The table below the picture, whether it is shown or not.
function saveTable(panel) {
	const { data } = boxes.get(panel.id), name = [`gracecube-${panel.id}`, ...(panel.always || view.from == null ? [] : [isoDay(view.from), isoDay(view.to - 1)]), ...panel.heeds.map(filter => view[filter]).filter(Boolean)];
	if (data) api.save([csvOf(data)], `${name.join('_')}.csv`);
}

for (const panel of panels) {
	const part = { host: h('div', { class: 'plot', id: `plot-${panel.id}` }), says: h('p', { class: 'says' }), legend: h('div'), table: h('div', { class: 'scroll numbers-table', tabindex: '0', role: 'region', 'aria-label': `${panel.title}: the numbers`, hidden: true }), foot: h('p', { class: 'foot-note' }) };
	part.toggle = panel.id === 'streams' ? null : h('button', { type: 'button', class: 'quiet', 'aria-pressed': 'false', onclick: () => {
		part.tabular = !part.tabular;
		part.toggle.setAttribute('aria-pressed', part.tabular);
		draw(panel);
	} }, 'Table');
	const csv = h('button', { type: 'button', class: 'quiet', title: 'The same numbers as CSV', onclick: () => saveTable(panel) }, 'CSV');
	part.facts = panel.facts && h('button', { type: 'button', class: 'quiet', title: 'The list behind the picture', onclick: () => {
		const [kind, filter] = panel.facts(view);
		const span = panel.days ? view.wholeDays() : { from: view.from, to: view.to };
		open(kind, { ...span, ...(kind === 'executions' ? { tier: view.tier } : {}), ...filter }, rangeText(view));
	} }, 'Facts');
	part.box = h('section', { class: `panel ${panel.size}`, id: `panel-${panel.id}`, 'aria-labelledby': `title-${panel.id}`, 'data-state': 'loading' },
		h('header', {}, h('h2', { id: `title-${panel.id}` }, panel.title), h('div', { class: 'tools' }, part.toggle, part.facts, csv), h('p', { class: 'unit' }, panel.unit)),
		part.says, part.legend, part.host, part.table, part.foot);
	boxes.set(panel.id, part);
	$('panels').append(part.box);
}

function state(panel, name, ...content) {
	const part = boxes.get(panel.id);
	part.box.dataset.state = name;
	part.data = null;
	part.says.textContent = '';
	part.legend.replaceChildren();
	part.table.hidden = true;
	part.host.hidden = false;
	part.foot.textContent = part.foot.title = part.foot.dataset.asOf = part.foot.dataset.records = '';
	part.host.replaceChildren(h('div', { class: 'empty' }, ...content));
}

const isByTier = panel => panel.heeds.includes('tier') || panel.id === 'approvals';
function scopeText(panel) {
	const notes = [];
	if (panel.always) notes.push('all time');
	else if (panel.days && view.range === '24h') notes.push(`whole days ${dayName(view.dayAligned(view.from))} and ${dayName(view.to - 1)}`);
	if (limitText()) notes.push(isByTier(panel) ? limitText() : 'all tiers');
	else if (view.tier && !panel.heeds.includes('tier')) notes.push('all tiers');
	if (view.component && !panel.heeds.includes('component')) notes.push('all components');
	return notes;
}

// Which commit these numbers are of: seconds are for reading, this is for comparing, with other answers and with SQL.
// Of two answers that are of different commits, both are told, and there is nothing to compare.
function sayWhen(place, ...answers) {
	const told = [...new Set(answers.map(({ asOf, records }) => `as of ${asOf || '–'}, with ${plural(Number(records), 'record')}`))];
	place.title = told.join('; ');
	Object.assign(place.dataset, told.length > 1 ? { asOf: '', records: '' } : { asOf: answers[0].asOf || '', records: answers[0].records || '' });
}

function draw(panel) {
	const part = boxes.get(panel.id), data = {};
	const failed = panel.needs.map(need => part.problem?.[need]).find(Boolean);
	for (const need of panel.needs) data[need] = answers.get(need);
	if (panel.needs.some(need => !data[need])) {
		if (!failed) return state(panel, 'loading', 'Loading …');
		return state(panel, 'error', h('strong', {}, failed.message), h('p', {}, failed.advice), h('button', { type: 'button', onclick: () => refresh(null) }, 'Try again'));
	}
	part.host.hidden = false;
	let said;
	try {
		const paint = () => panel.render(part.host, data, view, open, now()), above = () => part.host.offsetTop - part.box.offsetTop;
		const before = above();
		said = paint();
		part.says.textContent = said?.says || '';
		part.legend.replaceChildren(said?.legend || '');
		if (said && above() !== before) paint(); // the words above it left another room
	} catch (error) {
		console.error(error);
		return state(panel, 'error', h('strong', {}, 'This picture could not be drawn.'), h('p', {}, 'Page and server may be of different versions: reload the page.'));
	}
	if (!said) {
		const read = answers.get('freshness')?.rows.filter(row => !panel.streams || panel.streams.includes(row.stream)).reduce((n, row) => n + row.records_read, 0);
		if (read === 0) return state(panel, 'empty', h('strong', {}, 'The cube holds nothing of this yet.'), h('p', {}, 'Start “gracecube run” and publish events, or try “gracecube sandbox”.'));
		return state(panel, 'zero', h('strong', {}, `None ${limitText() && isByTier(panel) ? `that your token sees (${limitText()}) ` : ''}${view.from == null || panel.always ? 'so far' : 'in this range'}${view.tier && panel.heeds.includes('tier') ? `, ${tierName(view.tier)}` : ''}${view.component && panel.heeds.includes('component') ? `, ${view.component}` : ''}.`),
			view.from == null || panel.always ? '' : h('p', {}, `Shown is ${rangeText(view)}.`),
			view.from == null || panel.always ? '' : h('button', { type: 'button', onclick: () => choose({ range: 'all' }) }, 'Show all time'),
			(view.tier || view.component) ? h('button', { type: 'button', onclick: () => choose({ tier: '', component: '' }) }, 'Remove the filter') : '');
	}
	part.box.dataset.state = failed ? 'stale' : 'ready';
	part.data = said.table;
	if (part.facts) part.facts.hidden = me?.role === 'viewer';
	const { asOf } = data[panel.needs[0]];
	sayWhen(part.foot, ...panel.needs.map(need => data[need]));
	part.foot.textContent = [...scopeText(panel), `as of ${asOf ? `${dayName(asOf)} ${clock(asOf, true)} UTC` : '–'}${failed ? `, not newer: ${failed.message}` : ''}`].join(' · ');
	part.table.hidden = !part.tabular;
	part.host.hidden = !!part.tabular;
	if (part.tabular && said.table) {
		const scrolled = part.table.scrollTop;
		part.table.replaceChildren(h('table', {}, h('caption', {}, panel.title), h('thead', {}, h('tr', {}, said.table.head.map((name, i) => h('th', { scope: 'col', class: i ? 'number' : null }, name)))),
			h('tbody', {}, said.table.rows.map(row => h('tr', {}, row.map((cell, i) => h(i ? 'td' : 'th', { class: i ? 'number' : null, scope: i ? null : 'row' }, wordsOf(cell))))))));
		part.table.scrollTop = scrolled;
	}
}

// A chart drawn before its taller neighbour gets the room it left.
function level() {
	for (const panel of panels) {
		const { host, box } = boxes.get(panel.id), chart = host.querySelector('svg.chart');
		if (box.dataset.state === 'ready' && chart && host.clientHeight > chart.clientHeight + 12) draw(panel);
	}
}

// --- The numbers at the top -------------------------------------------------------------------------------------------

const tiles = new Map();
const SOURCE_OF = { freshness: 'freshness', lag: 'freshness', 'success-rate': 'verification', 'execution-count': 'verification', 'rollback-rate': 'verification', 'error-count': 'errors', 'approval-count': 'approvals' };
let told = new Map(), isCompared = false;
function drawNumbers() {
	const data = Object.fromEntries(answers), list = numbers(data, view, now());
	const place = $('numbers');
	if (!list.length) {
		if (!tiles.size) place.replaceChildren(...Array.from({ length: 7 }, () => h('div', { class: 'tile waiting', 'aria-hidden': 'true' })));
		return;
	}
	const said = [];
	isCompared = list.some(item => item.was != null);
	place.replaceChildren(...list.map(item => {
		let tile = tiles.get(item.id);
		if (!tile) tiles.set(item.id, tile = h('div', { class: 'tile', id: `number-${item.id}`, role: 'group', 'aria-label': item.label }));
		tile.dataset.state = item.state || '';
		sayWhen(tile, data[SOURCE_OF[item.id]]);
		const arrow = item.change == null ? null : Math.abs(item.change) < 0.0005 ? '±' : item.change > 0 ? '▲' : '▼';
		const mood = item.change == null || !item.better || !item.sure ? '' : item.change * item.better > 0 ? 'good' : 'bad';
		tile.replaceChildren(
			h('h2', {}, item.label, item.word ? h('span', { class: `state ${item.state}` }, item.word) : ''),
			h('p', { class: 'value' }, h('b', { 'data-since': item.since, 'data-usual': item.usual }, item.value), item.unit ? ` ${item.unit}` : ''),
			h('p', { class: 'detail' }, item.detail),
			item.goal ? h('p', { class: 'detail' }, item.advice || item.goal)
				: item.change == null ? h('p', { class: 'detail' }, view.before == null ? '' : `before: ${item.lacks ?? 'none'}`)
					: h('p', { class: 'detail' }, h('span', { class: `change ${mood}` }, `${arrow} ${item.as === 'points' ? `${Math.abs(item.change * 100).toFixed(1)} points` : /times/.test(item.as) ? '' : item.as.replace(/^[+−]/, '')}`), `${/times/.test(item.as) ? 'from' : ' on'} ${item.was}`),
			item.spark ? spark(item.spark) : '');
		if (told.has(item.id) && told.get(item.id) !== item.value && !item.quiet) said.push(`${item.label} ${item.value}`);
		told.set(item.id, item.value);
		return tile;
	}));
	if (said.length) $('said').textContent = said.join(', ');
}
// ages grow by themselves
setInterval(() => {
	if (document.hidden) return;
	for (const cell of document.querySelectorAll('[data-since]')) {
		const age = Math.max(0, (now() - Number(cell.dataset.since)) / 1000);
		const words = duration(age), state = freshnessOf(age, Number(cell.dataset.usual ?? 0));
		if (cell.textContent !== words) cell.textContent = words;
		if (cell.classList.contains('age')) {
			if (cell.dataset.usual) cell.className = `number age ${state}`;
		} else {
			const tile = cell.closest('.tile');
			if (tile && tile.dataset.state !== state) drawNumbers();
		}
	}
}, 1000);

// --- Reading ----------------------------------------------------------------------------------------------------------

// Silence may mean that nothing happens, or that the database is away while the stream stands: freshness is asked for anyway.
const HEARTBEAT = 10000;
setInterval(() => { if (!document.hidden && api.hasToken()) refresh([]); }, HEARTBEAT);

let generation = 0, due = null, timer = 0, busy = false, last = 0;
const PAUSE = 1000;

// refresh(streams): reads what these streams change; null is everything
function refresh(streams) {
	if (streams === null) due = 'all';
	else if (due !== 'all') due = new Set([...(due || []), ...streams]);
	if (timer || busy) return;
	timer = setTimeout(read, Math.max(0, last + PAUSE - Date.now()));
}
function reload() {
	view = makeView();
	generation++;
	answers.delete('verification');
	for (const name of Object.keys(sources)) if (!['freshness', 'extents', 'missions', 'missionTypes', 'severities'].includes(name)) answers.delete(name);
	told = new Map();
	for (const part of boxes.values()) part.problem = null;
	for (const panel of panels) if (panel.needs.some(need => !answers.has(need))) state(panel, 'loading', 'Loading …');
	$('shown').textContent = '';
	busy = false;
	clearTimeout(timer);
	timer = 0;
	due = 'all';
	read();
}

// Who asks; what this finds out stays for as long as the token does. When it fails, the questions beside it have failed, too, and say so.
async function meet() {
	if (me) return;
	try {
		me = (await api.get('me')).rows;
	} catch {
		return;
	}
	limitTiers(me.highest_tier);
	$('limit').textContent = limitText() ?? '';
	$('limit').hidden = !limitText();
}

async function read() {
	timer = 0;
	if (!api.hasToken()) return gate();
	if (document.hidden && last) return;
	const streams = due, mine = generation;
	due = null;
	busy = true;
	last = Date.now();
	// a day or an hour may have begun
	const fresh = makeView();
	if (fresh.to !== view.to) view = fresh;
	const affected = panels.filter(panel => streams === 'all' || !panel.streams || panel.streams.some(stream => streams.has(stream)));
	const needs = new Set(affected.flatMap(panel => panel.needs));
	if (needs.size > 1) for (const name of ['components', 'extents', 'severities']) needs.add(name); // an event may have brought a new one
	const asked = new Map(); // two sources may be one question
	let refused = null, unreachable = null;
	await Promise.all([meet(), ...[...needs].map(async name => {
		const { path, parameters } = sources[name](view), key = JSON.stringify([path, parameters]);
		if (!asked.has(key)) asked.set(key, api.getAll(path, parameters));
		let problem = null;
		try {
			const answer = await asked.get(key);
			if (mine !== generation) return;
			answers.set(name, answer);
			if (name === 'freshness') {
				const row = answer.rows.find(r => r.last_commit_at);
				if (row) offset = Date.parse(row.last_commit_at) + row.seconds_since_commit * 1000 - Date.now();
			}
			if (name === 'verification' || name === 'heat') learnTiers(answer.rows);
			if (name === 'severities') learnSeverities(answer.rows);
			if (name === 'components') for (const row of answer.rows) components.add(row.component_name);
		} catch (error) {
			problem = error;
			if (error.status === 401) refused = error;
			else if (error.status === 0 || error.status >= 500) unreachable = error;
		}
		if (mine !== generation) return;
		for (const panel of panels) if (panel.needs.includes(name)) (boxes.get(panel.id).problem ||= {})[name] = problem;
	})]);
	if (mine !== generation) return;
	busy = false;
	if (refused) return gate(refused);
	const known = makeView(); // where the data begin and end may be news
	if (known.from !== view.from || known.to !== view.to) return reload();
	for (const panel of affected) draw(panel);
	showControls(); // a tier without a policy is known by its data only
	showMisread();
	level();
	drawNumbers();
	shown();
	if (unreachable) {
		notice(unreachable.message, answers.size ? `${unreachable.advice} The numbers below are those of the last answer.` : unreachable.advice);
		setTimeout(() => refresh(null), 2000);
	} else notice(null);
	document.body.classList.toggle('stale', !!unreachable);
	showConnection();
	document.body.dataset.reads = Number(document.body.dataset.reads || 0) + 1;
	if (due) refresh(new Set());
}

function shown() {
	const asOf = [...answers.values()].map(answer => answer.asOf).filter(Boolean).sort().pop();
	const place = $('shown');
	place.replaceChildren(h('strong', {}, rangeText(view)), view.asked ? ` (of ${dayName(view.asked.from, true)} to ${dayName(view.asked.to - 1, true)}: beyond there are no data)` : '', isCompared ? `, compared with ${beforeText(view)}` : '',
		view.tier ? ` · tier ${tierName(view.tier)}` : '', view.component ? plainly(` · component ${view.component}`) : '', ' · cube as of ', h('time', { id: 'as-of', datetime: asOf }, asOf ? `${moment(asOf)} UTC` : '–'));
}

function notice(message, advice) {
	const place = $('notice');
	const words = message ? `${message} ${advice || ''}` : '';
	if (place.textContent !== words) place.textContent = words;
	place.hidden = !message;
}

// --- The token --------------------------------------------------------------------------------------------------------

let live = null;
function gate(problem) {
	api.dropToken();
	live?.close();
	$('main').hidden = filters.hidden = true;
	$('connection').hidden = $('limit').hidden = $('misread').hidden = true;
	notice(null);
	$('gate').hidden = false;
	if (problem) $('gate-why').textContent = `${problem.message} ${problem.advice}`;
	$('token').focus();
	$('token').select();
}
$('token-form').addEventListener('submit', async event => {
	event.preventDefault();
	const token = $('token').value.trim();
	if (!token) return;
	api.setToken(token);
	try {
		await api.get('me');
	} catch (problem) {
		return gate(problem);
	}
	$('token').value = '';
	enter();
});

const CONNECTION = { live: 'live', wait: 'connecting', polling: 'reading every 5 s', paused: 'paused' };
let connection = 'wait';
function showConnection(name = connection) {
	connection = name;
	const silent = document.body.classList.contains('stale') && name !== 'paused';
	$('connection').dataset.state = silent ? 'wait' : name;
	$('connection').textContent = silent ? 'no answer' : CONNECTION[name];
}
function enter() {
	me = null;
	$('gate').hidden = true;
	$('main').hidden = filters.hidden = $('connection').hidden = false;
	reload();
	if (live) live.open();
	else {
		live = api.listen({ changed: refresh, state: showConnection });
	}
	if (chosen.contract || chosen.list) showDrawer();
}

// --- Start ------------------------------------------------------------------------------------------------------------

let width = 0, resized = 0;
new ResizeObserver(() => {
	if (width === innerWidth) return;
	width = innerWidth;
	clearTimeout(resized);
	resized = setTimeout(() => {
		for (const panel of panels) if (boxes.get(panel.id).box.dataset.state !== 'loading') draw(panel);
		level();
	}, 80);
}).observe($('panels'));
addEventListener('scroll', moveTip, { passive: true });
addEventListener('hashchange', () => {
	api.takeToken();
	if (api.hasToken()) enter();
});

api.takeToken();
showControls();
if (api.hasToken()) enter();
else gate();
