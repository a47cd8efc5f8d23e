// @ts-check
// The live panel of a turn, as anywidget loads it. The kernel sends small messages, which `Feed`
// joins; each view paints what changed. Bundled into ../static/panel.js: see CONTRIBUTING.md.

import { Attention } from "./attention.js";
import { Feed } from "./feed.js";
import { watchKernel } from "./kernel.js";
import { NotebookFile } from "./saved.js";
import { View } from "./view.js";

/**
 * @typedef {import("./types").Message} Message
 * @typedef {import("./types").Model} Model
 * @typedef {import("./types").Saved} Saved
 */

/** One widget: its messages are joined from the start, also before there is a view. */
export default function panel() {
  const feed = new Feed();
  /** @type {Set<View>} */
  const views = new Set();
  let gone = false;
  let putAgain = () => {};
  return {
    /** @param {{model: Model}} context */
    initialize({ model }) {
      const saved = new NotebookFile(model);
      /** @param {Message & {saved?: Saved}} message */
      const heard = (message) => {
        if (message.saved) keep(message.saved);
        else if (feed.take(message)) model.send({ k: "resync" });
      };
      /** @type {Saved} */
      let report = model.get("saved");
      // Where the page saw the cell begin, the kernel had no report yet as the widget came.
      const again = Boolean(report?.panel);
      /** @param {Saved} newest */
      const keep = (newest) => {
        report = newest;
        if (saved.put(report, again) && report.ended) model.send({ k: "kept" });
      };
      putAgain = () => {
        if (!report?.ended) saved.put(report, false);
      };
      const refresh = () => feed.takeSnapshot(model.get("snapshot"));
      refresh();
      keep(report);
      model.on("msg:custom", heard);
      model.on("change:snapshot", refresh);
      const attention = new Attention();
      const look = () => attention.update(feed.head);
      look();
      feed.listeners.add(look);
      const unwatch = watchKernel(model, () => {
        gone = true;
        for (const view of views) view.lose();
      });
      if (saved.works) model.send({ k: "saves" });
      return () => {
        unwatch();
        feed.listeners.delete(look);
        attention.remove();
        model.off("msg:custom", heard);
        model.off("change:snapshot", refresh);
      };
    },
    /** @param {{model: Model, el: HTMLElement}} context */
    render({ model, el }) {
      const view = new View(feed, (content) => model.send(content));
      views.add(view);
      if (gone) view.lose();
      el.append(view.el);
      view.paint();
      model.send({ k: "hello", r: feed.revision });
      putAgain(); // the output may not have been there when the report came
      return () => {
        views.delete(view);
        view.remove();
      };
    },
  };
}
