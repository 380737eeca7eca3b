// The list of streams, and the figures of the one that is selected.

import { $, el, attr, text } from './dom.js';
import { count, mostly, bytes } from './format.js';
import { all } from './history.js';
import { Rows } from './rows.js';

const number = (name, title, value, more = '') => ({ name, title, class: 'n ' + more, value });
const columns = [
  { name: 'name', title: 'Name', class: 'name', value: (s) => s.name },
  { name: 'region', title: 'Region', class: 'c3', value: (s) => s.region },
  { name: 'account', title: 'Account', class: 'c4', value: (s) => s.account },
  { name: 'status', title: 'Status', class: 'c2', value: (s) => s.status.toLowerCase() },
  { name: 'version', title: 'Ver.', class: 'n c4', value: (s) => s.version },
  { name: 'target', title: 'Destination', class: 'target c3', value: (s) => !s.arn ? '' : s.destination === 'http' ? s.target : `s3: ${s.target}` },
  number('records', 'Records', (s) => mostly(s.totals.records)),
  number('bytes', 'Bytes', (s) => bytes(s.totals.bytes), 'c1'),
  number('throttled', 'Throttled', (s) => mostly(s.totals.throttled_records)),
  number('delivered', 'Delivered', (s) => mostly(s.totals.delivered_records), 'c1'),
  number('objects', 'Objects', (s) => mostly(s.totals.objects), 'c3'),
  number('failures', 'Failures', (s) => mostly(s.totals.delivery_failures), 'c2'),
  number('waiting', 'Waiting', (s) => mostly(s.waiting_records)),
];

// sum is all streams as if they were one.
function sum(streams) {
  const total = { arn: all, name: 'All streams', region: '', account: '', status: '', version: '', totals: {}, waiting_records: 0, waiting_mib: 0, buffers: [] };
  for (const name of ['calls', 'records', 'bytes', 'throttled_records', 'refused_records', 'delivered_records', 'objects', 'delivery_failures']) {
    total.totals[name] = streams.reduce((n, s) => n + s.totals[name], 0);
  }
  total.waiting_records = streams.reduce((n, s) => n + s.waiting_records, 0);
  total.waiting_mib = streams.reduce((n, s) => n + s.waiting_mib, 0);
  total.buffers = streams.flatMap((s) => s.buffers);
  return total;
}

const failing = (s) => s.buffers.some((b) => b.failures > 0);

export class Streams {
  #streams = [];
  #shown = [];
  key = new URLSearchParams(location.hash.slice(1)).get('stream') ?? all; // or the ARN of the selected stream

  constructor(onSelect) {
    this.onSelect = onSelect;
    this.scroll = $('#streams-scroll');
    this.rows = new Rows(this.scroll, columns, (cells, s, row, i) => this.#row(cells, s, row, i));
    this.rows.body.addEventListener('click', (e) => {
      const row = e.target.closest('tr[data-key]');
      if (row) this.select(row.dataset.key);
    });
    this.scroll.addEventListener('keydown', (e) => this.#key(e));
    $('#filter').addEventListener('input', () => this.#filter());
  }

  get selected() { return this.#streams.find((s) => s.arn === this.key); }

  show(streams) {
    this.#streams = streams;
    if (!this.selected) this.key = all;
    this.#filter();
    this.#facts();
  }

  select(key) {
    this.key = key;
    history.replaceState(null, '', key ? '#stream=' + encodeURIComponent(key) : location.pathname);
    this.show(this.#streams);
    this.onSelect();
  }

  #filter() {
    const wanted = $('#filter').value.toLowerCase().split(/\s+/);
    const found = this.#streams.filter((s) => {
      const words = `${s.name} ${s.region} ${s.account} ${s.status} ${s.destination} ${s.target}`.toLowerCase();
      return wanted.every((w) => words.includes(w));
    });
    const n = this.#streams.length;
    text($('#streams-count'), found.length === n ? count(n) : `${count(found.length)} of ${count(n)}`);
    this.#shown = [sum(this.#streams), ...found];
    this.rows.show(this.#shown);
    attr(this.scroll, 'aria-activedescendant', $('tr[aria-selected=true]:not([hidden])', this.rows.body)?.id ?? null);
  }

  #row(cells, s, row, i) {
    for (const c of columns) text(cells[c.name], c.value(s));
    attr(cells.name, 'title', s.name);
    attr(cells.target, 'title', s.target ?? null);
    attr(row, 'data-key', s.arn);
    attr(row, 'id', 'stream-' + i);
    attr(row, 'aria-selected', s.arn === this.key);
    cells.status.classList.toggle('busy', s.status !== '' && s.status !== 'ACTIVE');
    cells.throttled.classList.toggle('warn', s.totals.throttled_records > 0);
    cells.failures.classList.toggle('bad', failing(s));
  }

  #key(e) {
    const last = this.#shown.length - 1, now = this.#shown.findIndex((s) => s.arn === this.key);
    const to = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: last, PageDown: now + 8, PageUp: now - 8 }[e.key];
    if (to === undefined || e.ctrlKey || e.altKey || e.metaKey) return;
    e.preventDefault();
    const i = Math.max(0, Math.min(to, last));
    this.select(this.#shown[i].arn);
    this.rows.reveal(i);
    this.#filter();
  }

  #facts() {
    const s = this.selected ?? sum(this.#streams), t = s.totals;
    text($('#chosen-h'), s.name);
    text($('#chosen-arn'), s.arn);
    const facts = [
      ['Records accepted', count(t.records)], ['Bytes accepted', bytes(t.bytes)], ['Put calls', count(t.calls)],
      ['Throttled', count(t.throttled_records), t.throttled_records && 'warn'], ['Refused otherwise', count(t.refused_records), t.refused_records && 'warn'],
      ['Delivered', count(t.delivered_records)], ['Objects', count(t.objects)], ['Failed deliveries', count(t.delivery_failures), failing(s) && 'bad'],
      ['Waiting in the journal', count(s.waiting_records)], ['Journal', bytes(s.waiting_mib * 1024 * 1024)],
    ];
    if (s.arn) {
      facts.push(['Status', s.status.toLowerCase()], ['Version', s.version], ['Region', s.region], ['Account', s.account],
        [s.destination === 'http' ? 'HTTP endpoint' : 'S3 bucket', s.target, 'wide']);
    }
    const list = $('#facts');
    while (list.children.length > facts.length) list.lastChild.remove();
    facts.forEach(([name, value, mark], i) => {
      const group = list.children[i] ?? list.appendChild(el('div', {}, el('dt'), el('dd')));
      group.className = mark || '';
      group.dataset.fact = name;
      text(group.firstChild, name);
      text(group.lastChild, value);
    });
  }
}
