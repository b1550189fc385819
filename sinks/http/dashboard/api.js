// The one way to the server: the token, answers, downloads and the event stream.

const KEY = 'gracecube-token';

// A link may bring the token in its fragment, which no server sees; it is taken out of the address at once.
export function takeToken() {
	const fragment = new URLSearchParams(location.hash.slice(1));
	if (!fragment.has('token')) return;
	sessionStorage.setItem(KEY, fragment.get('token'));
	history.replaceState(null, '', location.pathname + location.search);
}
export const hasToken = () => !!sessionStorage.getItem(KEY);
export const setToken = token => sessionStorage.setItem(KEY, token);
export const dropToken = () => sessionStorage.removeItem(KEY);

export class Problem extends Error {
	constructor(status, detail) {
		super(detail);
		this.status = status;
	}
	get advice() {
		switch (this.status) {
		case 0: return 'The server cannot be reached. It is tried again by itself; if that takes long, see whether “gracecube serve” runs.';
		case 401: return 'The token is not known, has expired or was revoked. Use another one.';
		case 403: return 'Your token does not reach this. Ask for one with a higher tier or role.';
		case 404: return /record/.test(this.message) ? 'Compare its id with where it came from, or ask for a token with a higher tier.' : 'This server does not have it. Page and server may be of different versions: reload.';
		case 422: return 'The server does not accept this filter. Choose another range, tier or component.';
		case 429: return 'Too many requests at once. It is tried again in a moment.';
		case 503: return 'The database does not answer. The server heals by itself; “gracecube check” says what is wrong.';
		default: return 'Try again; the server’s log says more.';
		}
	}
}

const address = (path, parameters) => {
	const query = new URLSearchParams();
	for (const [name, value] of Object.entries(parameters || {})) if (value != null && value !== '') query.set(name, value);
	return `/api/cube/${path}${query.size ? `?${query}` : ''}`;
};

async function request(url) {
	let answer;
	try {
		answer = await fetch(url, { headers: { Authorization: `Bearer ${sessionStorage.getItem(KEY) || ''}` }, cache: 'no-store', signal: AbortSignal.timeout(15000) });
	} catch {
		throw new Problem(0, 'No answer from the server.');
	}
	if (answer.ok) return answer;
	let problem = {};
	try { problem = await answer.json(); } catch { /* a proxy's page, perhaps */ }
	throw new Problem(answer.status, problem.detail || problem.title || `The server answered ${answer.status}.`);
}

// get(path, parameters) → {rows, asOf, records, more}; as of when, and how many records the cube then held: together, of which commit
export async function get(path, parameters) {
	const answer = await request(address(path, parameters));
	try {
		return { rows: await answer.json(), asOf: answer.headers.get('X-Cube-As-Of'), records: answer.headers.get('X-Cube-Records'), more: answer.headers.get('X-Cube-More') === 'true' };
	} catch {
		throw new Problem(0, 'The answer broke off.');
	}
}

// The same for answers that may be longer than the server gives at once. Pieces of two commits are no answer: then it begins again,
// but for a cube that never rests.
const MOST = 200000;
export async function getAll(path, parameters, tries = 5) {
	const all = { rows: [], asOf: null, records: null };
	for (;;) {
		const offset = all.rows.length;
		const { rows, asOf, records, more } = await get(path, offset ? { ...parameters, offset } : parameters);
		if (offset && records !== all.records && tries > 1) return getAll(path, parameters, tries - 1);
		for (const row of rows) all.rows.push(row);
		all.asOf ??= asOf;
		all.records ??= records;
		if (!more || !rows.length || all.rows.length >= MOST) return all;
	}
}

export function save(parts, name) {
	const link = document.createElement('a');
	link.href = URL.createObjectURL(new Blob(parts, { type: 'text/csv' }));
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// An event stream by fetch: an EventSource sends no header, and a token in an address would stand in every log on its way.
function stream(path) {
	const stop = new AbortController();
	const mine = { close: () => stop.abort(), onopen() {}, onchanged() {}, onerror() {} };
	async function read() {
		const answer = await fetch(path, { headers: { Authorization: `Bearer ${sessionStorage.getItem(KEY)}` }, signal: stop.signal, cache: 'no-store' });
		if (!answer.ok) throw new Error(answer.status);
		mine.onopen();
		const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
		for (let rest = '';;) {
			const { value, done } = await reader.read();
			if (done) return;
			const events = (rest + value).split('\n\n');
			rest = events.pop();
			for (const event of events) {
				const data = /^event: changed\ndata: (.*)$/.exec(event)?.[1];
				if (data) mine.onchanged(data);
			}
		}
	}
	read().catch(() => {}).then(() => stop.signal.aborted || mine.onerror());
	return mine;
}

// A list as one file, piece by piece (a plain link sends no token). Says how many rows it has when there are more than that, and whether rows came
// and went meanwhile: like getAll() it begins again when they do, but for a cube that never rests.
export async function download(path, parameters, name, tries = 5) {
	const parts = [];
	let records = null, next = 0, isMixed = false;
	while (next != null && next < MOST) {
		const answer = await request(address(path, { ...parameters, format: 'csv', offset: next || null }));
		if (next && answer.headers.get('X-Cube-Records') !== records) {
			if (tries > 1) return download(path, parameters, name, tries - 1);
			isMixed = true;
		}
		records ??= answer.headers.get('X-Cube-Records');
		const text = await answer.text();
		parts.push(next ? text.slice(text.indexOf('\n') + 1) : `\ufeff${text}`);
		const link = /[?&]offset=(\d+)/.exec(answer.headers.get('Link') ?? '');
		next = link ? Number(link[1]) : null;
	}
	save(parts, next == null ? name : name.replace('.csv', `-first-${next}-rows.csv`));
	return { cutAt: next, isMixed };
}

// listen({changed, state}): tells of commits. The stream is left in a hidden tab; when it breaks it is tried again, later and
// later, and until it is back every few seconds count as a change.
export function listen({ changed, state }) {
	const POLL = 5000;
	let source = null, failures = 0, retry = 0, poll = 0;

	function open() {
		clearTimeout(retry);
		source?.close();
		source = null;
		if (document.hidden || !hasToken()) return;
		const mine = source = stream('/api/cube/events');
		mine.onopen = () => {
			clearInterval(poll);
			poll = 0;
			const back = failures > 0;
			failures = 0;
			state('live');
			if (back) changed(null);
		};
		mine.onchanged = data => {
			let streams = null;
			try { streams = JSON.parse(data).streams; } catch { /* then all is read */ }
			changed(streams?.length ? streams : null);
		};
		mine.onerror = () => {
			mine.close();
			if (mine !== source) return;
			source = null;
			const wait = Math.min(30000, 500 * 2 ** failures++) * (0.75 + Math.random() / 2);
			state(failures > 1 ? 'polling' : 'wait');
			poll ||= setInterval(() => changed(null), POLL);
			retry = setTimeout(open, wait);
		};
	}
	function close() {
		clearTimeout(retry);
		clearInterval(poll);
		poll = 0;
		source?.close();
		source = null;
	}
	document.addEventListener('visibilitychange', () => {
		if (document.hidden) {
			close();
			state('paused');
		} else {
			failures = 0;
			open();
			changed(null);
		}
	});
	addEventListener('online', open);
	addEventListener('pagehide', close);
	addEventListener('pageshow', event => event.persisted && open());
	open();
	return { open, close };
}
