// Three plots of one stream, or of all.

import { el, text } from './dom.js';
import { short, bytes, clock, tick } from './format.js';
import { span } from './history.js';

// Of a series, rate is its place in what History.of gives.
const kinds = [
  { id: 'records', title: 'Records put', unit: short, base: 10, least: 10, series: [
    { name: 'accepted', rate: 1, colour: '--accent' }, { name: 'throttled', rate: 2, colour: '--warn', dash: [4, 3] }] },
  { id: 'bytes', title: 'Bytes accepted', unit: bytes, base: 2, least: 1024, series: [{ name: 'bytes', rate: 3, colour: '--accent' }] },
  { id: 'delivered', title: 'Records delivered', unit: short, base: 10, least: 10, series: [{ name: 'delivered', rate: 4, colour: '--ok' }] },
];

const height = 150;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// ceiling is the next round figure, so that the scale changes seldom.
function ceiling(v, base, least) {
  if (!(v > least)) return least;
  const power = base ** Math.floor(Math.log(v) / Math.log(base));
  return power * [1, 2, 5, 10].find((f) => power * f >= v);
}

class Plot {
  constructor(root, kind, history) {
    this.kind = kind;
    this.outputs = kind.series.map((s) => el('output', { 'data-series': s.name }, '–'));
    this.at = el('span', { class: 'soft at' });
    const keys = kind.series.map((s, i) => el('span', { class: 'key ' + s.name }, s.name === kind.id ? '' : s.name + ' ', this.outputs[i]));
    this.host = el('div', { role: 'img', 'aria-label': `${kind.title} a second, over the last five minutes` });
    root.append(el('figure', { id: 'plot-' + kind.id }, el('figcaption', {}, el('b', {}, kind.title), this.at, el('div', {}, ...keys)), this.host));
    this.u = new window.uPlot(this.#options(history), [[], ...kind.series.map(() => [])], this.host);
    this.host.plot = this.u;
    new ResizeObserver(() => this.u.setSize({ width: this.host.clientWidth, height })).observe(this.host);
  }

  #options(history) {
    const k = this.kind, line = () => colour('--line'), axis = { stroke: () => colour('--soft'), grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 }, font: '11px system-ui, sans-serif' };
    return {
      width: 300, height, legend: { show: false }, padding: [8, 10, 0, 0],
      cursor: { sync: { key: 'page' }, drag: { x: false, y: false }, y: false, points: { size: 6 } },
      scales: { x: { range: () => [history.now - span, history.now] }, y: { range: (u, min, max) => [0, ceiling(max, k.base, k.least)] } },
      axes: [
        { ...axis, size: 24, incrs: [60], space: 30, values: (u, list) => list.map((s) => clock(new Date(s * 1000)).slice(0, 5)) },
        { ...axis, size: 62, space: 28, values: (u, list) => list.map(tick(k.unit)), ...(k.base === 2 && { incrs: Array.from({ length: 50 }, (_, i) => 2 ** i) }) },
      ],
      series: [{}, ...k.series.map((s) => ({ stroke: () => colour(s.colour), width: 1.5, dash: s.dash, points: { show: false } }))],
      hooks: { setCursor: [() => this.figures()] },
    };
  }

  draw(data) {
    this.u.setData([data[0], ...this.kind.series.map((s) => data[s.rate])]);
    this.figures();
  }

  // figures are those under the pointer, or the latest.
  figures() {
    const { data, cursor } = this.u, hovered = cursor.idx ?? null, i = hovered ?? data[0].length - 1;
    this.outputs.forEach((o, n) => text(o, data[n + 1][i] == null ? '–' : this.kind.unit(data[n + 1][i]) + '/s'));
    text(this.at, hovered === null ? '' : clock(new Date(data[0][i] * 1000)));
  }
}

export class Plots {
  #plots;

  constructor(root, history) {
    this.#plots = kinds.map((k) => new Plot(root, k, history));
    // The lines' colours are asked for at each drawing.
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#plots.forEach((p) => p.u.redraw()));
  }

  draw(data) { for (const p of this.#plots) p.draw(data); }
}
