// The index: files as a tree or a list, functions, classes; sorted, filtered, and by the chosen tests.
"use strict";

covcore.views.index = async (section) => {
  const { el, key } = covcore;
  const HEIGHT = 27; // of a row
  const ON_PAPER = 1000; // rows: to lay out 10,000 takes a browser minutes
  const main = document.getElementById("files");
  const data = await covcore.load("index");
  const names = covcore.names(data.names);
  covcore.setPrecision(data.precision);
  const FIGURES = ["statements", "missing", "branches", "missing_branches", "conditions", "missing_conditions"];

  // ---- what can be listed

  /** Figures of an entry: in the order of FIGURES. */
  const figuresOf = (columns, n) => FIGURES.map((name) => columns[name][n]);
  const pageOf = (n) => data.pages.slice(n * 16, n * 16 + 16);
  const hrefOf = (n, line = 0) => covcore.link(pageOf(n), line ? `L${line}` : "");

  const files = names.map((name, n) => ({ name, file: n, base: figuresOf(data.figures, n) }));
  for (const file of files) file.figures = file.base;
  const changes = data.changes; // since the baseline, if there is one
  const STATES = ["new-uncovered", "lost", "gained", "new"];
  if (changes) for (const file of files) file.changed = STATES.map((state) => changes.counts[state][file.file]);
  const kinds = { files }; // functions and classes: once they are asked for

  /** Functions or classes of all files. */
  async function parts(kind) {
    if (!kinds[kind]) {
      const found = await covcore.load(kind);
      const own = found.names.split("\0");
      const list = [];
      found.counts.forEach((count, file) => {
        for (let n = 0; n < count; n++) {
          const at = list.length;
          const base = figuresOf(found.figures, at);
          list.push({
            name: own[at] || "(module)",
            file,
            number: n,
            line: found.lines[at],
            owner: found.classes[at],
            complexity: found.complexity[at],
            base,
            figures: base,
          });
        }
      });
      kinds[kind] = list;
    }
    return kinds[kind];
  }

  const covered = (f) => f[0] - f[1] + f[2] - f[3];
  const total = (f) => f[0] + f[2];
  const share = (f) => (total(f) ? covered(f) / total(f) : 1);
  const crap = (it) => it.complexity ** 2 * (1 - share(it.figures)) ** 3 + it.complexity;

  function sum(list) {
    const all = [0, 0, 0, 0, 0, 0];
    for (const { figures } of list) for (let n = 0; n < 6; n++) all[n] += figures[n];
    return all;
  }

  // ---- the tree

  function tree(list) {
    const top = { name: "", children: new Map(), files: [] };
    for (const it of list) {
      const parts = it.name.split("/");
      let at = top;
      for (const part of parts.slice(0, -1)) {
        if (!at.children.has(part)) at.children.set(part, { name: part, path: `${at.path || ""}${part}/`, children: new Map(), files: [] });
        at = at.children.get(part);
      }
      at.files.push({ name: it.name, file: it.file, figures: it.figures, changed: it.changed, label: parts.at(-1) });
    }
    roll(top);
    return top;
  }

  /** Add up a folder; folders with nothing but one folder are one row with it. */
  function roll(folder) {
    for (const [name, child] of folder.children) {
      roll(child);
      if (!child.files.length && child.children.size === 1) {
        const [only] = child.children.values();
        only.name = `${child.name}/${only.name}`;
        folder.children.set(name, only);
      }
    }
    const parts = [...folder.children.values(), ...folder.files];
    folder.figures = sum(parts);
    if (changes) folder.changed = STATES.map((_, n) => parts.reduce((all, it) => all + it.changed[n], 0));
  }

  const closed = new Set();

  function flatten(folder, level, order, found) {
    for (const child of [...folder.children.values()].sort(order)) {
      found.push(Object.assign(child, { isFolder: true, label: `${child.name}/`, level }));
      if (!closed.has(child.path)) flatten(child, level + 1, order, found);
    }
    for (const it of [...folder.files].sort(order)) found.push(Object.assign(it, { level }));
    return found;
  }

  // ---- columns

  const number = (n) => ({ text: (it) => String(it.figures[n]), value: (it) => it.figures[n], bad: n % 2 === 1 });
  const bar = (n) => ({
    bar: n,
    value: (it) => (it.figures[n] ? 1 - it.figures[n + 1] / it.figures[n] : 1),
  });
  const changeColumn = (n, title) => ({
    title,
    class: n ? "w-num" : "w-wide",
    only: changes ? ["files"] : ["none"],
    text: (it) => (!it.isFolder && changes.unknown[it.file] ? "?" : String(it.changed[n])),
    value: (it) => it.changed[n],
    bad: n < 2,
  });
  const COLUMNS = {
    name: { title: "Name", class: "w-name", value: (it) => it.label || it.name },
    where: { title: "File", class: "w-name where", value: (it) => names[it.file], only: ["functions", "classes"] },
    lines: { title: "Lines", class: "w-bar", ...bar(0) },
    missing: { title: "missing", class: "w-num", ...number(1) },
    branches: { title: "Branches", class: "w-bar", ...bar(2) },
    missingBranches: { title: "missing", class: "w-num", ...number(3) },
    conditions: { title: "Conditions", class: "w-bar", ...bar(4) },
    missingConditions: { title: "missing", class: "w-num", ...number(5) },
    fresh: changeColumn(0, "new, missing"),
    lost: changeColumn(1, "lost"),
    gained: changeColumn(2, "gained"),
    complexity: { title: "Complexity", class: "w-num", text: (it) => String(it.complexity), value: (it) => it.complexity, only: ["functions", "classes"] },
    crap: { title: "CRAP", class: "w-num", text: (it) => crap(it).toFixed(0), value: crap, only: ["functions"] },
  };
  const SHOW = [
    ["", "all"],
    ["any", "with anything missing"],
    ["lines", "with missing lines"],
    ["branches", "with missing branches"],
    ["conditions", "with missing outcomes"],
  ];
  const SHOWN = {
    any: (f) => f[1] || f[3],
    lines: (f) => f[1],
    branches: (f) => f[3],
    conditions: (f) => f[5],
  };

  // ---- the grid: only rows in sight are there

  const head = el("tr");
  const body = el("tbody");
  const table = el("table", { class: "files", role: "treegrid" }, el("caption", { class: "vh" }, "Files and how much of them ran"), el("thead", {}, head), body);
  const grid = el("div", { class: "grid", tabindex: "-1" }, table);
  const before = el("tr", { "aria-hidden": "true" }, el("td"));
  const after = el("tr", { "aria-hidden": "true" }, el("td"));
  let listed = [];
  let focused = 0;
  let columns = [];
  let isPrinted = false; // just now: on paper nobody scrolls
  let height = innerHeight; // that the grid may have; what it has depends on the rows that are there

  function fit() {
    height = Math.max(240, innerHeight - section.querySelector("header").offsetHeight);
    grid.style.maxHeight = `${height}px`;
    draw();
  }

  function draw() {
    const first = isPrinted ? 0 : Math.max(0, Math.floor(grid.scrollTop / HEIGHT) - 10);
    const last = Math.min(listed.length, isPrinted ? ON_PAPER : first + Math.ceil(height / HEIGHT) + 20);
    const hadFocus = body.contains(document.activeElement);
    before.firstChild.style.height = `${first * HEIGHT}px`;
    const left = listed.length - last;
    after.firstChild.style.height = isPrinted ? "" : `${left * HEIGHT}px`;
    after.firstChild.textContent = isPrinted ? `and ${left} more` : "";
    before.hidden = first === 0;
    after.hidden = last === listed.length;
    const rows = [];
    for (let n = first; n < last; n++) rows.push(row(listed[n], n));
    body.replaceChildren(before, ...rows, after);
    if (hadFocus) body.querySelector(`[aria-rowindex="${focused + 2}"]`)?.focus({ preventScroll: true });
  }

  function row(it, n) {
    const level = it.level || 0;
    const made = el("tr", {
      "aria-rowindex": n + 2,
      "aria-level": it.level === undefined ? undefined : level + 1,
      "aria-expanded": it.isFolder ? String(!closed.has(it.path)) : undefined,
      tabindex: n === focused ? "0" : "-1",
      class: it.isFolder ? "folder" : "",
      onfocus: () => (focused = n),
    });
    for (const name of columns) made.append(cell(it, name, level));
    return made;
  }

  function cell(it, name, level) {
    const column = COLUMNS[name];
    if (name === "name") {
      const label = el("bdi", {}, it.label || it.name);
      const inner = el("span", { class: "name", title: it.path || (it.line ? it.name : names[it.file]) });
      inner.style.paddingInlineStart = `${level * 1.2 + (it.isFolder || it.level === undefined ? 0 : 1.2)}rem`;
      if (it.isFolder) {
        const sign = closed.has(it.path) ? "▸" : "▾";
        inner.append(el("button", { type: "button", class: "fold", tabindex: "-1", "aria-label": "fold", onclick: () => fold(it) }, sign), label);
      } else inner.append(el("a", { href: hrefOf(it.file, it.line), tabindex: "-1" }, label));
      return el("th", { scope: "row", role: "rowheader" }, inner);
    }
    if (name === "where") {
      const inner = el("span", { class: "name", title: names[it.file] });
      inner.append(el("a", { href: hrefOf(it.file), tabindex: "-1" }, el("bdi", {}, names[it.file])));
      return el("td", { role: "gridcell", class: "where" }, inner);
    }
    if (column.bar !== undefined) {
      const [all, missing] = it.figures.slice(column.bar, column.bar + 2);
      const meter = el("meter", { min: 0, max: all || 1, value: all ? all - missing : 1, "aria-hidden": "true" });
      const percent = el("span", { class: "percent" }, covcore.percent(all - missing, all));
      return el("td", { role: "gridcell", title: `${all - missing} of ${all}` }, ...(all ? [meter, percent] : [percent]));
    }
    const text = column.text(it);
    return el("td", { role: "gridcell", class: text === "0" ? "zero" : column.bad ? "bad" : "" }, text);
  }

  function fold(it, isClosed = !closed.has(it.path)) {
    if (isClosed) closed.add(it.path);
    else closed.delete(it.path);
    list();
  }

  for (const [name, value] of [["beforeprint", true], ["afterprint", false]]) {
    addEventListener(name, () => {
      isPrinted = value;
      draw();
    });
  }
  grid.addEventListener("scroll", draw);
  addEventListener("resize", fit);
  grid.addEventListener("keydown", (event) => {
    const it = listed[focused];
    if (event.ctrlKey || event.metaKey || event.altKey || !it || !event.target.closest("tbody")) return;
    const page = Math.floor(grid.clientHeight / HEIGHT) - 2;
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -listed.length, End: listed.length };
    if (event.key in moves) focus(focused + moves[event.key]);
    else if (event.key === "ArrowRight" && it.isFolder) fold(it, false);
    else if (event.key === "ArrowLeft" && it.isFolder && !closed.has(it.path)) fold(it, true);
    else if (event.key === "ArrowLeft" && it.level) {
      let n = focused;
      while (n > 0 && listed[n].level >= it.level) n--;
      focus(n);
    } else if (event.key === "Enter" && it.isFolder) fold(it);
    else if (event.key === "Enter") location.assign(hrefOf(it.file, it.line));
    else return;
    event.preventDefault();
  });

  function focus(n) {
    focused = Math.min(Math.max(n, 0), listed.length - 1);
    const top = focused * HEIGHT;
    if (top < grid.scrollTop) grid.scrollTop = top;
    if (top > grid.scrollTop + grid.clientHeight - 3 * HEIGHT) grid.scrollTop = top - grid.clientHeight + 3 * HEIGHT;
    draw();
    body.querySelector(`[aria-rowindex="${focused + 2}"]`)?.focus({ preventScroll: true });
  }

  // ---- what is listed, and how

  let latest = 0;

  async function list() {
    const mine = ++latest;
    const { by = "", q = "", show = "", base = "" } = covcore.state;
    const sort = covcore.state.sort || (changes && base ? "changed" : "");
    const kind = by === "functions" || by === "classes" ? by : "files";
    const all = kind === "files" ? files : (await parts(kind)).filter((it) => it.base[0]); // those with statements
    await count(kind);
    if (mine !== latest) return;
    const text = q.toLowerCase();
    const found = all.filter(
      (it) =>
        (!text || it.name.toLowerCase().includes(text) || names[it.file].toLowerCase().includes(text)) &&
        (!Object.hasOwn(SHOWN, show) || SHOWN[show](it.figures)) &&
        (!changes || !base || hasChanged(files[it.file], base)),
    );
    columns = Object.keys(COLUMNS).filter((name) => !COLUMNS[name].only || COLUMNS[name].only.includes(kind));
    const order = orderOf(sort === "changed" && kind !== "files" ? "" : sort);
    listed = kind === "files" && by !== "flat" ? flatten(tree(found), 0, order, []) : [...found].sort(order);
    table.setAttribute("role", kind === "files" && by !== "flat" ? "treegrid" : "grid");
    table.setAttribute("aria-rowcount", listed.length + 1);
    focused = Math.min(focused, Math.max(0, listed.length - 1));
    heads(sort);
    nothing.hidden = listed.length > 0;
    matches.textContent = `${found.length} of ${all.length}`;
    draw();
    totals(found);
  }

  /** Whether a file has something of a state, "same": whether it has not changed. */
  const hasChanged = (file, state) =>
    state === "same" ? file.changed.every((count) => count === 0) : file.changed[STATES.indexOf(state)] > 0;

  function orderOf(sort) {
    const down = sort.startsWith("-");
    const name = sort.replace("-", "");
    const byName = (a, b) => ((a.label || a.name) < (b.label || b.name) ? -1 : 1);
    if (name === "worst") return (a, b) => b.figures[1] + b.figures[3] - a.figures[1] - a.figures[3] || byName(a, b);
    if (name === "changed") {
      const [first, second] = covcore.state.base === "lost" ? [1, 0] : [0, 1];
      return (a, b) => b.changed[first] - a.changed[first] || b.changed[second] - a.changed[second] || byName(a, b);
    }
    const value = Object.hasOwn(COLUMNS, name) ? COLUMNS[name].value : null;
    if (!value) return byName;
    return (a, b) => {
      const [one, other] = [value(a), value(b)];
      const sign = one < other ? -1 : one > other ? 1 : 0;
      return (down ? -sign : sign) || byName(a, b);
    };
  }

  function heads(sort) {
    head.replaceChildren(
      ...columns.map((name) => {
        const column = COLUMNS[name];
        const isBy = sort.replace("-", "") === name;
        const next = isBy ? (sort.startsWith("-") ? name : `-${name}`) : column.bad || column.bar === undefined && name !== "name" && name !== "where" ? `-${name}` : name;
        const button = el("button", { type: "button", onclick: () => covcore.change({ sort: next }) }, column.title);
        return el("th", { scope: "col", class: column.class, "aria-sort": isBy ? (sort.startsWith("-") ? "descending" : "ascending") : undefined }, button);
      }),
    );
  }

  function totals(found) {
    const [lines, missing, branches, missingBranches, conditions, missingConditions] = sum(found);
    covcore.showFigures(section, {
      lines: [lines - missing, lines],
      branches: [branches - missingBranches, branches],
      conditions: [conditions - missingConditions, conditions],
    });
  }

  // ---- the chosen tests

  let records = null; // a promise of them, once they are asked for

  function loadRecords() {
    return (records ||= readRecords());
  }

  async function readRecords() {
    const chunks = await Promise.all(data.chunks.map((_, n) => covcore.load(`records-${n}`).then(covcore.unpack)));
    const found = [];
    for (const bytes of chunks) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at < bytes.length; ) {
        const length = view.getUint32(at, true);
        found.push(new FileRecord(bytes.subarray(at + 4, at + 4 + length)));
        at += 4 + length;
      }
    }
    return found;
  }

  let counted = ""; // of which choice the figures are

  /** Have the figures of all files be those of the chosen tests; of functions and classes, too, if they are listed. */
  async function count(kind) {
    const { tests: picked = "", glob = "" } = covcore.state;
    const choice = JSON.stringify([picked, glob]);
    const wanted = `${choice} ${kind === "files" ? "" : kind}`;
    if (wanted === counted) return;
    const chosen = data.tests ? await tests.chosen() : null;
    const all = chosen && (await loadRecords());
    const functions = kind === "files" ? null : await parts("functions");
    const classes = kind === "classes" ? await parts("classes") : null;
    let at = 0;
    let atClass = 0;
    for (const file of files) {
      const count = functions ? countOf(functions, at, file.file) : 0;
      const own = functions && all ? new Uint32Array(count * 3) : null;
      const found = all && all[file.file].totals(all[file.file].alive(all[file.file].mask(chosen)), own);
      file.figures = all ? without(file.base, found) : file.base;
      for (let n = 0; n < count; n++) {
        const it = functions[at + n];
        it.figures = all ? without(it.base, own.subarray(n * 3, n * 3 + 3)) : it.base;
      }
      if (classes) atClass = addUp(classes, atClass, file.file, functions.slice(at, at + count), Boolean(all));
      at += count;
    }
    counted = wanted;
  }

  function countOf(list, at, file) {
    let end = at;
    while (end < list.length && list[end].file === file) end++;
    return end - at;
  }

  const without = (base, [statements, branches, outcomes]) => [
    base[0], base[0] - statements, base[2], base[2] - branches, base[4], base[4] - outcomes,
  ];

  /** A class has what its functions have. */
  function addUp(classes, at, file, functions, isChosen) {
    const count = countOf(classes, at, file);
    for (let n = 0; n < count; n++) {
      const it = classes[at + n];
      const own = sum(functions.filter((one) => one.owner === n));
      it.figures = isChosen ? it.base.map((value, k) => (k % 2 ? own[k] : value)) : it.base;
    }
    return at + count;
  }

  // ---- the tools in the head

  const search = el("input", { type: "search", placeholder: "Filter by name (/)", "aria-label": "Filter by name", oninput: () => covcore.change({ q: search.value }) });
  const select = (label, options, name) => {
    const made = el("select", { "aria-label": label, onchange: () => covcore.change({ [name]: made.value }) });
    for (const [value, text] of options) made.append(el("option", { value }, text));
    return made;
  };
  const show = select("Show", SHOW, "show");
  const matches = el("span", { class: "counter", "aria-live": "polite" });
  const nothing = el("p", { class: "empty", hidden: true }, "Nothing matches.");
  const VIEWS = [["", "Tree"], ["flat", "Files"], ["functions", "Functions"], ["classes", "Classes"]];
  const tabs = VIEWS.map(([value, text]) =>
    el("button", { type: "button", "data-by": value || "tree", onclick: () => covcore.change({ by: value }) }, text),
  );
  const worst = el("button", { type: "button", title: "Largest uncovered first (w)", onclick: () => covcore.change({ sort: covcore.state.sort === "worst" ? "" : "worst" }) }, "Worst first");

  function reflect() {
    const { by = "", q = "", show: shown = "", sort = "" } = covcore.state;
    tabs.forEach((tab, n) => tab.setAttribute("aria-pressed", String(VIEWS[n][0] === by)));
    worst.setAttribute("aria-pressed", String(sort === "worst"));
    show.value = shown;
    if (search.value !== q) search.value = q;
  }

  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape") covcore.change({ q: "" });
    if (event.key === "Enter") focus(0);
  });
  key("/", "filter by name", () => search.focus());
  key("w", "largest uncovered first", () => worst.click());
  key("f", "tree or list", () => covcore.change({ by: covcore.state.by === "flat" ? "" : "flat" }));
  key("Escape", "close the panel", tests.close);
  const toolbar = section.querySelector(".tools");
  const tools = [
    el("span", { role: "group", "aria-label": "List by", class: "tools" }, ...tabs),
    search, show,
    ...(changes ? [tests.changeSelect()] : []),
    matches, worst,
    ...(data.tests ? tests.tools(loadRecords) : []),
    el("span", { class: "gap" }),
    ...covcore.commonTools(),
  ];
  covcore.onState(() => {
    if (section.hidden) return;
    reflect();
    list();
  });
  main.replaceChildren(grid, nothing);
  return async () => {
    toolbar.replaceChildren(...tools);
    reflect();
    fit();
    await list();
  };
};
