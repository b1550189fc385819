// Charts, drawn by hand as SVG. Each fills its host's width, shows a tooltip under the mouse or at the keyboard's cursor, and
// may lead to the facts behind a mark. Colours are classes; no mark is told by its colour alone.

import { h, duration, percent, count, plainly } from './format.js';

export function svg(tag, attributes, ...children) {
	const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
	for (const [name, value] of Object.entries(attributes || {})) if (value != null) node.setAttribute(name, value);
	node.append(...children.flat().filter(child => child != null && child !== false));
	return node;
}
const text = (x, y, words, attributes) => svg('text', { x, y, ...attributes }, plainly(words));
const r1 = x => Math.round(x * 10) / 10;

// --- Scales -----------------------------------------------------------------------------------------------------------

const linear = (from, to, a, b) => v => a + (v - from) / (to - from || 1) * (b - a);
const logarithmic = (from, to, a, b) => {
	const scale = linear(Math.log(from), Math.log(to), a, b);
	return v => scale(Math.log(Math.max(v, from)));
};

// round steps from 0 to at least max
function steps(max, wanted) {
	const rough = (max || 1) / wanted, power = 10 ** Math.floor(Math.log10(rough));
	const step = Math.max(1, [1, 2, 5, 10].find(m => m * power >= rough) * power);
	const ticks = [];
	for (let v = 0; v < max + step; v += step) ticks.push(v);
	return ticks;
}

const TIMES = [0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36000, 86400, 864000, 8640000, 86400000];
function timeTicks(from, to, y, room) {
	const ticks = TIMES.filter(t => t >= from * 0.999 && t <= to * 1.001);
	const kept = [];
	for (const t of ticks) if (!kept.length || Math.abs(y(t) - y(kept[kept.length - 1])) >= room) kept.push(t);
	return kept;
}

// labels under the x axis: the first, and from the last one as many as have room
function bottomLabels(root, labels, x, y, width, room = 58) {
	const every = Math.max(1, Math.ceil(labels.length * room / width));
	const print = i => labels[i] != null && root.append(text(r1(x(i)), y, labels[i], { class: 'axis', 'text-anchor': 'middle' }));
	print(0);
	for (let i = labels.length - 1; i >= every; i -= every) print(i);
}

// --- Hatches: the second sign beside colour ---------------------------------------------------------------------------

const HATCHES = {
	rise: { size: 5, d: 'M-1 6 6 -1M-1 1 1 -1M4 6 6 4' },
	fall: { size: 5, d: 'M-1 -1 6 6M-1 4 1 6M4 -1 6 1' },
	dots: { size: 4, d: 'M1 1h1.4M3 3h1.4' },
	cross: { size: 5, d: 'M0 0 5 5M0 5 5 0' },
	bars: { size: 4, d: 'M0 1h4' },
};
let serial = 0;
function hatches(root) {
	const made = {};
	const defs = root.appendChild(svg('defs'));
	return name => {
		if (!name) return null;
		if (!made[name]) {
			const { size, d } = HATCHES[name];
			made[name] = `hatch-${++serial}`;
			defs.append(svg('pattern', { id: made[name], width: size, height: size, patternUnits: 'userSpaceOnUse' }, svg('path', { d, class: 'hatch' })));
		}
		return `url(#${made[name]})`;
	};
}
function box(parent, hatch, x, y, width, height, series) {
	const at = { x: r1(x), y: r1(y), width: r1(Math.max(0, width)), height: r1(Math.max(0, height)), rx: Math.min(1.5, width / 4) };
	parent.append(svg('rect', { ...at, class: series.fill }));
	if (series.hatch) parent.append(svg('rect', { ...at, fill: hatch(series.hatch), 'pointer-events': 'none' }));
}

export function legend(items) {
	return h('ul', { class: 'legend' }, items.map(item => {
		const root = svg('svg', { width: 16, height: 11, 'aria-hidden': 'true' });
		const hatch = hatches(root);
		if (item.line) {
			root.append(svg('path', { d: 'M0 5.5h16', class: item.line }));
			if (item.dot) root.append(svg('circle', { cx: 8, cy: 5.5, r: 3, class: item.dot }));
		} else box(root, hatch, 1, 0.5, 14, 10, item);
		return h('li', {}, root, item.label);
	}));
}

// --- The tooltip and the cursor ---------------------------------------------------------------------------------------

const tip = () => document.getElementById('tip');
let tipOwner = null;

export function hideTip() {
	tip().hidden = true;
	tipOwner = null;
}
// the page moved: at the keyboard's cursor the tooltip moves along
export function moveTip() {
	if (tipOwner?.contains(document.activeElement)) tipOwner.again();
	else hideTip();
}
function showTip(owner, content, clientX, clientY) {
	const box = tip();
	tipOwner = owner;
	box.replaceChildren(
		h('strong', {}, content.title),
		h('dl', {}, (content.rows || []).map(([name, value, mark]) => h('div', { class: mark ? 'here' : null }, h('dt', {}, name), h('dd', {}, value)))),
		content.note ? h('p', {}, content.note) : '');
	box.hidden = false;
	const { width, height } = box.getBoundingClientRect();
	const room = document.documentElement.clientWidth;
	let left = clientX + 14;
	if (left + width > room - 8) left = clientX - width - 14;
	box.style.left = `${Math.max(8, Math.min(left, room - width - 8))}px`;
	box.style.top = `${Math.max(8, Math.min(clientY - height / 2, innerHeight - height - 8))}px`;
}

// Makes a chart answer to mouse, touch and keyboard. Marks are numbered 0 … count − 1.
//   locate(x, y) → mark or −1    place(mark) → {x, y}    point(mark) draws the cursor
//   tell(mark) → the tooltip     pick(mark) → the facts    step(mark, key) → the next mark
function interact(host, root, { count: marks, locate, place, point, tell, pick, step, first }) {
	const had = host.querySelector('svg.chart') === document.activeElement && document.activeElement !== null, told = tipOwner === host;
	const cursor = svg('g', { class: 'cursor', 'pointer-events': 'none' });
	root.append(cursor);
	let at = -1;
	const clear = () => {
		cursor.replaceChildren();
		if (tipOwner === host) hideTip();
	};
	const show = (mark, x, y) => {
		at = host.mark = mark;
		cursor.replaceChildren(...[point(mark)].flat());
		const frame = root.getBoundingClientRect(), spot = place(mark);
		showTip(host, tell(mark), x ?? frame.left + spot.x, y ?? frame.top + spot.y);
	};
	host.again = () => at >= 0 && show(at);
	const inside = event => {
		const frame = root.getBoundingClientRect();
		return locate(event.clientX - frame.left, event.clientY - frame.top);
	};
	root.addEventListener('pointermove', event => {
		const mark = inside(event);
		root.classList.toggle('picks', mark >= 0 && !!pick);
		if (mark < 0) clear();
		else show(mark, event.clientX, event.clientY);
	});
	root.addEventListener('pointerleave', () => { if (document.activeElement !== root) clear(); else if (at >= 0) clear(); });
	root.addEventListener('click', event => {
		const mark = inside(event);
		if (mark >= 0 && pick) {
			clear();
			pick(mark);
		}
	});
	root.addEventListener('focus', () => {
		if (root.matches(':focus-visible') && marks) show(Math.min(host.mark ?? first ?? marks - 1, marks - 1));
	});
	root.addEventListener('blur', clear);
	root.addEventListener('keydown', event => {
		if (!marks) return;
		const now = at < 0 ? Math.min(host.mark ?? first ?? marks - 1, marks - 1) : at;
		let next = null;
		if (event.key === 'Escape') {
			clear();
			return;
		}
		if (event.key === 'Enter' || event.key === ' ') {
			event.preventDefault();
			if (pick) {
				clear();
				pick(now);
			}
			return;
		}
		if (event.key === 'Home') next = 0;
		else if (event.key === 'End') next = marks - 1;
		else if (/^Arrow/.test(event.key)) next = step ? step(now, event.key) : now + ({ ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 })[event.key];
		if (next == null) return;
		event.preventDefault();
		if (next >= 0 && next < marks) show(next);
	});
	if (marks) root.setAttribute('tabindex', '0');
	host.replaceChildren(root);
	if (had && marks) root.focus({ preventScroll: true });
	if (!told) clear(); // Escape had hidden it
}

// roomFor(host, natural) → the height a chart may have beside a taller neighbour; a single column gives none
function roomFor(host, natural) {
	if (document.documentElement.clientWidth <= 1000) return natural;
	const chart = host.querySelector('svg.chart');
	chart?.classList.add('measuring');
	const room = host.clientHeight;
	chart?.classList.remove('measuring');
	return Math.max(natural, Math.min(room, natural * 1.7));
}

function canvas(host, height, label) {
	const width = Math.max(240, Math.floor(host.clientWidth || 600));
	const root = svg('svg', { class: 'chart', width, height, viewBox: `0 0 ${width} ${height}`, role: 'application', 'aria-roledescription': 'chart', 'aria-label': `${label} Arrow keys read the values, Enter shows the facts behind them.` });
	return { root, width };
}

// --- Strips: one small chart a row, on one time axis ------------------------------------------------------------------
// rows: [{label, big, small, tone}], points[row][i]: null or an object; bands: [{low, high, opacity}], lines: [{of, dash}]

export function strips(host, { label, rows, labels, points, bands, lines, scale, tell, pick }) {
	const narrow = (host.clientWidth || 600) < 520;
	const left = narrow ? 46 : 150, right = 6, head = narrow ? 18 : 0, gap = 15;
	const heights = rows.map(row => row.sparse && rows.length > 1 ? 50 : rows.length === 1 ? (narrow ? 150 : 240) : narrow ? 64 : 70);
	const tops = heights.map((_, i) => heights.slice(0, i).reduce((t, v) => t + v + head + gap, head + 5));
	const height = tops[rows.length - 1] + heights[rows.length - 1] + 22;
	const { root, width } = canvas(host, height, label);
	const inner = width - left - right, n = labels.length;
	const x = i => left + (i + 0.5) * inner / n;
	const ys = [];

	rows.forEach((row, index) => {
		const top = tops[index], rowHeight = heights[index], bottom = top + rowHeight;
		const y = ys[index] = (scale.log ? logarithmic : linear)(scale.from, scale.to, bottom, top);
		const ticks = scale.log ? timeTicks(scale.from, scale.to, y, 18) : rows.length === 1 ? [0, 0.25, 0.5, 0.75, 1] : row.sparse ? [0, 1] : [0, 0.5, 1];
		for (const tick of ticks) {
			root.append(svg('path', { d: `M${left} ${r1(y(tick)) + 0.5}H${width - right}`, class: 'grid' }));
			root.append(text(left - 6, r1(y(tick)) + 3.5, scale.log ? duration(tick) : percent(tick, 0), { class: 'axis', 'text-anchor': 'end' }));
		}
		if (narrow) {
			root.append(text(0, top - 7, row.label, { class: 'row-label' }));
			root.append(text(width - right, top - 7, `${row.big} · ${row.small}`, { class: 'axis', 'text-anchor': 'end' }));
		} else {
			root.append(text(0, top + 13, row.label, { class: 'row-label' }), text(0, top + 34, row.big, { class: 'row-big' }), text(0, top + 49, row.small, { class: 'axis' }));
			root.append(svg('path', { d: `M0 ${top - 1}h22`, class: `line thick ${row.tone}` }));
		}
		// runs without a gap
		const runs = [];
		let run = null;
		points[index].forEach((point, i) => {
			if (!point) run = null;
			else if (run) run.push(i);
			else runs.push(run = [i]);
		});
		const group = root.appendChild(svg('g', { class: row.tone }));
		const half = Math.min(inner / n / 2, 5);
		if (row.sparse) {
			points[index].forEach((point, i) => {
				if (!point) return;
				group.append(svg('path', { d: `M${r1(x(i))} ${r1(y(bands[0].high(point)))}V${r1(y(bands[0].low(point)))}`, class: 'thin' }), svg('circle', { cx: r1(x(i)), cy: r1(y(lines[0].of(point))), r: 2.4, class: 'dot' }));
			});
		} else for (const r of runs) {
			const ends = r.length === 1 ? [[x(r[0]) - half, r[0]], [x(r[0]) + half, r[0]]] : r.map(i => [x(i), i]);
			for (const band of bands) {
				const high = ends.map(([px, i]) => `${r1(px)} ${r1(y(band.high(points[index][i])))}`);
				const low = ends.map(([px, i]) => `${r1(px)} ${r1(y(band.low(points[index][i])))}`).reverse();
				group.append(svg('path', { d: `M${high.join('L')}L${low.join('L')}Z`, class: 'band', 'fill-opacity': band.opacity }));
			}
			for (const line of lines) {
				if (r.length > 1) group.append(svg('path', { d: `M${r.map(i => `${r1(x(i))} ${r1(y(line.of(points[index][i])))}`).join('L')}`, class: `line ${line.dash || ''}` }));
				else group.append(svg('circle', { cx: r1(x(r[0])), cy: r1(y(line.of(points[index][r[0]]))), r: line.dash ? 1.4 : 2.2, class: 'dot' }));
			}
		}
	});
	bottomLabels(root, labels, x, height - 3, inner);

	const columnOf = px => Math.max(0, Math.min(n - 1, Math.floor((px - left) / inner * n)));
	interact(host, root, {
		count: n * rows.length,
		first: n - 1,
		locate: (px, py) => {
			if (px < left) return -1;
			let row = tops.findIndex((top, index) => py <= top + heights[index] + gap / 2);
			if (row < 0) row = rows.length - 1;
			return row * n + columnOf(px);
		},
		place: mark => ({ x: x(mark % n), y: tops[Math.floor(mark / n)] + heights[Math.floor(mark / n)] / 2 }),
		point: mark => {
			const i = mark % n, here = Math.floor(mark / n);
			return [svg('path', { d: `M${r1(x(i))} 0V${height - 18}`, class: 'hair' }), ...rows.map((row, index) => points[index][i] &&
				svg('circle', { cx: r1(x(i)), cy: r1(ys[index](lines[0].of(points[index][i]))), r: index === here ? 4 : 2.5, class: `dot ${row.tone}` })).filter(Boolean)];
		},
		tell: mark => tell(Math.floor(mark / n), mark % n),
		pick: pick && (mark => pick(Math.floor(mark / n), mark % n)),
		step: (mark, key) => {
			const row = Math.floor(mark / n), i = mark % n;
			const [r, c] = { ArrowLeft: [row, i - 1], ArrowRight: [row, i + 1], ArrowUp: [row - 1, i], ArrowDown: [row + 1, i] }[key];
			return c < 0 || c >= n || r < 0 || r >= rows.length ? null : r * n + c;
		},
	});
}

// --- Stacked bars, with a line of a second measure below on the same axis ---------------------------------------------
// series: [{label, fill, hatch, of(row)}]; under: {label, of, low, high, log, from, to, ticks, format, reference}

export function stack(host, { label, labels, rows, series, under, root: squareRoot, tell, pick, room }) {
	const narrow = (host.clientWidth || 600) < 480;
	const left = 44, right = 6, top = 8, lower = under ? under.height || 56 : 0, between = under ? 26 : 0, rest = top + between + lower + 18;
	const height = roomFor(host, rest + (narrow ? 130 : 168)), upper = height - rest;
	const { root, width } = canvas(host, height, label);
	const hatch = hatches(root);
	const inner = width - left - right, n = labels.length, step = inner / n;
	const x = i => left + (i + 0.5) * step;
	const totals = rows.map(row => row ? series.reduce((t, s) => t + (s.of(row) || 0), 0) : 0);
	const highest = Math.max(1, ...totals);
	const ticks = squareRoot ? [0, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 1e5, 1e6, 1e7].filter(t => t <= highest) : steps(highest, 4);
	const most = squareRoot ? highest : ticks[ticks.length - 1];
	const bend = squareRoot ? Math.sqrt : v => v;
	const y = v => top + upper - bend(v) / bend(most) * upper;
	let drawn = Infinity;
	for (const tick of ticks) {
		if (drawn - y(tick) < 12) continue;
		drawn = y(tick);
		root.append(svg('path', { d: `M${left} ${r1(y(tick)) + 0.5}H${width - right}`, class: tick ? 'grid' : 'base' }), text(left - 6, r1(y(tick)) + 3.5, count(tick), { class: 'axis', 'text-anchor': 'end' }));
	}
	const wide = Math.max(1, Math.min(step * 0.82, step - 1, 34));
	rows.forEach((row, i) => {
		if (!row) return;
		let below = 0;
		for (const s of series) {
			const v = s.of(row) || 0;
			if (v > 0) {
				const y1 = y(below + v), y0 = y(below);
				box(root, hatch, x(i) - wide / 2, y1, wide, Math.max(0.8, y0 - y1 - (y0 - y1 > 3 ? 0.6 : 0)), s);
			}
			below += v;
		}
	});
	let yu = null;
	if (under) {
		const t = top + upper + between, b = t + lower;
		yu = (under.log ? logarithmic : linear)(under.from, under.to, b, t);
		root.append(text(left, t - 7, under.label, { class: 'axis strong' }));
		for (const tick of under.log ? timeTicks(under.from, under.to, yu, 14) : under.ticks) {
			root.append(svg('path', { d: `M${left} ${r1(yu(tick)) + 0.5}H${width - right}`, class: 'grid' }), text(left - 6, r1(yu(tick)) + 3.5, under.format(tick), { class: 'axis', 'text-anchor': 'end' }));
		}
		if (under.reference) root.append(svg('path', { d: `M${rows.map((_, i) => `${r1(x(i))} ${r1(yu(under.reference(i)))}`).join('L')}`, class: 'reference' }));
		let run = [];
		const flush = () => {
			if (run.length > 1 && !under.points) root.append(svg('path', { d: `M${run.map(([px, py]) => `${r1(px)} ${r1(py)}`).join('L')}`, class: 'line ink' }));
			else for (const [px, py] of run) root.append(svg('circle', { cx: r1(px), cy: r1(py), r: under.points ? 3 : 1.8, class: 'dot ink' }));
			run = [];
		};
		rows.forEach((row, i) => {
			const v = row ? under.of(row) : null;
			if (v == null) return flush();
			if (under.low) root.append(svg('path', { d: `M${r1(x(i))} ${r1(yu(under.low(row)))}V${r1(yu(under.high(row)))}`, class: under.points ? 'whisker strong' : 'whisker' }));
			run.push([x(i), yu(v)]);
		});
		flush();
	}
	bottomLabels(root, labels, x, height - 3, inner, room);

	interact(host, root, {
		count: n,
		locate: (px, py) => px < left || px > width - right || py > height - 12 ? -1 : Math.max(0, Math.min(n - 1, Math.floor((px - left) / step))),
		place: i => ({ x: x(i), y: top + upper / 2 }),
		point: i => [
			svg('rect', { x: r1(x(i) - step / 2), y: top, width: r1(step), height: height - 18 - top, class: 'veil' }),
			under && rows[i] && under.of(rows[i]) != null ? svg('circle', { cx: r1(x(i)), cy: r1(yu(under.of(rows[i]))), r: 3.5, class: 'dot ink' }) : null,
		].filter(Boolean),
		tell, pick,
		step: (i, key) => ({ ArrowLeft: i - 1, ArrowRight: i + 1 })[key] ?? i,
	});
}

// --- Heat map hour × weekday; on a narrow screen it stands upright ----------------------------------------------------

// Every cell says its number: shorter where there is no room, and then smaller.
const shorter = n => n < 1000 ? [count(n)] : n < 1e6 ? [count(n), `${(n / 1e3).toFixed(1)}k`, `${Math.round(n / 1e3)}k`] : [count(n), `${(n / 1e6).toFixed(1)}M`, `${Math.round(n / 1e6)}M`];
const widthOf = words => 0.58 * words.length + (words.endsWith('M') ? 0.3 : 0); // by the height of a digit
function fitting(n, room) {
	const words = shorter(n), fits = words.find(word => 10 * widthOf(word) <= room);
	return fits ? { words: fits, size: 10 } : { words: words.at(-1), size: Math.max(5, Math.min(10, room / widthOf(words.at(-1)))) };
}

export function heat(host, { label, cells, weekdays, tell, pick }) {
	const upright = (host.clientWidth || 600) < 460;
	const columns = upright ? 7 : 24, lines = upright ? 24 : 7;
	const left = upright ? 40 : 34, top = 16, across = Math.max(240, host.clientWidth || 600) - left - 2;
	const cellWidth = across / columns, cellHeight = upright ? 16 : Math.min(56, (roomFor(host, top + 7 * 30 + 2) - top - 2) / 7);
	const { root } = canvas(host, Math.ceil(top + lines * cellHeight + 2), label);
	const most = Math.max(1, ...cells.flat().map(cell => cell.n));
	const at = (column, line) => upright ? cells[column][line] : cells[line][column];
	for (let line = 0; line < lines; line++) {
		if (upright ? line % 3 === 0 : true) root.append(text(left - 6, r1(top + (line + 0.5) * cellHeight) + 3.5, upright ? `${line}:00` : weekdays[line], { class: 'axis', 'text-anchor': 'end' }));
		for (let column = 0; column < columns; column++) {
			const cell = at(column, line), strength = Math.sqrt(cell.n / most);
			const px = left + column * cellWidth, py = top + line * cellHeight;
			root.append(svg('rect', { x: r1(px) + 0.5, y: r1(py) + 0.5, width: r1(cellWidth - 1), height: r1(cellHeight - 1), rx: 2, class: cell.n ? 'heat' : 'heat none', 'fill-opacity': cell.n ? (0.08 + 0.92 * strength).toFixed(3) : null }));
			if (!cell.n) continue;
			const { words, size } = fitting(cell.n, cellWidth - 3);
			const label = root.appendChild(text(r1(px + cellWidth / 2), r1(py + cellHeight / 2 + size * 0.35), words, { class: strength > 0.9 ? 'cell strong' : strength > 0.66 ? 'cell mid' : 'cell', 'text-anchor': 'middle' }));
			if (size < 10) label.style.fontSize = `${r1(size)}px`;
		}
	}
	for (let column = 0; column < columns; column++) {
		if (upright || column % 3 === 0) root.append(text(r1(left + (column + 0.5) * cellWidth), 10, upright ? weekdays[column] : `${column}`, { class: 'axis', 'text-anchor': 'middle' }));
	}
	const decode = mark => upright ? { day: mark % 7, hour: Math.floor(mark / 7) } : { day: Math.floor(mark / 24), hour: mark % 24 };
	interact(host, root, {
		count: 168,
		first: 0,
		locate: (px, py) => {
			const column = Math.floor((px - left) / cellWidth), line = Math.floor((py - top) / cellHeight);
			return column < 0 || column >= columns || line < 0 || line >= lines ? -1 : line * columns + column;
		},
		place: mark => ({ x: left + (mark % columns + 1) * cellWidth, y: top + (Math.floor(mark / columns) + 0.5) * cellHeight }),
		point: mark => svg('rect', { x: r1(left + mark % columns * cellWidth), y: r1(top + Math.floor(mark / columns) * cellHeight), width: r1(cellWidth), height: r1(cellHeight), rx: 2, class: 'ring' }),
		tell: mark => tell(decode(mark).day, decode(mark).hour),
		pick: pick && (mark => pick(decode(mark).day, decode(mark).hour)),
		step: (mark, key) => {
			const line = Math.floor(mark / columns), column = mark % columns;
			const [l, c] = { ArrowLeft: [line, column - 1], ArrowRight: [line, column + 1], ArrowUp: [line - 1, column], ArrowDown: [line + 1, column] }[key];
			return l < 0 || l >= lines || c < 0 || c >= columns ? null : l * columns + c;
		},
	});
}

// --- Horizontal bars: a whole and its solid part ----------------------------------------------------------------------

export function bars(host, { label, rows, whole, part, tell, pick }) {
	const narrow = (host.clientWidth || 600) < 420;
	const rowHeight = Math.min(28, (roomFor(host, rows.length * 23 + 4) - 4) / rows.length), left = narrow ? 112 : 142, right = narrow ? 84 : 118;
	const { root, width } = canvas(host, Math.ceil(rows.length * rowHeight + 4), label);
	const hatch = hatches(root);
	const x = linear(0, Math.max(1, ...rows.map(row => row.n)), 0, width - left - right);
	rows.forEach((row, i) => {
		const y = r1(i * rowHeight + 4);
		const fits = Math.floor((left - 10) / 6.3);
		root.append(text(left - 8, y + 12, row.label.length > fits ? `${row.label.slice(0, fits - 1)}…` : row.label, { class: 'row-label', 'text-anchor': 'end' }));
		box(root, hatch, left, y, x(row.n), 15, whole);
		if (row.part) box(root, hatch, left, y + 4, x(row.part), 7, part);
		const value = text(left + r1(x(row.n)) + 6, y + 12, '', { class: 'value' });
		value.append(svg('tspan', {}, count(row.n)), svg('tspan', { class: 'axis', dx: 6 }, row.note || ''));
		root.append(value);
	});
	interact(host, root, {
		count: rows.length,
		first: 0,
		locate: (px, py) => {
			const i = Math.floor(py / rowHeight);
			return i >= 0 && i < rows.length ? i : -1;
		},
		place: i => ({ x: left + x(rows[i].n) / 2, y: i * rowHeight + 12 }),
		point: i => svg('rect', { x: 0.5, y: i * rowHeight + 0.5, width: width - 1, height: rowHeight - 1, rx: 3, class: 'ring' }),
		tell, pick,
	});
}

// --- A matrix of shares: in each cell a bar and what it stands for ----------------------------------------------------

export function matrix(host, { label, rows, columns, cells, tones, tell, pick }) {
	const narrow = (host.clientWidth || 600) < 480;
	const left = narrow ? 98 : 150, cellWidth = ((host.clientWidth || 600) - left) / columns.length, tight = cellWidth < 84, pad = tight ? 4 : 8;
	const top = 22, rowHeight = tight ? 46 : Math.min(50, Math.floor((roomFor(host, top + rows.length * 36) - top) / rows.length));
	const { root, width } = canvas(host, top + rows.length * rowHeight, label);
	const fit = (words, room) => words.length * 7 > room ? `${words.slice(0, Math.max(1, Math.floor(room / 7) - 1))}…` : words;
	columns.forEach((name, c) => root.append(text(r1(left + c * cellWidth + pad), 12, fit(name, cellWidth - pad), { class: 'axis strong' })));
	rows.forEach((name, r) => {
		const y = top + r * rowHeight;
		root.append(svg('path', { d: `M0 ${y - 2.5}H${width}`, class: 'grid' }), text(0, y + 19, fit(name.replaceAll('_', ' '), left), { class: 'row-label' }));
		columns.forEach((_, c) => {
			const cell = cells[r][c], px = left + c * cellWidth + pad, wide = cellWidth - 2 * pad, line = tight ? 31 : 20;
			if (!cell) {
				root.append(text(r1(px), y + 19, 'none', { class: 'axis' }));
				return;
			}
			const words = text(r1(px), y + 14, '', { class: 'value' });
			words.append(svg('tspan', {}, percent(cell.part / cell.n, 0)), svg('tspan', tight ? { class: 'axis', x: r1(px), dy: 13 } : { class: 'axis', dx: 5 }, tight ? `${cell.part}/${cell.n}` : `${cell.part} of ${cell.n}`));
			root.append(words, svg('rect', { x: r1(px), y: y + line, width: r1(wide), height: 6, rx: 2, class: 'track' }), svg('rect', { x: r1(px), y: y + line, width: r1(wide * cell.part / cell.n), height: 6, rx: 2, class: `fill ${tones[c]}` }));
		});
	});
	const n = columns.length;
	interact(host, root, {
		count: rows.length * n,
		first: 0,
		locate: (px, py) => {
			const c = Math.floor((px - left) / cellWidth), r = Math.floor((py - top) / rowHeight);
			return c < 0 || c >= n || r < 0 || r >= rows.length ? -1 : r * n + c;
		},
		place: mark => ({ x: left + (mark % n + 0.5) * cellWidth, y: top + (Math.floor(mark / n) + 0.5) * rowHeight }),
		point: mark => svg('rect', { x: r1(left + mark % n * cellWidth + 2), y: top + Math.floor(mark / n) * rowHeight, width: r1(cellWidth - 4), height: rowHeight - 4, rx: 3, class: 'ring' }),
		tell: mark => tell(Math.floor(mark / n), mark % n),
		pick: pick && (mark => pick(Math.floor(mark / n), mark % n)),
		step: (mark, key) => {
			const r = Math.floor(mark / n), c = mark % n;
			const [nr, nc] = { ArrowLeft: [r, c - 1], ArrowRight: [r, c + 1], ArrowUp: [r - 1, c], ArrowDown: [r + 1, c] }[key];
			return nr < 0 || nr >= rows.length || nc < 0 || nc >= n ? null : nr * n + nc;
		},
	});
}

// --- A spark: only a shape beside a number ----------------------------------------------------------------------------

export function spark(values) {
	const width = 160, height = 24, known = values.filter(v => v != null);
	const root = svg('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
	if (known.length < 2) return root;
	const y = linear(Math.min(...known), Math.max(...known), height - 3, 3), x = linear(0, values.length - 1, 2, width - 3);
	let d = '', up = true;
	values.forEach((v, i) => {
		if (v != null) d += `${up ? 'M' : 'L'}${r1(x(i))} ${r1(y(v))}`;
		up = v == null;
	});
	root.append(svg('path', { d, class: 'line ink' }));
	return root;
}
