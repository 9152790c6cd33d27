/** Times as people read them: relative in the text, exact on hover. Formatters are made once; making one is slow. */
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const withYear = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });
const short = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });

const DAY_MS = 86_400_000;

function startOfDay(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

export function clockTime(at) {
  return clock.format(new Date(at));
}

export function exactTime(at) {
  return exact.format(new Date(at));
}

export function dayKey(at) {
  return startOfDay(new Date(at));
}

/** "Today", "Yesterday", "Monday 16 November", "16 November 2024". */
export function dayName(at, now = Date.now()) {
  const date = new Date(at);
  const days = Math.round((startOfDay(new Date(now)) - startOfDay(date)) / DAY_MS);
  if (days === 0) return 'Today';
  if (days === 1) return 'Yesterday';
  return days > 0 && days < 300 ? weekday.format(date) : withYear.format(date);
}

/** The clock today, else the day: for lists where the exact minute of last week says nothing. */
export function shortTime(at, now = Date.now()) {
  return dayKey(at) === dayKey(now) ? clockTime(at) : short.format(new Date(at));
}
