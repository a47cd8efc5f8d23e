// @ts-check
// Arithmetic without a page: where text is split, what is followed, how lines are drawn.

/**
 * @typedef {import("./types").KindName} KindName
 * @typedef {import("./types").Pace} Pace
 * @typedef {import("./types").Step} Step
 */

export const KINDS = /** @type {KindName[]} */ (["thinking", "calls", "results", "text"]);
export const SPARK = { width: 200, height: 40, top: 3 };
const CHUNK = 4000;
const LONGEST_CHUNK = 8000;
const AT_END = 24;
const SHORTEST_BOX = 160;
const TALLEST_BOX = 900;

/** @param {number} share */
export const percent = (share) => `${(100 * Math.max(0, share)).toFixed(2)}%`;

/**
 * Return where in `text` a new chunk begins, after `length` characters of the present one; -1 for
 * nowhere. Chunks end at a line's end, where a new element changes nothing to the eye.
 * @param {number} length
 * @param {string} text
 */
export function chunkBreak(length, text) {
  if (length + text.length <= CHUNK) return -1;
  const line = text.indexOf("\n", Math.max(0, CHUNK - length - 1));
  if (line >= 0 && length + line < LONGEST_CHUNK) return line + 1;
  if (length + text.length <= LONGEST_CHUNK) return -1;
  let at = Math.max(LONGEST_CHUNK - length, 0);
  const unit = text.charCodeAt(at);
  if (unit >= 0xdc00 && unit < 0xe000) at += 1; // never through the middle of a character
  return at;
}

/**
 * Return whether the list still follows its end after it was scrolled to `now`.
 * @param {boolean} following
 * @param {number} topBefore
 * @param {{top: number, height: number, content: number}} now
 */
export function follows(following, topBefore, now) {
  if (now.content - now.height - now.top <= AT_END) return true;
  return now.top < topBefore - 1 ? false : following;
}

/**
 * Return a height that the box may have.
 * @param {number} height in pixels
 */
export function boxHeight(height) {
  return Math.max(SHORTEST_BOX, Math.min(TALLEST_BOX, Math.round(height)));
}

/**
 * Return the paths of what was left after each step and of where this pace leads; null for fewer
 * than two points.
 * @param {Pace} pace
 */
export function sparkPaths(pace) {
  const { width, height, top } = SPARK;
  const last = pace.shares.length - 1;
  if (last < 1) return null;
  const more = pace.more ?? 0;
  const reach = (width * pace.steps) / Math.max(pace.steps + more, 1);
  const points = pace.shares.map((share, place) => ({
    x: (reach * place) / last,
    y: top + (height - top) * (1 - share),
  }));
  const line = points.map(({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
  const { x, y } = points[last] ?? { x: 0, y: 0 };
  return {
    line: `M${line}`,
    next: more ? `M${x.toFixed(1)} ${y.toFixed(1)}L${width} ${height}` : "",
  };
}

/**
 * Return the tokens of the largest step, which the small bars are drawn against.
 * @param {Iterable<Step>} steps
 */
export function largestStep(steps) {
  let largest = 1;
  for (const { row } of steps)
    largest = Math.max(
      largest,
      KINDS.reduce((sum, kind) => sum + row.tokens[kind] + row.live[kind], 0),
    );
  return largest;
}
