// The time of spans and events.

/** Goes on evenly when somebody sets the clock. */
export const now = () => performance.timeOrigin + performance.now();

// The server's clock is ahead by something in here, as the header Date of its answers shows: it is cut to seconds, so each answer
// says little, and all of them together more.
let bounds = [-Infinity, Infinity];
/** The same, as a connection has measured it. @type {number[] | undefined} */
let measured;

/** @param {Response} answer @param {number} sent @param {number} received */
export function compareClocks(answer, sent, received) {
  const date = Date.parse(answer.headers.get("date") ?? "");
  if (Number.isNaN(date)) return;
  const [least, most] = [date - received, date + 1_000 - sent];
  const both = [Math.max(bounds[0], least), Math.min(bounds[1], most)];
  bounds = both[0] <= both[1] ? both : [least, most];
}

/** Says how far the server's clock is ahead, give or take half of the time that the measurement took. @param {number} ahead @param {number} roundTrip in milliseconds */
export function measure(ahead, roundTrip) {
  measured = [ahead - roundTrip / 2, ahead + roundTrip / 2 + 1];
}

/** How far the server's clock is ahead, in milliseconds: no more than is certain, so that equal clocks stay equal. */
export function ahead() {
  const [least, most] = measured ?? bounds;
  return Math.min(Math.max(0, least), most);
}
