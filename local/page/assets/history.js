// The rates of the last five minutes: differences of the totals that the server
// tells. The key '' stands for all streams together.

export const span = 300; // seconds
export const all = '';

const totalsOf = (s) => [s.totals.records, s.totals.throttled_records, s.totals.bytes, s.totals.delivered_records];

export class History {
  #samples = []; // {at, rates: Map of key to four rates}, the oldest first; without rates: nobody answered
  #last = null;  // {at, started, totals}

  add(state) {
    const at = Date.parse(state.now) / 1000, started = Date.parse(state.started) / 1000;
    // A second look right after the first would make a rate of a single call.
    if (this.#last?.started === started && at < this.#last.at + 0.5) return;
    const totals = new Map(state.streams.map((s) => [s.arn, totalsOf(s)]));
    if (this.#last && at > this.#last.at) this.#push(at, this.#rates(at, started, totals));
    this.#last = { at, started, totals };
  }

  // gap ends the lines where the server is gone.
  gap() {
    const last = this.#samples.at(-1);
    if (last?.rates) this.#push(last.at + 0.001, null);
  }

  #push(at, rates) {
    this.#samples.push({ at, rates });
    const old = this.#samples.findIndex((s) => s.at > at - span - 2);
    this.#samples.splice(0, Math.max(0, old));
  }

  #rates(at, started, totals) {
    // Another process counts from 0 since its start.
    const same = started === this.#last.started;
    const took = at - (same ? this.#last.at : Math.max(started, this.#last.at));
    const sum = [0, 0, 0, 0], rates = new Map([[all, sum]]);
    for (const [key, now] of totals) {
      const before = same && this.#last.totals.get(key);
      // A stream that was made anew counts from 0 as well.
      const made = !before || now.some((n, i) => n < before[i]);
      const r = now.map((n, i) => (n - (made ? 0 : before[i])) / took);
      rates.set(key, r);
      r.forEach((v, i) => { sum[i] += v; });
    }
    return rates;
  }

  // of is a stream's times and rates: [times, accepted, throttled, bytes, delivered].
  of(key) {
    const rows = this.#samples.map((s) => s.rates?.get(key));
    return [this.#samples.map((s) => s.at), ...[0, 1, 2, 3].map((i) => rows.map((r) => r ? r[i] : null))];
  }

  get now() { return this.#last?.at ?? Date.now() / 1000; }
}
