// @ts-check
// Keep the static report in the notebook's file, where the front end lets the page reach it.
//
// JupyterLab and Notebook prefer a widget to the HTML beside it, so a file with a live widget shows
// an error where its kernel is gone. They render outputs from one model and save another, which is
// kept in step; a change of the second with the origin "silent-change" is saved, not rendered. A
// page that was loaded again while the turn ran gets its output back here.

/**
 * @typedef {import("./types").Model} Model
 * @typedef {import("./types").Saved} Saved
 */

const WIDGET = "application/vnd.jupyter.widget-view+json";
const SILENT = "silent-change";

export class NotebookFile {
  /** @param {Model} model */
  constructor(model) {
    this.notebook = model.widget_manager?.context?.model;
  }

  /** Whether the notebook can be reached from here. */
  get works() {
    return typeof this.notebook?.cells?.get === "function";
  }

  /**
   * Put the report into the file, beside the live view in the page; return whether that was done.
   * @param {Saved} saved
   * @param {boolean} again whether the page was loaded while the turn ran
   */
  put(saved, again) {
    if (!this.works || !saved?.panel) return false;
    const found = this.places(saved.panel);
    if (!found.length && again) {
      const cell = this.cell(saved.cell);
      cell?.outputs.add(output(saved));
      if (cell) found.push({ cell, index: cell.outputs.length - 1, isLive: false });
    }
    for (const { cell, index, isLive } of found) {
      if (saved.ended) {
        cell.outputs.set(index, output(saved));
        continue;
      }
      // A page that was loaded again shows the report that the file had: it gets its panel back.
      if (!isLive) cell.outputs.set(index, live(saved));
      cell.sharedModel.updateOutputs(index, index + 1, [output(saved)], SILENT);
    }
    return true;
  }

  /**
   * Return where the turn's outputs are, and whether the page shows a widget there.
   * @param {string} panel
   */
  places(panel) {
    const found = [];
    for (const cell of this.notebook.cells) {
      if (cell.type !== "code") continue;
      for (let index = 0; index < cell.outputs.length; index += 1) {
        const { data, metadata } = cell.outputs.get(index);
        const isLive = data?.[WIDGET]?.model_id === panel;
        if (isLive || metadata?.budget_magic?.panel === panel) found.push({ cell, index, isLive });
      }
    }
    return found;
  }

  /** @param {string} id */
  cell(id) {
    for (const cell of this.notebook.cells) if (cell.id === id && cell.type === "code") return cell;
    return null;
  }
}

/** @param {Saved} saved */
function live(saved) {
  const widget = { version_major: 2, version_minor: 0, model_id: saved.panel };
  const report = output(saved);
  return { ...report, data: { ...report.data, [WIDGET]: widget } };
}

/** @param {Saved} saved */
function output({ panel, ended, bundle }) {
  const metadata = ended ? {} : { budget_magic: { panel } };
  return { output_type: "display_data", data: bundle, metadata };
}
