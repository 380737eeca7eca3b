// A table of which only the visible rows are in the page. All rows have one height,
// --row of the scrolling element.

import { $, el, attr } from './dom.js';

export class Rows {
  #items = [];
  #rows = [];

  // columns are {name, title, class}; draw(cells, item, row) fills the cells of a row.
  constructor(scroll, columns, draw) {
    this.scroll = scroll;
    this.columns = columns;
    this.draw = draw;
    this.cell = scroll.role === 'grid' ? 'gridcell' : 'cell';
    this.before = el('tr', { class: 'space', 'aria-hidden': 'true' });
    this.after = el('tr', { class: 'space', 'aria-hidden': 'true' });
    this.body = el('tbody', { role: 'rowgroup' }, this.before, this.after);
    this.table = $('table', scroll);
    this.table.append(
      el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...columns.map((c) => el('th', { class: c.class ?? '', scope: 'col', role: 'columnheader' }, c.title)))),
      this.body);
    scroll.addEventListener('scroll', () => this.#paint());
    new ResizeObserver(() => this.#paint()).observe(scroll);
  }

  // height is the style sheet's, which has another for narrow pages.
  get height() { return parseFloat(getComputedStyle(this.scroll).getPropertyValue('--row')); }

  show(items) {
    this.#items = items;
    attr(this.scroll.role === 'grid' ? this.scroll : this.table, 'aria-rowcount', items.length + 1);
    this.#paint();
  }

  // reveal scrolls so that item i is in view below the head.
  reveal(i) {
    const height = this.height, view = this.scroll.clientHeight - this.table.tHead.offsetHeight, top = i * height;
    this.scroll.scrollTop = Math.min(top, Math.max(this.scroll.scrollTop, top + height - view));
    this.#paint();
  }

  #paint() {
    const all = this.#items.length, height = this.height;
    this.#space(0, all - this.#drawn(), height); // the height is right before anything is measured
    const first = Math.max(0, Math.min(Math.floor(this.scroll.scrollTop / height), all - 1));
    const n = Math.min(Math.ceil(this.scroll.clientHeight / height) + 1, all - first);
    while (this.#rows.length < n) this.#add();
    this.#rows.forEach((r, i) => {
      r.row.hidden = i >= n;
      if (i >= n) return;
      attr(r.row, 'aria-rowindex', first + i + 2);
      this.draw(r.cells, this.#items[first + i], r.row, first + i);
    });
    this.#space(first, all - first - n, height);
  }

  #drawn() { return this.#rows.filter((r) => !r.row.hidden).length; }

  #space(before, after, height) {
    this.before.style.height = before * height + 'px';
    this.after.style.height = Math.max(0, after) * height + 'px';
  }

  #add() {
    const cells = {}, row = el('tr', { role: 'row' });
    for (const c of this.columns) row.append(cells[c.name] = el('td', { class: c.class ?? '', role: this.cell }));
    this.after.before(row);
    this.#rows.push({ row, cells });
  }
}
