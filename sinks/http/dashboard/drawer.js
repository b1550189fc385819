// The facts behind a mark, and one contract's timeline, in a drawer. What events say is put in as text only. Where the drawer is, and the way
// back, the page knows, which has them in its address.

import { h, count, plural, percent, duration, moment, millis, dayName } from './format.js';
import { get, download } from './api.js';
import { tierName } from './panels.js';

const PAGE = 50;
const drawer = document.getElementById('drawer');
const state = status => h('span', { class: `state ${({ verified: 'good', approved: 'good', resolved: 'good', rolled_back: 'bad', failed: 'bad', rejected: 'bad' })[status] || ''}` }, String(status ?? '–').replaceAll('_', ' '));
const when = time => h('time', { datetime: time }, moment(time));
const contract = (id, words = id) => h('button', { type: 'button', class: 'link', title: id, onclick: () => page.open({ contract: id }) }, words);
const seconds = value => value == null ? '–' : duration(value);

// columns of each list: [head, cell(row), class]
const LISTS = {
	executions: { title: 'Executions', columns: [
		['created, UTC', row => when(row.created_at)], ['contract', row => contract(row.contract_id)], ['status', row => state(row.contract_status)], ['action', row => row.action_type],
		['tier', row => row.tier_name || tierName(row.tier_code)], ['component', row => row.component_name], ['actor', row => row.actor_id], ['duration', row => seconds(row.duration_seconds), 'number'],
		['confidence', row => row.confidence_score == null ? '–' : row.confidence_score.toFixed(2), 'number'], ['mission', row => row.mission_id]] },
	errors: { title: 'Errors', columns: [
		['raised, UTC', row => when(row.created_at)], ['type', row => row.error_type], ['severity', row => row.severity], ['component', row => row.component_name], ['status', row => state(row.status)],
		['resolved in', row => seconds(row.resolution_time_seconds), 'number'], ['by itself', row => row.was_auto_resolved ? 'yes' : 'no'], ['source', row => /^contract-/.test(row.source || '') ? contract(row.source) : row.source], ['actor', row => row.actor_id],
		['note', row => row.resolution_note, 'long'], ['error', row => row.error_id]] },
	approvals: { title: 'Approvals', columns: [
		['asked, UTC', row => when(row.created_at)], ['status', row => state(row.status)], ['what', row => row.action_description, 'long'], ['tier', row => row.tier_name || tierName(row.tier_code)], ['decided by', row => row.actor_id],
		['decided in', row => seconds(row.decision_time_seconds), 'number'], ['asked by', row => row.requested_by], ['why', row => row.decision_reason, 'long'], ['contract', row => row.contract_id ? contract(row.contract_id) : '–'], ['approval', row => row.approval_id]] },
};

// What the address says of a list: kind, filters, and of what it is, in words. Whatever else is there is left out; the server checks the values.
const FILTERS = ['from', 'to', 'tier', 'component', 'type', 'mission_type', 'confidence_from', 'confidence_to', 'weekday', 'hour', 'status', 'severity'];
const instant = time => time == null || time === '' ? null : new Date(time).toISOString();
export function writeList({ kind, filters, of }) {
	const query = new URLSearchParams();
	for (const name of FILTERS) if (filters[name] != null && filters[name] !== '') query.set(name, ['from', 'to'].includes(name) ? instant(filters[name]) : filters[name]);
	query.set('of', of);
	return `${kind}?${query}`;
}
export function readList(text) {
	const [kind, rest] = (text ?? '').split(/\?(.*)/s), query = new URLSearchParams(rest);
	if (!Object.hasOwn(LISTS, kind)) return null;
	const filters = Object.fromEntries(FILTERS.filter(name => query.get(name)).map(name => [name, query.get(name)]));
	if (['from', 'to'].some(name => filters[name] && isNaN(Date.parse(filters[name])))) return null;
	return { kind, filters, of: (query.get('of') ?? '').slice(0, 120) };
}

let turn = 0, page = { open() {}, closed() {} };
// open({contract} or {list}): the page shows it here, by showTimeline() or showFacts(); closed(): by whoever looks at it
export const connect = callbacks => { page = callbacks; };

function fill(canGoBack, title, subtitle, ...body) {
	drawer.replaceChildren(
		h('header', {},
			canGoBack && h('button', { type: 'button', class: 'quiet', onclick: () => history.back() }, '← back'),
			h('h2', { id: 'drawer-title', tabindex: '-1' }, title),
			h('button', { type: 'button', class: 'quiet close', 'aria-label': 'Close', onclick: () => drawer.close() }, '✕')),
		h('p', { class: 'about' }, subtitle), ...body);
	if (!drawer.open) drawer.showModal();
	drawer.querySelector('h2').focus();
}
drawer.addEventListener('close', () => {
	if (drawer.open) return; // the event comes a moment later; it was opened anew meanwhile
	turn++;
	page.closed();
});
drawer.addEventListener('click', event => { if (event.target === drawer) drawer.close(); });

const trouble = (problem, again) => h('div', { class: 'empty' }, h('strong', {}, problem.message), h('p', {}, problem.advice || ''), h('button', { type: 'button', onclick: again }, 'Try again'));

// showFacts({kind: 'executions', filters: {from, to, tier, …}, of: 'of what'})
export async function showFacts({ kind, filters: { from, to, ...rest }, of }, canGoBack) {
	const mine = ++turn, { title, columns } = LISTS[kind];
	const parameters = { from: instant(from), to: instant(to), ...rest };
	const body = h('tbody'), foot = h('p', { class: 'about', role: 'status' }, 'Reading …'), more = h('button', { type: 'button', hidden: true }, 'Show more');
	fill(canGoBack, `${title}: ${of}`, `${Object.entries(rest).filter(([, value]) => value != null && value !== '').map(([name, value]) => `${name.replaceAll('_', ' ')} ${value}`).concat(from == null ? 'all times' : `${moment(from)} to ${moment(to)} UTC`).join(' · ')}; newest first`,
		h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': title }, h('table', {}, h('thead', {}, h('tr', {}, columns.map(([name, , css]) => h('th', { scope: 'col', class: css }, name)))), body)),
		h('div', { class: 'foot' }, foot, more, h('button', { type: 'button', class: 'quiet', title: 'The whole list as CSV', onclick: event => saveList(event.target) }, 'CSV')));
	let shown = 0;
	async function next() {
		more.hidden = true;
		try {
			const answer = await get(kind, { ...parameters, limit: PAGE, offset: shown });
			if (mine !== turn) return;
			for (const row of answer.rows) body.append(h('tr', {}, columns.map(([name, cell, css]) => h('td', { class: css, 'data-head': name }, cell(row) ?? '–'))));
			shown += answer.rows.length;
			foot.textContent = `${plural(shown, 'row')}${answer.more ? '' : ', all there are'} · as of ${moment(answer.asOf)} UTC`;
			if (!shown) foot.textContent = 'Nothing here: the facts of this time are gone or filtered out.';
			more.hidden = !answer.more;
		} catch (problem) {
			if (mine === turn) body.parentElement.parentElement.after(trouble(problem, event => { event.target.parentElement.remove(); next(); }));
		}
	}
	async function saveList(button) {
		button.disabled = true;
		try {
			const { cutAt, isMixed } = await download(kind, parameters, `gracecube-${kind}.csv`);
			if (mine === turn) foot.textContent = `${cutAt == null ? 'The file has all rows' : `The file has the first ${count(cutAt)} rows only: choose a shorter time`}${isMixed ? '; while it was read, rows came and went: one may be in it twice, or be missing' : ''}.`;
		} catch (problem) {
			if (mine === turn) foot.textContent = `${problem.message} ${problem.advice ?? ''}`;
		}
		button.disabled = false;
	}
	more.addEventListener('click', next);
	next();
}

export async function showTimeline(id, canGoBack) {
	const mine = ++turn, place = h('div', {}, h('p', { class: 'about', role: 'status' }, 'Reading …'));
	fill(canGoBack, 'One contract’s story', h('code', {}, id), place);
	try {
		const [fact, story] = await Promise.all([get(`executions/${encodeURIComponent(id)}`), get(`executions/${encodeURIComponent(id)}/timeline`)]);
		if (mine !== turn) return;
		const row = Array.isArray(fact.rows) ? fact.rows[0] : fact.rows;
		const facts = row && [['status', state(row.contract_status)], ['action', row.action_type], ['tier', row.tier_name], ['component', row.component_name], ['actor', row.actor_id], ['mission', row.mission_id],
			['duration', seconds(row.duration_seconds)], ['confidence', row.confidence_score == null ? '–' : row.confidence_score.toFixed(3)], ['drift', row.drift_score == null ? null : percent(row.drift_score)],
			['snapshot', row.created_snapshot == null ? null : row.created_snapshot ? 'yes' : 'no'], ['error', row.error_message]].filter(([, value]) => value != null && value !== '');
		const first = story.rows.length ? Date.parse(story.rows[0].at) : 0;
		let before = '';
		place.replaceChildren(
			facts ? h('dl', { class: 'facts' }, facts.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)))) : '',
			h('ol', { class: 'story' }, story.rows.map(step => {
				const day = dayName(step.at, true), newDay = day !== before;
				before = day;
				return h('li', { class: /failed|rolled|rejected|restored/.test(`${step.what} ${step.detail || ''}`) ? 'bad' : /verified|passed|approved/.test(step.what) ? 'good' : null },
					newDay && h('p', { class: 'day' }, day),
					h('p', {}, h('time', { datetime: step.at }, millis(step.at)), ' ', h('span', { class: 'after' }, `+${duration((Date.parse(step.at) - first) / 1000)}`)),
					h('p', {}, h('strong', {}, String(step.what).replaceAll('_', ' ')), step.detail ? ` ${step.detail}` : ''),
					h('p', { class: 'source' }, `${step.fact} ${step.key === id ? '' : step.key}`));
			})),
			h('p', { class: 'about' }, `${plural(story.rows.length, 'step')} · as of ${story.asOf ? moment(story.asOf) : '–'} UTC`));
	} catch (problem) {
		if (mine === turn) place.replaceChildren(trouble(problem, () => showTimeline(id, canGoBack)));
	}
}
