// @ts-check
// Small parts of a page. Text of models and tools goes in as text; see `rendered` for HTML.

import { percent } from "./geometry.js";
import { GLYPHS } from "./glyphs.js";

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, className = "", ...children) {
  const el = document.createElement(tag);
  if (className) el.className = className;
  el.append(...children);
  return el;
}

/**
 * Return a sentence in which what stands between backticks is code.
 * @param {string} text
 */
export function coded(text) {
  return text.split("`").map((part, place) => (place % 2 ? h("code", "", part) : part));
}

/**
 * Set attributes; false and "" remove one.
 * @template {Element} E
 * @param {E} el
 * @param {Record<string, string | number | boolean>} values
 */
export function attrs(el, values) {
  for (const [name, value] of Object.entries(values)) {
    if (value === false || value === "") el.removeAttribute(name);
    else {
      const text = value === true ? "" : String(value);
      if (el.getAttribute(name) !== text) el.setAttribute(name, text);
    }
  }
  return el;
}

/**
 * @param {Element} el
 * @param {string} text
 */
export function setText(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

/**
 * @param {HTMLElement} el
 * @param {boolean} shown
 */
export function show(el, shown) {
  if (el.hidden === shown) el.hidden = !shown;
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} values
 */
export function svg(tag, values) {
  return attrs(document.createElementNS("http://www.w3.org/2000/svg", tag), values);
}

/**
 * Return a sign. The ring of a running state turns as a whole, which costs the page no layout.
 * @param {string} name
 * @param {string} [more] another class
 */
export function glyph(name, more = "") {
  const turns = name === "running" || name === "starting" || !(name in GLYPHS);
  const el = svg("svg", {
    class: `bm-glyph ${turns ? "bm-spin" : more}`.trim(),
    viewBox: "0 0 14 14",
    "aria-hidden": "true",
  });
  for (const [tag, values] of GLYPHS[name] ?? GLYPHS.running ?? []) el.append(svg(tag, values));
  return el;
}

/**
 * @param {string} className
 * @param {() => void} pressed
 * @param {...(Node | string)} children
 */
export function button(className, pressed, ...children) {
  const el = h("button", className, ...children);
  el.type = "button";
  el.addEventListener("click", pressed);
  return el;
}

/**
 * Take the focus for a moment, because what had it goes away: letters that a person types next must
 * not reach the notebook, where they are commands.
 * @param {HTMLElement} el
 */
export function holdFocus(el) {
  const could = el.hasAttribute("tabindex");
  if (!could) el.tabIndex = -1;
  el.focus({ preventScroll: true });
  if (!could) el.addEventListener("blur", () => el.removeAttribute("tabindex"), { once: true });
}

/**
 * @param {HTMLButtonElement | HTMLInputElement} control
 * @param {boolean} disabled
 */
export function disable(control, disabled) {
  if (control.disabled === disabled) return;
  const home =
    disabled && document.activeElement === control
      ? control.closest(".bm-approval, .budget-magic")
      : null;
  control.disabled = disabled;
  if (home instanceof HTMLElement) holdFocus(home);
}

/**
 * Return a part of a bar.
 * @param {string} className
 * @param {number} share
 */
export function segment(className, share) {
  const el = h("span", className);
  el.style.flexBasis = percent(share);
  el.hidden = !(share > 0);
  return el;
}

/**
 * @param {HTMLElement | undefined} el
 * @param {number} share
 */
export function setShare(el, share) {
  if (!el) return;
  const basis = percent(share);
  if (el.style.flexBasis !== basis) el.style.flexBasis = basis;
  show(el, share > 0);
}

/**
 * Return an element with HTML that the kernel rendered and sanitised; the only HTML that goes in.
 * @param {string} className
 * @param {string} html
 */
export function rendered(className, html) {
  const el = h("div", className);
  el.innerHTML = html;
  for (const link of el.querySelectorAll("a")) attrs(link, { target: "_blank" });
  return el;
}

/**
 * Return a button that copies what `text` returns.
 * @param {HTMLElement} source selected where a page without https has no clipboard
 */
export function copyButton(source) {
  const words = h("span", "", "Copy");
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const say = (/** @type {string} */ said) => {
    setText(words, said);
    clearTimeout(timer);
    timer = setTimeout(() => setText(words, "Copy"), 1500);
  };
  const select = () => {
    getSelection()?.selectAllChildren(source);
    say("Selected");
  };
  const copy = () => {
    if (!navigator.clipboard) return select();
    navigator.clipboard.writeText(source.textContent ?? "").then(() => say("Copied"), select);
  };
  return button("bm-button bm-copy", copy, words);
}
