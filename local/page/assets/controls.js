// Quotas and faults, by sliders.

import { $, el, attr, text, call, ofStream } from './dom.js';
import { count, bytes, percent, delay, milliseconds } from './format.js';

const decades = (from, to, steps) => {
  const list = [];
  for (let power = from; power < to; power *= 10) list.push(...steps.map((s) => s * power));
  return [...list, to];
};
const KiB = 1024, MiB = 1024 * KiB, noLimit = 0; // noLimit is the last step of a quota
const few = [1, 1.5, 2, 3, 5, 7];

const limits = [
  { name: 'records', label: 'Records', steps: [...decades(1, 1e6, [1, 2, 3, 5, 7]), noLimit], show: count },
  { name: 'calls', label: 'Put calls', steps: [...decades(1, 1e4, [1, 2, 3, 5, 7]), noLimit], show: count },
  { name: 'bytes', label: 'Bytes', steps: [...decades(1, 1000, few).slice(0, -1).map((n) => n * KiB), ...decades(1, 100, few).map((n) => n * MiB), noLimit], show: bytes },
].map((d) => ({ ...d, show: (n) => n === noLimit ? 'no limit' : d.show(n) }));

const shares = [0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];
const chance = (name, label) => ({ name, label, steps: shares, show: percent });
const mishaps = [
  chance('refuse', 'Refuse records'), chance('error', 'Fail calls'), chance('reset_before', 'Reset before storing'), chance('reset_after', 'Reset after storing'),
  { name: 'delay', label: 'Delay, up to', steps: [0, ...decades(10, 1e4, [1, 2, 5]), 2e4, 3e4, 6e4], show: delay },
];

// What AWS gives Direct PUT (developer guide, limits).
const presets = [
  ['No limit', { records: 0, calls: 0, bytes: 0 }, 'all the machine can do'],
  ['AWS', { records: 100000, calls: 1000, bytes: MiB }, "AWS's default, but for us-east-1, us-west-2 and eu-west-1"],
  ['AWS, us-east-1', { records: 500000, calls: 2000, bytes: 5 * MiB }, "AWS's default in us-east-1, us-west-2 and eu-west-1"],
];

// nearest is the step to show a value at; only 0 is shown as 0.
function nearest(steps, value) {
  if (value === 0) return steps.indexOf(0);
  const distance = (i) => steps[i] === 0 ? Infinity : Math.abs(steps[i] - value);
  return steps.reduce((best, _, i) => distance(i) < distance(best) ? i : best, 0);
}

// Sliders shows values and sends those that somebody sets, one call at a time and
// the latest values last. What a poll brings that was asked before then is old.
class Sliders {
  #values = {};
  #next = null;
  #sending = false;
  #settled = 0;

  constructor(root, defs, send) {
    this.send = send;
    this.parts = defs.map((d) => {
      const id = `${root.id}-${d.name}`;
      const input = el('input', { type: 'range', id, min: 0, max: d.steps.length - 1, step: 1 });
      const output = el('output', { for: id });
      input.addEventListener('input', () => this.set({ [d.name]: d.steps[input.value] }));
      $('.sliders', root).append(el('div', {}, el('label', { for: id }, d.label), output, input));
      return { d, input, output };
    });
  }

  get values() { return this.#values; }

  // set changes some values, shows them at once, and sends all.
  set(some) {
    this.#draw({ ...this.#values, ...some });
    const values = this.#values, send = this.send(); // for whom is decided now
    this.#next = () => send(values);
    this.#run();
  }

  async #run() {
    if (this.#sending) return;
    this.#sending = true;
    while (this.#next) {
      const next = this.#next;
      this.#next = null;
      await next();
    }
    this.#sending = false;
    this.#settled = performance.now();
  }

  show(values, asked) {
    if (!this.#sending && asked >= this.#settled) this.#draw(values);
  }

  #draw(values) {
    this.#values = values;
    for (const { d, input, output } of this.parts) {
      const value = values[d.name] ?? 0;
      input.value = nearest(d.steps, value);
      attr(input, 'aria-valuetext', d.show(value));
      text(output, d.show(value));
      output.parentNode.classList.toggle('off', value === 0);
    }
  }
}

export class Controls {
  #plan = {};
  #selected = null;
  #state = null;

  constructor(refresh) {
    const done = (ok) => { refresh(); return ok; };
    const quota = $('#quota'), faults = $('#faults');
    this.quota = new Sliders(quota, limits, () => {
      const target = this.#one() ? ofStream(this.#selected) : '';
      return (v) => call('PUT', 'quota' + target, { records: v.records, calls: v.calls, bytes: v.bytes }).then(done);
    });
    this.faults = new Sliders(faults, mishaps, () => (v) => this.#sendFaults(v).then(done));
    for (const [name, values, title] of presets) {
      const button = el('button', { type: 'button', title }, name);
      button.addEventListener('click', () => this.quota.set(values));
      $('#quota-actions').append(button);
    }
    this.same = el('button', { type: 'button', title: 'take its own quota away' }, 'As all streams');
    this.same.addEventListener('click', () => call('DELETE', 'quota' + ofStream(this.#selected)).then(done));
    $('#quota-actions').append(this.same);
    for (const radio of quota.querySelectorAll('[name=scope]')) radio.addEventListener('change', () => this.#show(performance.now()));
    $('#faults-clear').addEventListener('click', () => call('DELETE', 'faults').then(done));
  }

  #one() { return $('#quota [value=one]').checked; }

  // #sendFaults keeps what a plan has beside the sliders.
  #sendFaults(v) {
    const plan = { ...this.#plan };
    for (const { name } of mishaps) {
      if (v[name]) plan[name] = name === 'delay' ? v[name] + 'ms' : v[name];
      else delete plan[name];
    }
    if (plan.delay && !plan.delay_share) plan.delay_share = 1;
    return call('PUT', 'faults', plan);
  }

  show(state, selected, asked) {
    this.#state = state;
    this.#selected = selected;
    this.#show(asked);
  }

  #show(asked) {
    const { quota, region_quota: byRegion, control_quota: control, streams } = this.#state, s = this.#selected;
    const radio = $('#quota [value=one]');
    radio.disabled = !s;
    if (!s && radio.checked) $('#quota [value=all]').checked = true;
    text($('#scope-one'), s ? `Only ${s.name}` : 'Only the selected one');
    const one = this.#one();
    this.quota.show(one ? s.quota ?? quota : quota, asked);
    this.same.hidden = !one;
    this.same.disabled = !s?.quota;
    const own = streams.filter((s) => s.quota).length, none = !quota.records && !quota.calls && !quota.bytes;
    const notes = [];
    if (one) notes.push(s.quota ? 'It has a quota of its own.' : 'It has no quota of its own: that of all streams holds.');
    else if (own) notes.push(`${count(own)} ${own === 1 ? 'stream has a quota of its own' : 'streams have quotas of their own'}, which this does not change.`);
    if (byRegion && none && !(one && s.quota)) notes.push('While nothing is set here, each stream has what AWS gives it in its region.');
    if (control) notes.push(`Of each control operation an account has ${count(control)} ${control === 1 ? 'call' : 'calls'} a second in a region.`);
    text($('#quota-note'), notes.join(' '));

    const plan = this.#plan = this.#state.faults ?? {};
    this.faults.show({ ...plan, delay: milliseconds(plan.delay) }, asked);
    const more = [];
    if (plan.rules) more.push(`The plan has ${count(plan.rules.length)} more ${plan.rules.length === 1 ? 'rule' : 'rules'}, which stay.`);
    if (plan.delay && plan.delay_share < 1) more.push(`${percent(plan.delay_share)} of calls are delayed.`);
    text($('#faults-note'), more.join(' '));
  }
}
