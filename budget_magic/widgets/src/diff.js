// @ts-check
// The lines that an edit changes.

/**
 * Return the lines of `before` and `after`, those that both share at their ends as context.
 * @param {string} before
 * @param {string} after
 * @returns {["same" | "del" | "ins", string][]}
 */
export function lineDiff(before, after) {
  const old = before.split("\n");
  const now = after.split("\n");
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head += 1;
  let tail = 0;
  while (
    tail < old.length - head &&
    tail < now.length - head &&
    old[old.length - 1 - tail] === now[now.length - 1 - tail]
  )
    tail += 1;
  return [
    .../** @type {["same", string][]} */ (old.slice(0, head).map((line) => ["same", line])),
    .../** @type {["del", string][]} */ (
      old.slice(head, old.length - tail).map((line) => ["del", line])
    ),
    .../** @type {["ins", string][]} */ (
      now.slice(head, now.length - tail).map((line) => ["ins", line])
    ),
    .../** @type {["same", string][]} */ (
      old.slice(old.length - tail).map((line) => ["same", line])
    ),
  ];
}
