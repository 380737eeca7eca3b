// Figures as text. Each has few widths, and digits are tabular, so that nothing
// jumps when one changes.

const whole = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });

export const count = (n) => whole.format(n);

// short is a count of at most three or four figures.
export function short(n) {
  if (n < 10) return String(Math.round(n * 10) / 10);
  if (n < 1e4) return count(n);
  return scaled(n, 1000, ['', ' k', ' M', ' G', ' T']);
}

// tick is for an axis: without zeros that say nothing.
export const tick = (unit) => (n) => unit(n).replace(/\.0+(?= )/, '');

// mostly is exact up to a million, so that it can be compared with other counts.
export const mostly = (n) => n < 1e7 ? count(n) : scaled(n, 1000, ['', ' k', ' M', ' G', ' T']);

export const bytes = (n) => n < 1024 ? count(n) + ' B' : scaled(n, 1024, [' B', ' KiB', ' MiB', ' GiB', ' TiB']);

function scaled(n, base, units) {
  let unit = 0;
  while (n >= base * 0.9995 && unit < units.length - 1) { n /= base; unit++; }
  return n.toFixed(n < 9.995 ? 2 : n < 99.95 ? 1 : 0) + units[unit];
}

export const percent = (share) => Number((share * 100).toPrecision(3)) + ' %';

export function seconds(s) {
  if (s < 10) return s.toFixed(1) + ' s';
  if (s < 600) return Math.round(s) + ' s';
  s = Math.round(s);
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${pad(Math.floor(s / 60) % 60)} min`;
  return `${Math.floor(s / 86400)} d ${pad(Math.floor(s / 3600) % 24)} h`;
}

const pad = (n) => String(n).padStart(2, '0');

export function clock(date) { return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`; }

const units = { h: 3.6e6, m: 6e4, s: 1e3, ms: 1, 'µs': 1e-3, us: 1e-3, ns: 1e-6 };

// milliseconds reads a duration as Go writes it, such as 1m0.5s.
export function milliseconds(duration = '') {
  let sum = 0;
  for (const [, n, unit] of duration.matchAll(/([\d.]+)(ms|µs|us|ns|h|m|s)/g)) sum += n * units[unit];
  return sum;
}

export const delay = (ms) => ms < 1000 ? Number(ms.toPrecision(3)) + ' ms' : Number((ms / 1000).toPrecision(3)) + ' s';
