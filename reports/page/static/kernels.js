// The table of kernels: sorted by any column, narrowed to a stage, a category, a text.
const AT_FIRST = 40;
const [NAME, SHORT, STAGE, CATEGORY, COUNT, TIME, LONGEST, LAUNCHES, OTHERWISE] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const size = (dimensions) => (dimensions ? dimensions.reduce((a, b) => a * b, 1) : null);
const ofLaunch = (field) => (row) => (row[LAUNCHES].length ? row[LAUNCHES][0][field] : null);
const COLUMNS = [
  { title: "kernel", value: (row) => row[SHORT], text: true },
  { title: "stage", value: (row) => row[STAGE], text: true },
  { title: "category", value: (row) => row[CATEGORY], text: true },
  { title: "count", value: (row) => row[COUNT], words: (row) => counted(row[COUNT]) },
  { title: "time", value: (row) => row[TIME], words: (row) => duration(row[TIME]) },
  { title: "share", value: (row) => row[TIME], words: (row, whole) => percent(row[TIME], whole) },
  { title: "mean", value: (row) => row[TIME] / row[COUNT], words: (row) => duration(row[TIME] / row[COUNT]) },
  { title: "grid", value: (row) => size(ofLaunch(0)(row)), words: (row) => several(row, ofLaunch(0)(row)?.join(" × ")) },
  { title: "block", value: (row) => size(ofLaunch(1)(row)), words: (row) => ofLaunch(1)(row)?.join(" × ") },
  { title: "registers", value: ofLaunch(2), words: (row) => ofLaunch(2)(row) },
  { title: "shared", value: ofLaunch(3), words: (row) => (ofLaunch(3)(row) === null ? null : bytes(ofLaunch(3)(row))) },
  { title: "occupancy", value: ofLaunch(4), words: (row) => (ofLaunch(4)(row) === null ? null : `${Math.round(100 * ofLaunch(4)(row))}%`) },
];
function several(row, words) {
  const more = row[LAUNCHES].length - 1 + row[OTHERWISE];
  return words && more > 0 ? `${words} + ${more}` : words;
}

function kernelTable(root, number) {
  const all = DATA[number].kernels;
  const whole = all.reduce((sum, row) => sum + row[TIME], 0);
  const cpu = DATA[number].cpu;
  const columns = COLUMNS.filter((column) => all.some((row) => column.value(row) !== null && column.value(row) !== ""));
  const state = { sort: columns.find((column) => column.title === "time"), down: true, shown: AT_FIRST, open: new Set() };
  const search = el("input", { type: "search", placeholder: "search names", "aria-label": "search names", spellcheck: "false" });
  const choose = (label, field) => {
    const values = [...new Set(all.map((row) => row[field]))].filter(Boolean).sort();
    const made = el("select", { "aria-label": label }, el("option", { value: "" }, label), ...values.map((value) => el("option", { value }, value)));
    made.addEventListener("change", () => { state.shown = AT_FIRST; draw(); });
    made.hidden = values.length < 2;
    return made;
  };
  const stage = choose("every stage", STAGE);
  const category = choose("every category", CATEGORY);
  const said = el("span", { class: "dim", role: "status" });
  const head = el("tr", {});
  const body = el("tbody", {});
  const more = el("button", { type: "button", class: "more-rows" });
  more.addEventListener("click", () => { state.shown += 200; draw(); });
  search.addEventListener("input", () => { state.shown = AT_FIRST; draw(); });
  for (const column of columns) {
    const button = el("button", { type: "button" }, column.title === "kernel" && cpu ? "operator" : column.title);
    button.addEventListener("click", () => {
      state.down = state.sort === column ? !state.down : !column.text;
      state.sort = column;
      draw();
    });
    head.append(el("th", { scope: "col", class: column.text ? "" : "number" }, button));
  }
  root.append(el("div", { class: "filters" }, search, stage, category, said), el("div", { class: "wide" }, el("table", {}, el("thead", {}, head), body)), more);

  function chosen() {
    const sought = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = all.filter((row) => (!stage.value || row[STAGE] === stage.value) && (!category.value || row[CATEGORY] === category.value)
      && sought.every((word) => row[NAME].toLowerCase().includes(word)));
    const sign = state.down ? -1 : 1;
    const value = state.sort.value;
    return found.sort((a, b) => {
      const [one, other] = [value(a), value(b)];
      if (one === null || other === null) return (one === null) - (other === null);
      return sign * (state.sort.text ? one.localeCompare(other) : one - other);
    });
  }

  function draw() {
    const found = chosen();
    const time = found.reduce((sum, row) => sum + row[TIME], 0);
    const count = found.reduce((sum, row) => sum + row[COUNT], 0);
    said.textContent = `${counted(found.length)} ${found.length === 1 ? "row" : "rows"} · ${counted(count)} ${cpu ? "operators" : "ops"} · ${duration(time)} · ${percent(time, whole)}`;
    columns.forEach((column, place) => {
      if (state.sort === column) head.children[place].setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.children[place].removeAttribute("aria-sort");
      const mark = state.sort === column ? (state.down ? " ↓" : " ↑") : "";
      head.children[place].firstChild.dataset.mark = mark;
    });
    body.replaceChildren(...found.slice(0, state.shown).flatMap(drawRow));
    more.hidden = found.length <= state.shown;
    more.textContent = `${counted(found.length - state.shown)} more ${found.length - state.shown === 1 ? "row" : "rows"}`;
  }

  function drawRow(row) {
    const open = state.open.has(row);
    const button = el("button", { type: "button", "aria-expanded": `${open}`, title: row[NAME] }, el("bdi", {}, open ? row[NAME] : row[SHORT]));
    button.addEventListener("click", () => {
      if (open) state.open.delete(row); else state.open.add(row);
      draw();
    });
    const cells = columns.map((column) => {
      if (column.title === "kernel") return el("td", { class: open ? "kernel open" : "kernel" }, button);
      if (column.title === "stage") return el("td", {}, el("span", { class: `dot stage-${row[STAGE]}` }), row[STAGE] || "no stage");
      return el("td", { class: column.text ? "" : "number" }, column.words ? column.words(row, whole) ?? "–" : column.value(row));
    });
    const drawn = [el("tr", {}, ...cells)];
    if (open) drawn.push(el("tr", { class: "detail" }, el("td", { colspan: columns.length }, detail(row))));
    return drawn;
  }

  function detail(row) {
    const made = el("div", {});
    for (const launch of row[LAUNCHES]) made.append(el("p", {}, `${counted(launch[5])} × ${launchWords(launch)}: ${duration(launch[6])}`));
    if (row[OTHERWISE]) made.append(el("p", {}, `and launched in ${counted(row[OTHERWISE])} more ways`));
    const timeline = timelines.get(number);
    if (timeline && row[LONGEST]) {
      const show = el("button", { type: "button" }, `show the longest on the timeline (${duration(row[LONGEST][1] - row[LONGEST][0])})`);
      show.addEventListener("click", () => timeline.goTo(...row[LONGEST]));
      made.append(show);
    }
    return made;
  }

  draw();
}
