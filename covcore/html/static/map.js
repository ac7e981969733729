// The strip at the right that shows the whole file, and arrows from branches to where they lead.
"use strict";

covcore.views.map = (section) => {
  const { el } = covcore;
  const table = section.querySelector("table.source");
  const main = table.parentElement;

  // ---- the strip

  const strip = el("canvas", { class: "map", "aria-hidden": "true" });
  section.append(strip);
  let shown = null; // the last event of file.js

  function draw() {
    if (!shown || section.hidden) return;
    const style = getComputedStyle(document.documentElement);
    const top = section.querySelector("header").offsetHeight;
    const height = innerHeight - top;
    strip.style.top = `${top}px`;
    strip.style.height = `${height}px`;
    strip.width = 14 * devicePixelRatio;
    strip.height = height * devicePixelRatio;
    const context = strip.getContext("2d");
    context.scale(devicePixelRatio, devicePixelRatio);
    const colour = (name) => resolve(style, name);
    const colours = { miss: colour("--miss"), part: colour("--part") };
    const n = table.tBodies[0].rows.length;
    shown.rows.forEach((row, number) => {
      const fill = shown.marked.has(number) ? colour("--mark-edge") : colours[shown.lines[number]];
      if (!fill) return;
      context.fillStyle = fill;
      context.fillRect(2, (row.sectionRowIndex / n) * height, 10, Math.max(2, height / n));
    });
    context.strokeStyle = colour("--dim");
    const whole = document.documentElement.scrollHeight;
    context.strokeRect(0.5, (scrollY / whole) * height, 13, Math.max(8, (innerHeight / whole) * height));
  }

  /** The colour that a property of the style sheet has now: light-dark() is resolved by the browser. */
  function resolve(style, name) {
    strip.style.color = `var(${name})`;
    return getComputedStyle(strip).color;
  }

  let asked = false;
  function redraw() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  }

  function jump(event) {
    const box = strip.getBoundingClientRect();
    const share = (event.clientY - box.top) / box.height;
    scrollTo({ top: share * document.documentElement.scrollHeight - innerHeight / 2 });
  }

  strip.addEventListener("pointerdown", (event) => {
    strip.setPointerCapture(event.pointerId);
    jump(event);
  });
  strip.addEventListener("pointermove", (event) => event.buttons && jump(event));
  section.addEventListener("recoloured", (event) => {
    shown = event.detail;
    redraw();
  });
  for (const name of ["scroll", "resize", "themechange"]) addEventListener(name, redraw, { passive: true });

  // ---- arrows

  const SVG = "http://www.w3.org/2000/svg";
  const arrows = document.createElementNS(SVG, "svg");
  arrows.setAttribute("class", "arrows");
  arrows.setAttribute("aria-hidden", "true");
  main.append(arrows);

  function path(d, name = "") {
    const made = document.createElementNS(SVG, "path");
    made.setAttribute("d", d);
    made.setAttribute("class", name);
    return made;
  }

  function point(way) {
    arrows.replaceChildren();
    const target = way && document.getElementById(way.getAttribute("href").slice(1));
    const row = way?.closest("tr");
    for (const old of table.querySelectorAll("tr.to")) old.classList.remove("to");
    if (!target || target === row) return;
    target.classList.add("to");
    const box = main.getBoundingClientRect();
    const middle = (it) => {
      const cell = it.cells[0].getBoundingClientRect();
      return cell.top - box.top + Math.min(cell.height, 20) / 2;
    };
    const [from, to] = [middle(row), middle(target)];
    const x = 34;
    arrows.append(
      path(`M ${x} ${from} C 10 ${from}, 12 ${from}, 12 ${from + Math.sign(to - from) * 10} L 12 ${to - Math.sign(to - from) * 10} C 12 ${to}, 10 ${to}, ${x - 5} ${to}`),
      path(`M ${x} ${to} l -7 -4 l 0 8 z`, "head"),
    );
  }

  const wayOf = (event) => event.target.closest?.(".way");
  table.addEventListener("mouseover", (event) => point(wayOf(event)));
  table.addEventListener("mouseleave", () => point(null));
  table.addEventListener("focusin", (event) => point(wayOf(event)));
  table.addEventListener("focusout", () => point(null));

  // ---- an operand and what is said of it light up together

  function light(event) {
    const it = event.target.closest?.("[data-c]");
    for (const old of table.querySelectorAll("u.at")) old.classList.remove("at");
    if (it) for (const span of table.querySelectorAll(`u[data-c="${Number(it.dataset.c)}"]`)) span.classList.add("at");
  }
  table.addEventListener("mouseover", light);
};
