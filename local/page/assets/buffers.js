// Buffers that fill up: a bar for the bytes, and one for the age.

import { $, el, attr, text } from './dom.js';
import { count, bytes, seconds } from './format.js';
import { Rows } from './rows.js';

const columns = [
  { name: 'what', title: 'Buffer', class: 'what' },
  { name: 'size', title: 'Bytes', class: 'meter' },
  { name: 'age', title: 'Age', class: 'meter' },
  { name: 'sealed', title: 'Full', class: 'n small' },
  { name: 'failures', title: 'Failed', class: 'n small' },
];

// meter draws value of limit into a cell; a limit of 0 is reached at once.
function meter(cell, label, value, limit, unit) {
  const bar = cell.firstChild ?? cell.appendChild(el('progress', { max: 1 }));
  const line = cell.children[1] ?? cell.appendChild(el('span'));
  attr(bar, 'aria-label', label);
  bar.value = limit > 0 ? Math.min(1, value / limit) : 1;
  text(line, `${unit(value)} of ${unit(limit)}`);
}

function draw(cells, { stream, buffer: b }, row) {
  row.classList.toggle('failing', b.failures > 0);
  if (!cells.what.firstChild) cells.what.append(el('span', { class: 'line' }), el('span', { class: 'line soft' }));
  const lines = cells.what.children;
  const what = b.kind + (b.part ? ' ' + b.part : '');
  text(lines[0], stream ? stream.name : what);
  text(lines[1], (stream ? what + ', ' : '') + `${count(b.records)} ${b.records === 1 ? 'record' : 'records'}`);
  attr(cells.what, 'title', what);
  meter(cells.size, 'bytes of size', b.bytes, b.size, bytes);
  meter(cells.age, 'age of interval', b.age_s, b.interval_s, seconds);
  text(cells.sealed, count(b.sealed));
  text(cells.failures, count(b.failures));
  cells.failures.classList.toggle('bad', b.failures > 0);
  attr(cells.failures, 'title', b.failures > 0 ? 'deliveries in a row that failed' : null);
}

export class Buffers {
  constructor() { this.rows = new Rows($('#buffers-scroll'), columns, draw); }

  // show lists the buffers of a stream, or those of all, which have something in them.
  show(streams, selected) {
    const list = selected ? selected.buffers.map((buffer) => ({ buffer })) : streams.flatMap((stream) => stream.buffers.map((buffer) => ({ stream, buffer })));
    const filled = list.filter(({ buffer: b }) => b.records > 0 || b.failures > 0);
    text($('#buffers-count'), filled.length ? count(filled.length) : '');
    $('#buffers-scroll').hidden = filled.length === 0;
    $('#buffers .none').hidden = filled.length > 0;
    this.rows.show(filled);
  }
}
