// The page of a file: colours and figures by the chosen tests, the way from one uncovered place to the next, search.
"use strict";

covcore.views.file = async (section) => {
  const { el, key } = covcore;
  const page = section.dataset.page;
  const prefix = covcore.single ? `${page}-` : "";
  const WORDS = { run: ["✓", "ran"], part: ["◐", "ran in part"], miss: ["✗", "never ran"] };
  const source = section.querySelector("table.source");
  const rowOf = (line) => document.getElementById(`${prefix}L${line}`);
  const data = await covcore.load(`file-${page}`, page);
  const record = data.record ? new FileRecord(await covcore.unpack(data.record)) : null;
  const hasTests = Boolean(record && source.querySelector("td:nth-child(4)"));

  const rows = data.statements.map(rowOf);
  const ways = [...source.querySelectorAll(".way")];
  const chips = new Map([...source.querySelectorAll(".cond")].map((chip) => [Number(chip.dataset.c), chip]));
  const marks = [...source.querySelectorAll(".mcdc")].sort((one, other) => one.dataset.d - other.dataset.d);
  const spans = new Map();
  for (const span of source.querySelectorAll("u[data-c]")) {
    const number = Number(span.dataset.c);
    if (!spans.has(number)) spans.set(number, []);
    spans.get(number).push(span);
  }
  // What the page said before any test was chosen.
  const first = {
    lines: rows.map((row) => ["run", "part", "miss"].find((state) => row.classList.contains(state))),
    ways: ways.map((way) => ["no", "off"].find((state) => way.classList.contains(state)) || ""),
    outcomes: data.missing, // for each condition what never happened, in words
    decisions: marks.map((mark) => [...mark.querySelectorAll("q")].map((quote) => quote.textContent)),
    figures: Object.fromEntries(
      [...section.querySelectorAll(".figures meter")].map((meter) => [
        meter.parentElement.dataset.figure,
        meter.parentElement.querySelector(".count").textContent.split("/").map(Number),
      ]),
    ),
  };
  let lines = first.lines; // the state of each statement, as shown
  let marked = new Set(); // numbers of statements that the view marks

  // ---- colours

  function setLine(number, state) {
    const row = rows[number];
    if (row.classList.contains(state)) return;
    const [sign, word] = WORDS[state];
    for (let at = row; at && (at === row || at.classList.contains("more")); at = at.nextElementSibling) {
      at.classList.remove("run", "part", "miss");
      at.classList.add(state);
    }
    row.cells[1].textContent = sign;
    row.cells[1].setAttribute("aria-label", word);
  }

  /** What never happened of a condition, as covcore.html.pages.missing_words has it. */
  function never([, , one, other, canOne, canOther], [sawOne, sawOther]) {
    const missing = [canOne && !sawOne && one, canOther && !sawOther && other].filter((word) => word);
    if (missing.length === 2) return "never evaluated";
    return missing.length ? `never ${missing[0]}` : "";
  }

  function setCondition(number, text) {
    const condition = data.conditions[number];
    let chip = chips.get(number);
    if (!chip && text && condition[8]) {
      chip = el("span", { class: "cond", "data-c": number }, el("q", {}, condition[1]), " ", el("span"));
      rowOf(condition[0]).cells[2].append(chip);
      chips.set(number, chip);
    }
    if (chip) {
      chip.classList.toggle("no", Boolean(text));
      chip.lastElementChild.textContent = text;
    }
    for (const span of spans.get(number) || []) {
      span.classList.toggle("no", Boolean(text));
      if (text) span.title = `${condition[1]} ${text}`;
      else span.removeAttribute("title");
    }
  }

  /** Of which operands of a decision MC/DC is not shown, as covcore.analysis.mcdc.shown has it; outcomes: of all conditions. */
  function notShown(steps, outcomes) {
    const results = []; // those that evaluations came to, by step: 1 true, 2 false, 3 both
    const resultsOf = (next) => (next < 0 ? -next : results[next]);
    const found = [];
    for (let n = steps.length - 1; n >= 0; n--) {
      const [number, whenTrue, whenFalse] = steps[n];
      const ifTrue = outcomes[number][0] ? resultsOf(whenTrue) : 0;
      const ifFalse = outcomes[number][1] ? resultsOf(whenFalse) : 0;
      results[n] = ifTrue | ifFalse;
      if (!ifTrue || !ifFalse || results[n] < 3) found.unshift(data.conditions[number][1]);
    }
    return found;
  }

  function setDecision(number, left) {
    const quotes = left.flatMap((text, n) => [n ? ", " : " not shown for ", el("q", {}, text)]);
    marks[number].classList.toggle("no", left.length > 0);
    marks[number].replaceChildren("MC/DC", ...quotes);
  }

  /** state: "" taken, "no" never taken, "off" never taken, which a rule says does not matter. */
  function setWay(way, number, state) {
    way.classList.toggle("no", state === "no");
    way.classList.toggle("off", state === "off");
    if (state !== "no" || way.querySelector(".why")) return;
    const [line, , , , , phrase] = data.branches[number];
    const why = el("span", { class: "why" }, " never taken");
    if (phrase >= 0) {
      const [before, after] = data.phrases[phrase].split("{}");
      why.append(`: ${before}`, el("code", {}, data.quotes[line]), after);
    }
    way.append(why);
  }

  function show({ lines: states, ways: taken, outcomes, decisions, figures }) {
    states.forEach((state, number) => setLine(number, state));
    ways.forEach((way, number) => setWay(way, number, taken[number]));
    outcomes.forEach((text, number) => setCondition(number, text));
    decisions.forEach((left, number) => setDecision(number, left));
    covcore.showFigures(section, figures);
  }

  /** What the chosen tests ran. */
  function chosenView(mask) {
    const alive = record.alive(mask);
    const ran = (group) => group >= 0 && alive[group] === 1;
    const taken = data.branches.map(([, , by, to, always]) => (ran(by) && (to < 0 || ran(to)) ? "" : always ? "off" : "no"));
    const partial = new Set();
    data.branches.forEach(([line], number) => taken[number] === "no" && partial.add(line));
    const states = data.statements.map((line, number) =>
      ran(data.groups[number]) ? (partial.has(line) ? "part" : "run") : "miss",
    );
    const seen = data.conditions.map((it) => [ran(it[6]), ran(it[7])]);
    const outcomes = data.conditions.map((it, number) => never(it, seen[number]));
    const decisions = data.decisions.map((steps) => notShown(steps, seen));
    const [statements, branches, nOutcomes] = record.totals(alive);
    const total = first.figures;
    const figures = {
      lines: [statements, total.lines[1]],
      branches: [branches, total.branches[1]],
      conditions: [nOutcomes, total.conditions[1]],
    };
    return { lines: states, ways: taken, outcomes, decisions, figures };
  }

  function mark(mask, view) {
    marked = new Set();
    const base = data.changes ? covcore.state.base : "";
    if (base) {
      const lineOf = ([line]) => line;
      const withChange = new Set(data.branches.filter((_, n) => data.changed_branches[n]).map(lineOf));
      const onWay = new Set(data.branches.filter((_, n) => data.changed_branches[n] === base).map(lineOf));
      const isSame = (line) => !data.changes[line] && !withChange.has(line);
      const isSo = (line) => (base === "same" ? isSame(line) : data.changes[line] === base || onWay.has(line));
      data.statements.forEach((line, number) => isSo(line) && marked.add(number));
    } else if (!hasTests) {
      // nobody to ask
    } else if (view === "alone" && mask) {
      const alone = record.alone(mask);
      data.groups.forEach((group, number) => group >= 0 && alone[group] && marked.add(number));
    } else if (view === "one") {
      const isOne = Array.from({ length: record.groups }, (_, group) => record.members(group).length === 1);
      data.groups.forEach((group, number) => group >= 0 && isOne[group] && marked.add(number));
    }
    rows.forEach((row, number) => row.classList.toggle("lit", marked.has(number)));
  }

  let latest = 0;

  async function follow() {
    const mine = ++latest;
    const chosen = hasTests ? await tests.chosen() : null;
    if (mine !== latest) return;
    const mask = chosen && record.mask(chosen);
    const view = mask ? chosenView(mask) : first;
    lines = view.lines;
    show(view);
    mark(mask, covcore.state.view);
    count();
    section.dispatchEvent(new CustomEvent("recoloured", { detail: { rows, lines, marked } }));
  }

  // ---- from place to place

  const counter = el("span", { class: "counter", "aria-live": "polite" });
  let here = 0; // line

  /** Where stretches of uncovered or marked statements begin. */
  function stretches() {
    const isStop = marked.size ? (n) => marked.has(n) : (n) => lines[n] === "miss";
    return data.statements.filter((_, n) => isStop(n) && !(n > 0 && isStop(n - 1)));
  }

  /** Lines that ran of which a way on was never taken. */
  const partials = () => data.statements.filter((_, n) => lines[n] === "part");

  function count(stops = stretches(), word = marked.size ? "marked" : "uncovered") {
    const at = stops.indexOf(here);
    counter.textContent = at < 0 ? `${stops.length} ${word}` : `${at + 1}/${stops.length} ${word}`;
  }

  function go(line, note = true) {
    const row = rowOf(line);
    if (!row) return;
    for (const old of source.querySelectorAll("tr.here")) old.classList.remove("here");
    here = line;
    row.classList.add("here");
    row.scrollIntoView({ block: "center" });
    row.cells[0].firstChild.focus({ preventScroll: true });
    if (note) covcore.change({ at: `L${line}` });
  }

  function step(stops, direction, word) {
    const next = direction > 0 ? stops.find((line) => line > here) : stops.findLast((line) => line < here);
    if (next !== undefined) go(next);
    count(stops, word);
  }

  key("j", "next uncovered or marked line", () => step(stretches(), 1));
  key("k", "the one before", () => step(stretches(), -1));
  key("b", "next line with a branch never taken", () => step(partials(), 1, "partial"));
  key("B", "the one before", () => step(partials(), -1, "partial"));
  for (const [name, nav, text] of [["]", "after", "next file"], ["[", "before", "previous file"], ["u", "up", "all files"]]) {
    key(name, text, () => section.querySelector(`[data-nav="${nav}"]`)?.click());
  }
  key("Escape", "close the panel", tests.close);

  function locate() {
    const [, line, to] = /^[LB](\d+)(?:-(-?\d+))?$/.exec(covcore.state.at) || [];
    if (!line || (Number(line) === here && !to)) return;
    go(Number(line), false);
    if (to) {
      const at = data.branches.findIndex(([from, target]) => from === Number(line) && target === Number(to));
      ways[at]?.focus();
    }
  }

  source.addEventListener("click", (event) => {
    const way = event.target.closest(".way");
    const button = event.target.closest("td:nth-child(4) button");
    const anchor = event.target.closest("td:first-child a");
    if (way) {
      event.preventDefault();
      covcore.change({ at: `B${data.branches[ways.indexOf(way)].slice(0, 2).join("-")}` });
      go(Number(way.hash.split("L").at(-1)), false);
    } else if (anchor) {
      event.preventDefault();
      go(Number(anchor.textContent));
    } else if (button) {
      const row = button.closest("tr");
      const number = rows.indexOf(row);
      tests.openList(`Tests that ran line ${data.statements[number]}`, record.members(data.groups[number]));
    }
  });

  // ---- search

  const search = el("input", { type: "search", placeholder: "Search (/)", "aria-label": "Search in the source" });
  let hits = [];

  function find() {
    const text = search.value.toLowerCase();
    for (const row of source.querySelectorAll("tr.found")) row.classList.remove("found");
    hits = text ? [...source.tBodies[0].rows].filter((row) => row.querySelector("code").textContent.toLowerCase().includes(text)) : [];
    for (const row of hits) row.classList.add("found");
    counter.textContent = text ? `${hits.length} found` : "";
    if (!text) count();
  }

  search.addEventListener("input", find);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      search.value = "";
      find();
      search.blur();
    } else if (event.key === "Enter" && hits.length) {
      const stops = hits.map((row) => row.sectionRowIndex + 1);
      const next = event.shiftKey
        ? (stops.findLast((line) => line < here) ?? stops.at(-1))
        : (stops.find((line) => line > here) ?? stops[0]);
      go(next);
      search.focus({ preventScroll: true });
      counter.textContent = `${stops.indexOf(next) + 1}/${stops.length} found`;
    }
  });
  key("/", "search in the source; Enter: the next place", () => search.focus());

  // ---- the tools in the head

  const button = (text, title, run) => el("button", { type: "button", title, "aria-label": title, onclick: run }, text);
  const toolbar = section.querySelector(".tools");
  const tools = [
    button("↑", "Previous uncovered line (k)", () => step(stretches(), -1)),
    button("↓", "Next uncovered line (j)", () => step(stretches(), 1)),
    counter,
    ...(hasTests ? tests.tools() : []),
    ...(data.changes ? [tests.changeSelect()] : []),
    el("span", { class: "gap" }),
    search,
    ...covcore.commonTools(),
  ];

  covcore.onState((state, before) => {
    if (section.hidden) return;
    if (["tests", "glob", "view", "base"].some((name) => state[name] !== before[name])) follow();
    if (state.at !== before.at) locate();
  });
  covcore.views.map(section);
  return async () => {
    toolbar.replaceChildren(...tools);
    await follow();
    locate();
  };
};
