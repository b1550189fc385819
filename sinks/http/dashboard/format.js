// Numbers and times as text, and the little statistics that the page needs. Everything is UTC.

const whole = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
export const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
export const HOUR = 3600e3;
export const DAY = 24 * HOUR;

export const count = n => whole.format(n);
// how much more or less than before: far more is a multiple
export const ratio = (now, before) => now > 3 * before ? `${(now / before).toFixed(now > 30 * before ? 0 : 1)} times` : `${now >= before ? '+' : '−'}${Math.abs((now / before - 1) * 100).toFixed(0)}\u00a0%`;
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
export const percent = (share, digits = 1) => share == null || !isFinite(share) ? '–' : `${(share * 100).toFixed(digits)}\u00a0%`;
export const share = (part, total) => total > 0 ? part / total : null;

// a number and its unit stay on one line
export const duration = seconds => spelled(seconds).replaceAll(' ', '\u00a0');
function spelled(seconds) {
	if (seconds == null || !isFinite(seconds)) return '–';
	const s = Math.abs(seconds), three = x => x >= 100 ? x.toFixed(0) : String(+x.toPrecision(2));
	if (s === 0) return '0 s';
	if (s < 0.9995) return `${three(s * 1000)} ms`;
	if (s < 99.5) return `${three(s)} s`;
	if (s < 3600) return `${Math.round(s / 60)} min`;
	if (s < 36000) return `${Math.floor(Math.round(s / 60) / 60)} h${Math.round(s / 60) % 60 ? ` ${Math.round(s / 60) % 60} min` : ''}`;
	if (s < 2 * 86400) return `${Math.round(s / 3600)} h`;
	return `${count(s / 86400)} d`;
}

// time is given as milliseconds or as RFC 3339
const parts = time => new Date(time);
const two = n => String(n).padStart(2, '0');
export const isoDay = time => parts(time).toISOString().slice(0, 10);
export const dayName = (time, year) => {
	const d = parts(time);
	return `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]}${year ? ` ${d.getUTCFullYear()}` : ''}`;
};
export const clock = (time, seconds) => {
	const d = parts(time);
	return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}${seconds ? `:${two(d.getUTCSeconds())}` : ''}`;
};
export const moment = time => time ? `${dayName(time)} ${parts(time).getUTCFullYear()} ${clock(time, true)}` : '–';
export const millis = time => `${clock(time, true)}.${String(parts(time).getUTCMilliseconds()).padStart(3, '0')}`;

export const floorDay = time => Math.floor(time / DAY) * DAY;
// 1970-01-01 was a Thursday; weeks begin on Monday
export const floorWeek = time => floorDay(time) - ((Math.floor(time / DAY) + 3) % 7) * DAY;

// The 95 % Wilson interval of a share: honest for few and for extreme ones, where share ± error is not.
export function wilson(part, total) {
	if (!(total > 0)) return null;
	const z = 1.959964, p = part / total, zz = z * z;
	const middle = (p + zz / (2 * total)) / (1 + zz / total);
	const half = z / (1 + zz / total) * Math.sqrt(p * (1 - p) / total + zz / (4 * total * total));
	return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

export const interval = (part, total) => {
	const w = wilson(part, total);
	return w ? `${(w[0] * 100).toFixed(1)}–${(w[1] * 100).toFixed(1)}\u00a0%` : '–';
};

export const sum = (rows, of) => rows.reduce((total, row) => total + (of(row) || 0), 0);

export function group(rows, by) {
	const groups = new Map();
	for (const row of rows) {
		const key = by(row);
		if (!groups.has(key)) groups.set(key, []);
		groups.get(key).push(row);
	}
	return groups;
}

// --- Cells of a table: what people read, and what a file holds ---------------------------------------------------------

const cell = (words, value, unit = '') => ({ words, value, unit });
export const cells = {
	count: n => cell(count(n), n),
	part: (part, total) => cell(percent(share(part, total)), total > 0 ? +(part / total * 100).toFixed(4) : null, '%'),
	interval: (part, total) => cell(interval(part, total), wilson(part, total)?.map(share => (share * 100).toFixed(2)).join('–'), '%'),
	seconds: s => cell(duration(s), s ?? null, 's'),
	score: v => cell(v == null ? '–' : v.toFixed(3), v ?? null),
	time: (words, value) => cell(words, value),
	none: cell('–', null),
};
export const wordsOf = cell => cell?.words ?? cell;

// RFC 4180, with the mark by which spreadsheets know UTF-8. What a spreadsheet would take for a formula has an apostrophe before it, as in the API's.
const field = value => {
	const text = value == null ? '' : typeof value === 'string' ? value.replace(/^[=+\-@\t\r]/, "'$&") : String(value);
	return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
export function csvOf({ head, rows }) {
	const units = head.map((_, i) => rows.map(row => row[i]?.unit).find(Boolean));
	const lines = [head.map((name, i) => units[i] && !name.includes('%') ? `${name} (${units[i]})` : name), ...rows.map(row => row.map(one => one?.words == null ? one : one.value))];
	return `\ufeff${lines.map(line => `${line.map(field).join(',')}\r\n`).join('')}`;
}

// Characters that turn the text behind them round make one word look like another: they are shown as what they are.
export const plainly = text => String(text).replace(/[\u202a-\u202e\u2066-\u2069]/g, mark => `‹U+${mark.charCodeAt().toString(16).toUpperCase()}›`);

// h('p', {class: 'x', onclick: f}, 'text', node, …): text goes in as text, never as markup
export function h(tag, properties, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(properties || {})) {
		if (value == null || value === false) continue;
		if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
		else node.setAttribute(name, value === true ? '' : value);
	}
	node.append(...children.flat().filter(child => child != null && child !== false).map(child => child instanceof Node ? child : plainly(child)));
	return node;
}
