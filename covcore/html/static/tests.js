// The reader's choice of tests: who ran what (records), which tests are chosen, and the panel to choose them in.
"use strict";

/** Which tests ran what of a file: see covcore/html/records.py. */
class FileRecord {
  constructor(bytes) {
    let at = 0;
    const number = () => {
      let value = 0;
      for (let shift = 1; ; shift *= 128) {
        const byte = bytes[at++];
        value += (byte & 127) * shift;
        if (byte < 128) return value;
      }
    };
    this.tests = new Uint32Array(number());
    for (let n = 0, before = -1; n < this.tests.length; n++) this.tests[n] = before = before + 1 + number();
    const groups = number();
    this.weights = new Uint32Array(number() * 5);
    for (let n = 0; n < this.weights.length; n++) this.weights[n] = number();
    this.crossings = new Uint32Array(number() * 3);
    for (let n = 0; n < this.crossings.length; n++) this.crossings[n] = number();
    this.width = (this.tests.length + 7) >> 3;
    this.columns = bytes.subarray(at, at + groups * this.width);
    this.groups = groups;
  }

  /** The chosen among its tests, as a column.  chosen: for each test of the report 0 or 1. */
  mask(chosen) {
    const found = new Uint8Array(this.width);
    for (let n = 0; n < this.tests.length; n++) if (chosen[this.tests[n]]) found[n >> 3] |= 1 << (n & 7);
    return found;
  }

  /** For each group whether a chosen test ran it; the last is that of all whoever are chosen. */
  alive(mask) {
    const found = new Uint8Array(this.groups + 1);
    found[this.groups] = 1;
    const used = [];
    for (let n = 0; n < this.width; n++) if (mask[n]) used.push(n);
    for (let group = 0; group < this.groups; group++) {
      const start = group * this.width;
      for (const n of used) {
        if (this.columns[start + n] & mask[n]) {
          found[group] = 1;
          break;
        }
      }
    }
    return found;
  }

  /** For each group whether chosen tests and no others ran it. */
  alone(mask) {
    const found = this.alive(mask);
    for (let group = 0; group < this.groups; group++) {
      const start = group * this.width;
      for (let n = 0; found[group] && n < this.width; n++) if (this.columns[start + n] & ~mask[n]) found[group] = 0;
    }
    return found;
  }

  /** The numbers of the tests of a group. */
  members(group) {
    const found = [];
    const start = group * this.width;
    for (let n = 0; group >= 0 && n < this.tests.length; n++) {
      if (this.columns[start + (n >> 3)] & (1 << (n & 7))) found.push(this.tests[n]);
    }
    return found;
  }

  /** What was run: statements, branches, outcomes; by function too, if an array is given for each. */
  totals(alive, functions = null) {
    const found = [0, 0, 0];
    const add = (kind, amount, number) => {
      found[kind] += amount;
      if (functions) functions[number * 3 + kind] += amount;
    };
    const w = this.weights;
    for (let n = 0; n < w.length; n += 5) {
      if (alive[w[n]]) for (let kind = 0; kind < 3; kind++) add(kind, w[n + 2 + kind], w[n + 1]);
    }
    const c = this.crossings;
    for (let n = 0; n < c.length; n += 3) if (alive[c[n]] && alive[c[n + 1]]) add(1, 1, c[n + 2]);
    return found;
  }
}

/** A list of which only what is in sight is there. */
class LongList {
  constructor(element, height, render) {
    Object.assign(this, { element, height, render, count: 0 });
    this.inner = covcore.el("div");
    element.append(this.inner);
    element.addEventListener("scroll", () => this.draw());
  }

  show(count) {
    this.count = count;
    this.inner.style.height = `${count * this.height}px`;
    this.element.scrollTop = 0;
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.element.scrollTop / this.height) - 8);
    const last = Math.min(this.count, first + Math.ceil((this.element.clientHeight || 600) / this.height) + 16);
    const rows = [];
    for (let n = first; n < last; n++) {
      const row = this.render(n);
      row.style.top = `${n * this.height}px`;
      rows.push(row);
    }
    this.inner.replaceChildren(...rows);
  }
}

const tests = (() => {
  const { el } = covcore;
  let names = null; // of all tests, once they are loaded
  const VIEWS = [
    ["", "what the chosen tests ran"],
    ["alone", "marked: what no other test ran"],
    ["one", "marked: what exactly one test ran"],
  ];

  async function load() {
    if (!names) names = covcore.names((await covcore.load("tests")).names);
    return names;
  }

  /** A regular expression for a pattern of fnmatch's. */
  function globRegExp(glob) {
    let text = "";
    for (let n = 0; n < glob.length; n++) {
      const c = glob[n];
      const close = c === "[" ? glob.indexOf("]", n + (glob[n + 1] === "!" ? 3 : 2)) : -1;
      if (c === "*") text += "[^]*";
      else if (c === "?") text += "[^]";
      else if (close > 0) {
        const inner = glob.slice(n + 1, close).replace(/[\\\]^]/g, "\\$&");
        text += inner.startsWith("!") ? `[^${inner.slice(1)}]` : `[${inner}]`;
        n = close;
      } else text += c.replace(/[\\^$.|+()[\]{}]/g, "\\$&");
    }
    try {
      return new RegExp(`^(?:${text})$`, "u");
    } catch {
      return /^$/;
    }
  }

  /** The numbers of the tests that satisfy. */
  const numbersOf = (isWanted) => [...names.keys()].filter((number) => isWanted(names[number]));

  /** The numbers of the tests of a pattern. */
  function matching(glob) {
    const pattern = globRegExp(glob);
    return numbersOf((name) => pattern.test(name));
  }

  /** The numbers of the tests that a text finds: as a part of their names, or as a pattern, if it has * or ?. */
  function finding(text) {
    const part = text.toLowerCase();
    const pattern = globRegExp(/[*?]/.test(text) ? text : "");
    return numbersOf((name) => name.toLowerCase().includes(part) || pattern.test(name));
  }

  /** Choose what a text finds: by a pattern if one has just these. */
  function chooseFound(text, found) {
    const literal = text.replace(/[[*?]/g, "[$&]");
    const same = (glob) => String(matching(glob)) === String(found);
    const glob = [text, `*${literal}*`].find(same);
    if (glob) covcore.change({ tests: "", glob });
    else choose(found.map((number) => names[number]));
  }

  /** Whether the state chooses tests. */
  const isChosen = () => Boolean(covcore.state.tests || covcore.state.glob);

  /** For each test of the report whether it is chosen; null: there is no choice. */
  async function chosen() {
    if (!isChosen()) return null;
    await load();
    const found = new Uint8Array(names.length);
    const wanted = new Set((covcore.state.tests || "").split("\n").filter((name) => name));
    names.forEach((name, number) => wanted.has(name) && (found[number] = 1));
    if (covcore.state.glob) for (const number of matching(covcore.state.glob)) found[number] = 1;
    return found;
  }

  function choose(list, more = {}) {
    covcore.change({ tests: list.join("\n"), glob: "", ...more });
  }

  // ---- the panel

  let panel = null;

  function close() {
    if (!panel || panel.hidden) return;
    panel.hidden = true;
    button.setAttribute("aria-expanded", "false");
    button.focus();
  }

  /** A panel at the right; what it has is made anew each time. */
  function openPanel(title, ...children) {
    panel ||= document.body.appendChild(
      el("section", { class: "panel", role: "dialog", onkeydown: (event) => event.key === "Escape" && close() }),
    );
    panel.setAttribute("aria-label", title);
    const closing = el("button", { type: "button", onclick: close }, "Close");
    panel.replaceChildren(el("div", { class: "bar" }, el("h2", {}, title), closing), ...children);
    panel.hidden = false;
    closing.focus();
  }

  function testList(numbers) {
    const element = el("div", { class: "list", role: "group", "aria-label": "Tests", tabindex: "0" });
    let current = numbers;
    const render = (n) => {
      const name = names[current[n]];
      const picked = new Set((covcore.state.tests || "").split("\n"));
      const box = el("input", {
        type: "checkbox",
        onchange: () => {
          const list = (covcore.state.tests || "").split("\n").filter((it) => it && it !== name);
          if (box.checked) list.push(name);
          choose(list);
        },
      });
      box.checked = picked.has(name);
      return el("label", { title: name }, box, el("bdi", {}, name));
    };
    const list = new LongList(element, 24, render);
    return {
      element,
      show: (found) => {
        current = found;
        list.show(found.length);
      },
    };
  }

  function views() {
    const fieldset = el("fieldset", {}, el("legend", {}, "Show"));
    for (const [value, text] of VIEWS) {
      const radio = el("input", { type: "radio", name: "view", onchange: () => covcore.change({ view: value }) });
      radio.checked = (covcore.state.view || "") === value;
      fieldset.append(el("label", {}, radio, " ", text));
    }
    return fieldset;
  }

  let prepare = () => {}; // what a choice will need, which takes as long as the reader needs to choose

  /** Choose among all tests. */
  async function openPicker() {
    prepare();
    await load();
    button.setAttribute("aria-expanded", "true");
    const list = testList([]);
    const search = el("input", { type: "search", placeholder: "part of a name, or a pattern: *::test_price*", "aria-label": "Find tests" });
    const count = el("span", { class: "counter", "aria-live": "polite" });
    const all = el("button", { type: "button" }, "Choose all of these");
    const none = el("button", { type: "button", onclick: () => { choose([]); update(); } }, "All tests again");
    let found = [];
    const update = () => {
      found = finding(search.value);
      count.textContent = `${found.length} of ${names.length}`;
      list.show(found);
    };
    all.addEventListener("click", () => {
      chooseFound(search.value, found);
      update();
    });
    search.addEventListener("input", update);
    search.value = covcore.state.glob || "";
    openPanel(
      "Choose tests",
      el("div", { class: "bar" }, search, count),
      el("div", { class: "bar" }, all, none),
      el("div", { class: "bar" }, views()),
      list.element,
    );
    update();
    search.focus();
  }

  /** The tests of a line or branch. */
  async function openList(title, numbers) {
    await load();
    const list = testList(numbers);
    const only = el("button", { type: "button", onclick: () => choose(numbers.map((n) => names[n])) }, "Choose all of these");
    const none = el("button", { type: "button", onclick: () => choose([]) }, "All tests again");
    openPanel(title, el("div", { class: "bar" }, only, none), el("div", { class: "bar" }, views()), list.element);
    list.show(numbers);
  }

  // ---- the button

  const button = el("button", { type: "button", "aria-expanded": "false", title: "Choose tests (t)", onclick: openPicker }, "Tests: all");
  const label = el("span", { class: "chosen", "aria-live": "polite", hidden: true });

  function describe() {
    const { glob = "", tests: list = "", view = "" } = covcore.state;
    const picked = list ? list.split("\n") : [];
    const texts = [glob, picked.length === 1 ? picked[0] : picked.length ? `${picked.length} tests` : ""];
    label.textContent = texts.filter((text) => text).join(" and ");
    label.title = [glob, ...picked].filter((text) => text).join("\n");
    label.hidden = !label.textContent;
    button.textContent = isChosen() ? "Tests: chosen" : "Tests: all";
    if (view) button.textContent += view === "one" ? ", one test" : ", alone";
  }

  covcore.onState(describe);

  /** The button and what is chosen; before: is called when the reader is about to choose. */
  function tools(before = () => {}) {
    prepare = before;
    covcore.key("t", "choose tests", openPicker);
    describe();
    return [button, label];
  }

  const CHANGES = [
    ["", "changed or not"],
    ["new-uncovered", "new, never ran"],
    ["lost", "lost"],
    ["gained", "gained"],
    ["new", "new, ran"],
    ["same", "unchanged"],
  ];

  /** A choice of what has changed since the baseline. */
  function changeSelect() {
    const made = el("select", { "aria-label": "Since the baseline", onchange: () => covcore.change({ base: made.value }) });
    for (const [value, text] of CHANGES) made.append(el("option", { value }, text));
    const reflect = () => (made.value = covcore.state.base || "");
    covcore.onState(reflect);
    reflect();
    return made;
  }

  return { changeSelect, load, chosen, choose, isChosen, openList, close, tools, name: (number) => names[number] };
})();
