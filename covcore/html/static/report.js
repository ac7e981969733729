// What all pages share: data, the state in the address, keys, help, and the theme.
"use strict";

const covcore = (() => {
  const root = document.body.dataset.root || "";
  const single = document.body.dataset.single !== undefined; // all pages are in this one
  const waiting = new Map(); // key -> {promise, resolve}

  function slot(key) {
    if (!waiting.has(key)) {
      const entry = {};
      entry.promise = new Promise((resolve) => (entry.resolve = resolve));
      waiting.set(key, entry);
    }
    return waiting.get(key);
  }

  /** Called by the scripts in data/. */
  function data(key, value) {
    slot(key).resolve(value);
  }

  /** A promise of what stands under a key; its script is loaded if need be: from `file`, or data/KEY.js. */
  function load(key, file = key) {
    const entry = slot(key);
    if (!entry.asked) {
      entry.asked = true;
      const embedded = document.getElementById(`data-${file}`);
      if (embedded) data(key, JSON.parse(embedded.textContent));
      else document.head.append(Object.assign(document.createElement("script"), { src: `${root}data/${file}.js` }));
    }
    return entry.promise;
  }

  /** A promise of the bytes that were packed (covcore/html/data.py). */
  async function unpack(text) {
    const raw = atob(text);
    const bytes = new Uint8Array(raw.length);
    for (let n = 0; n < raw.length; n++) bytes[n] = raw.charCodeAt(n);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  /** Names that were front-coded (covcore/html/data.py). */
  function names(text) {
    const found = [];
    let before = "";
    for (const entry of text.split("\0").slice(0, -1)) {
      const blank = entry.indexOf(" ");
      found.push((before = before.slice(0, Number(entry.slice(0, blank))) + entry.slice(blank + 1)));
    }
    return found;
  }

  /** An element; text can only become text. */
  function el(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (value === undefined || value === null || value === false) continue;
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (name === "class") made.className = value;
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children);
    return made;
  }

  // ---- state: "#L12&tests=...", everything that makes the view

  const CARRIED = ["tests", "glob", "view", "base", "by", "sort", "q", "show"]; // from page to page, and so back to the index as it was
  let state = parse(location.hash);
  const listeners = [];

  function parse(hash) {
    const found = { at: "" };
    for (const part of hash.replace(/^#/, "").split("&")) {
      const at = part.indexOf("=");
      try {
        if (at < 0) Object.assign(found, place(decodeURIComponent(part)));
        else found[part.slice(0, at)] = decodeURIComponent(part.slice(at + 1));
      } catch {
        // no state of ours
      }
    }
    return found;
  }

  /** "L12"; in a single file also the name of a page, with or without a line: "0123456789abcdef-L12". */
  function place(text) {
    const [, page, at] = /^([0-9a-f]{16})(?:-(.*))?$/.exec(text) || [];
    return single && page ? { file: page, at: at || "" } : { at: text };
  }

  function hashOf(it) {
    const parts = Object.entries(it).filter(([key, value]) => key !== "at" && value);
    const text = [it.at, ...parts.map(([key, value]) => `${key}=${encodeURIComponent(value)}`)];
    return text.filter((part) => part).join("&");
  }

  /** Change the state; listeners hear of it. */
  function change(changes) {
    const before = state;
    state = { ...state, ...changes };
    const hash = `#${hashOf(state)}`;
    if (hash !== location.hash && (hash !== "#" || location.hash)) history.replaceState(null, "", hash);
    relink();
    for (const listener of listeners) listener(state, before);
  }

  addEventListener("hashchange", () => {
    const before = state;
    state = parse(location.hash);
    if (/^(L|B)\d/.test(state.at) && !location.hash.includes("=") && !single) {
      // a link within the page: what makes the view stays
      state = { ...before, at: state.at };
      history.replaceState(null, "", `#${hashOf(state)}`);
    }
    relink();
    for (const listener of listeners) listener(state, before);
  });

  /** The address of a page, of the index if it is "", with what is carried along. */
  function link(page, at = "") {
    const carried = Object.fromEntries(CARRIED.filter((key) => state[key]).map((key) => [key, state[key]]));
    if (single) return `#${hashOf({ at, file: page, ...carried }) || "index"}`;
    const hash = hashOf({ at, ...carried });
    return root + (page ? `files/${page}.html` : "index.html") + (hash && `#${hash}`);
  }

  function relink() {
    for (const a of document.querySelectorAll("a[data-nav]")) a.setAttribute("href", link(a.dataset.page || ""));
  }

  // ---- keys and help

  let keys = new Map(); // key -> [what it does, function]

  function key(name, text, run) {
    keys.set(name, [text, run]);
  }

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input:not([type=checkbox], [type=radio]), select, textarea, dialog[open]")) return;
    const known = keys.get(event.key);
    if (known) {
      event.preventDefault();
      known[1]();
    }
  });

  const help = el("dialog", { "aria-labelledby": "help-title" });

  function showHelp() {
    if (help.open) return;
    const list = el("dl");
    for (const [name, [text]] of keys) list.append(el("dt", {}, el("kbd", {}, name)), el("dd", {}, text));
    const close = el("button", { type: "button", onclick: () => help.close() }, "Close");
    help.replaceChildren(el("h2", { id: "help-title" }, "Keys"), list, close);
    document.body.append(help);
    help.showModal();
  }

  // ---- theme

  function isDark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  function toggleTheme() {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem("covcore-theme", theme);
    } catch {
      // storage may be forbidden
    }
    dispatchEvent(new Event("themechange"));
  }

  /** The buttons that every page has. */
  function commonTools() {
    key("?", "this help", showHelp);
    return [
      el("button", { type: "button", title: "Dark or light", onclick: toggleTheme }, "◐", el("span", { class: "vh" }, "Dark or light")),
      el("button", { type: "button", title: "Keys (?)", onclick: showHelp }, "?", el("span", { class: "vh" }, "Help")),
    ];
  }

  // ---- figures

  let precision = 0;

  /** As covcore.analysis.figures.display: "0" and "100" only where it is exactly that. */
  function percent(part, total) {
    if (!total) return "–";
    const value = (100 * part) / total;
    const smallest = 10 ** -precision;
    let shown = value > 0 && value < smallest ? smallest : value < 100 && value > 100 - smallest ? 100 - smallest : value;
    const steps = shown / smallest;
    if (Number.isInteger(shown * 2 ** (precision + 1)) && steps % 2 === 0.5) shown -= smallest / 2; // Python rounds to even
    return `${shown.toFixed(precision)}%`;
  }

  /** Show figures in the head of a page: {lines: [covered, total], branches: .., conditions: ..}. */
  function showFigures(section, figures) {
    for (const [name, [covered, total]] of Object.entries(figures)) {
      const figure = section.querySelector(`.figures [data-figure="${name}"]`);
      const meter = figure.querySelector("meter");
      meter.max = total || 1;
      meter.value = total ? covered : 1;
      meter.setAttribute("aria-label", `${name}: ${covered} of ${total}`);
      figure.querySelector(".value").textContent = percent(covered, total);
      figure.querySelector(".count").textContent = `${covered}\u2009/\u2009${total}`;
    }
  }

  return {
    data, load, unpack, names, el, link, key, change, percent, showFigures, commonTools, single,
    views: {}, // "index" and "file": functions that bring a page to life
    useKeys: (other) => (keys = other),
    get state() { return state; },
    onState: (listener) => listeners.push(listener),
    setPrecision: (digits) => (precision = digits),
  };
})();
