// @ts-check
// The signs, drawn on 14 by 14 units.

/** @type {Record<string, [string, Record<string, string | number>][]>} */
export const GLYPHS = {
  running: [
    ["circle", { cx: 7, cy: 7, r: 5.2, opacity: 0.28 }],
    ["path", { d: "M7 1.8a5.2 5.2 0 0 1 5.2 5.2" }],
  ],
  retrying: [["path", { d: "M12 7a5 5 0 1 1-1.5-3.6M12 1.6v2.6H9.4" }]],
  waiting: [
    ["path", { d: "M7 1.2 12.8 7 7 12.8 1.2 7Z" }],
    ["path", { d: "M7 4.6v2.8M7 9.4v.1" }],
  ],
  wrapping_up: [
    ["circle", { cx: 7, cy: 7, r: 5.2 }],
    ["path", { d: "M7 3.6V7l2.2 1.6" }],
  ],
  completed: [
    ["circle", { cx: 7, cy: 7, r: 5.4 }],
    ["path", { d: "m4.6 7.2 1.7 1.7 3.2-3.5" }],
  ],
  halted: [
    ["rect", { x: 2, y: 2, width: 10, height: 10, rx: 1.5 }],
    ["path", { d: "M5.4 5v4M8.6 5v4" }],
  ],
  interrupted: [
    ["circle", { cx: 7, cy: 7, r: 5.4 }],
    ["path", { d: "M4.6 7h4.8" }],
  ],
  failed: [
    ["circle", { cx: 7, cy: 7, r: 5.4 }],
    ["path", { d: "m5 5 4 4M9 5 5 9" }],
  ],
  gone: [
    ["circle", { cx: 7, cy: 7, r: 5.4, "stroke-dasharray": "2.2 2" }],
    ["path", { d: "m4 4 6 6" }],
  ],
  down: [["path", { d: "m3 5 4 4 4-4" }]],
  up: [["path", { d: "m3 9 4-4 4 4" }]],
  right: [["path", { d: "m5 3 4 4-4 4" }]],
  stop: [
    [
      "rect",
      { x: 1.5, y: 1.5, width: 11, height: 11, rx: 1, fill: "currentColor", stroke: "none" },
    ],
  ],
};
