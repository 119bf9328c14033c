// Figures with their units, as people read them.

const whole = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en-GB', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
const dayAlone = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const time = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' });

export const NOTHING = '–';

const isThere = (value) => value !== null && value !== undefined;

export const count = (value) => (isThere(value) ? whole.format(value) : NOTHING);

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

// In tenths. Nothing is told as nothing, and what is there, however little, is not.
function exact(value) {
  if (value === 0) return '0';
  return value > 0 && value < 0.1 ? '< 0.1' : tenths.format(value);
}

export const percent = (value) => (isThere(value) ? `${exact(value)} %` : NOTHING);

export const rate = (value) => (isThere(value) ? (value >= 100 ? whole.format(value) : exact(value)) : NOTHING);

// At least two places, and as many as the first few digits that mean something take.
const digits = (number) => new Intl.NumberFormat('en-GB', { maximumSignificantDigits: number });
const two = digits(2);
const three = digits(3);
const cents = new Intl.NumberFormat('en-GB', { minimumFractionDigits: 2, maximumFractionDigits: 9 });

export function dollars(value) {
  if (!isThere(value)) return 'unknown';
  if (value === 0) return '$0';
  if (value < 0.000001) return '< $0.000001';
  if (value >= 1) return `$${value.toLocaleString('en-GB', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `$${cents.format(Number((value < 0.01 ? two : three).format(value)))}`;
}

// A cost, of so many requests, where it is not known of some of them: what is missing is never told as nothing.
export function spent(cost, requests, unknown) {
  if (unknown > 0 && unknown === requests) return 'unknown';
  return unknown ? `at least ${dollars(cost)}` : dollars(cost);
}

export function seconds(value) {
  if (!isThere(value)) return NOTHING;
  if (value < 1) return milliseconds(value * 1000);
  if (value < 60) return `${tenths.format(value)} s`;
  const all = Math.floor(value);
  const minutes = Math.floor(all / 60) % 60;
  const rest = `${String(minutes).padStart(all >= 3600 ? 2 : 1, '0')}:${String(all % 60).padStart(2, '0')}`;
  return all >= 3600 ? `${Math.floor(all / 3600)}:${rest} h` : `${rest} min`;
}

// Whole tenths of a second, for a clock that runs.
export const ticking = (value) => (value < 60 ? `${tenths.format(value)} s` : seconds(value));

export function milliseconds(value) {
  if (!isThere(value)) return NOTHING;
  if (value < 10) return `${exact(value)} ms`;
  return value < 1000 ? `${whole.format(value)} ms` : seconds(value / 1000);
}

export const gigabytes = (megabytes) => `${tenths.format(megabytes / 1024)} GB`;

export const moment = (text) => (text ? day.format(new Date(text)) : NOTHING);

// A date such as 2026-01-31 is a day of UTC.
export const date = (text) => dayAlone.format(new Date(`${text}T00:00Z`));

export const clock = (milliseconds_) => time.format(new Date(milliseconds_));

export const words = (name) => {
  const text = name.replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
};

export const cut = (text, length) => (text.length > length ? `${text.slice(0, length).trimEnd()} …` : text);
