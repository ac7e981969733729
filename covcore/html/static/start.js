// The last script of a page: brings it to life; in a single file the one page of many that the address names.
"use strict";

(async () => {
  const opened = new Map(); // section -> {enter, keys}

  async function open(section) {
    if (!opened.has(section)) {
      const keys = new Map();
      covcore.useKeys(keys);
      const view = covcore.views[section.classList.contains("file") ? "file" : "index"];
      opened.set(section, { enter: await view(section), keys });
    }
    const { enter, keys } = opened.get(section);
    covcore.useKeys(keys);
    await enter();
    document.body.dataset.ready = "yes";
  }

  /** Once the page is painted as it came; in a tab that is out of sight, soon. */
  const painted = new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, 200);
  });
  await painted;

  if (!covcore.single) {
    covcore.change({});
    await open(document.body);
    return;
  }

  const sections = [...document.querySelectorAll("body > section")];
  let shown = null;

  async function follow() {
    const wanted = sections.find((section) => section.id === (covcore.state.file || "index")) || sections[0];
    if (wanted === shown) return;
    shown = wanted;
    for (const section of sections) section.hidden = section !== wanted;
    scrollTo(0, 0);
    await open(wanted);
  }

  covcore.onState(follow);
  covcore.change({});
  await follow();
})();
