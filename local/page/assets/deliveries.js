// The last deliveries. What the records hold is anybody's: it becomes text, never
// markup.

import { $, el, text } from './dom.js';
import { count, bytes, clock } from './format.js';

const nodes = new Map(); // by the delivery as JSON, so that one that stays is not touched

function node(d) {
  const first = d.first.length ? [el('pre', {}, d.first.join('\n'))] : [];
  return el('li', {},
    el('p', { class: 'line1' },
      el('time', { datetime: d.time, title: d.time }, clock(new Date(d.time))),
      el('b', { title: d.stream }, d.stream),
      el('span', { class: 'soft n' }, `${count(d.records)} ${d.records === 1 ? 'record' : 'records'}, ${bytes(d.bytes)}`)),
    el('p', { class: 'mono object' }, `${d.bucket}/${d.key}`), ...first);
}

export function showDeliveries(deliveries, selected) {
  const list = $('#deliveries-list');
  const shown = deliveries.filter((d) => !selected || d.stream === selected.name);
  const keys = shown.map((d) => JSON.stringify(d));
  for (const [key, old] of nodes) {
    if (!keys.includes(key)) { old.remove(); nodes.delete(key); }
  }
  keys.forEach((key, i) => {
    if (!nodes.has(key)) nodes.set(key, node(shown[i]));
    if (list.children[i] !== nodes.get(key)) list.insertBefore(nodes.get(key), list.children[i] ?? null);
  });
  list.hidden = shown.length === 0;
  const none = $('#deliveries .none');
  none.hidden = shown.length > 0;
  text(none, deliveries.length ? `None of the last ${deliveries.length} deliveries is of this stream.` : 'Nothing has been delivered yet.');
  text($('#deliveries-count'), shown.length || '');
}
