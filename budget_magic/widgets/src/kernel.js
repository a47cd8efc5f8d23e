// @ts-check
// Whether the kernel that runs the turn is still there, where the front end says so.

/** @typedef {import("./types").Model} Model */

const ENDED = new Set(["restarting", "autorestarting", "terminating", "dead"]);

/**
 * Call `gone` once if the kernel ends; return what stops watching.
 *
 * JupyterLab and Notebook hand out the kernel's connection, other front ends do not.
 * @param {Model} model
 * @param {() => void} gone
 */
export function watchKernel(model, gone) {
  const { kernel, context } = model.widget_manager ?? {};
  const session = context?.sessionContext;
  const status = (/** @type {unknown} */ _, /** @type {string} */ now) => {
    if (ENDED.has(now)) gone();
  };
  const changed = (/** @type {unknown} */ _, /** @type {{newValue: unknown}} */ { newValue }) => {
    if (newValue !== kernel) gone();
  };
  const signals = [
    [kernel?.statusChanged, status],
    [kernel?.disposed, gone],
    [session?.statusChanged, status],
    [session?.kernelChanged, changed],
  ].filter(([signal]) => typeof signal?.connect === "function");
  for (const [signal, heard] of signals) signal.connect(heard);
  return () => {
    for (const [signal, heard] of signals) signal.disconnect(heard);
  };
}
