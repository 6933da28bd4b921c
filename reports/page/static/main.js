// The theme: as the system has it, until the reader chooses.
const THEMES = ["", "light", "dark"];
const THEME_WORDS = { "": "colours: as the system has them", light: "colours: light", dark: "colours: dark" };
function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme; else delete document.documentElement.dataset.theme;
  const button = document.getElementById("theme");
  button.textContent = { "": "◐", light: "☀", dark: "☾" }[theme];
  button.setAttribute("aria-label", THEME_WORDS[theme]);
  button.title = THEME_WORDS[theme];
  try { localStorage.setItem("tracer-theme", theme); } catch { /* a page from a file may have no storage */ }
  redrawAll();
}
function startTheme() {
  let theme = "";
  try { theme = localStorage.getItem("tracer-theme") || ""; } catch { /* as above */ }
  setTheme(THEMES.includes(theme) ? theme : "");
  document.getElementById("theme").addEventListener("click", () => {
    const now = document.documentElement.dataset.theme || "";
    setTheme(THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
}

// Of several files one is shown at a time, below what compares them.
function startRuns() {
  const buttons = document.querySelectorAll(".runs button");
  const show = (number) => {
    for (const article of document.querySelectorAll("article.run")) article.hidden = article.dataset.run !== number;
    for (const button of buttons) button.setAttribute("aria-pressed", `${button.dataset.run === number}`);
    for (const link of document.querySelectorAll(".top nav a[data-section]")) {
      link.setAttribute("href", `#run-${number}-${link.dataset.section}`);
      link.hidden = !document.getElementById(`run-${number}-${link.dataset.section}`);
    }
    redrawAll();
  };
  for (const button of buttons) button.addEventListener("click", () => show(button.dataset.run));
  show("0");
}

function startPlaces() {
  for (const link of document.querySelectorAll("a.place")) {
    link.addEventListener("click", (event) => {
      const timeline = timelines.get(Number(link.dataset.run));
      const place = DATA[Number(link.dataset.run)].timeline.places[Number(link.dataset.place)];
      if (!timeline || !place) return;
      event.preventDefault();
      timeline.goTo(place[0], place[1]);
    });
  }
}

// Paper has no folds, and its own colours.
function startPrinting() {
  let printing = false;
  let theme;
  let folded = [];
  addEventListener("beforeprint", () => {
    if (printing) return;
    printing = true;
    theme = document.documentElement.dataset.theme;
    document.documentElement.dataset.theme = "light";
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const one of folded) one.open = true;
    redrawAll();
  });
  addEventListener("afterprint", () => {
    if (!printing) return;
    printing = false;
    if (theme) document.documentElement.dataset.theme = theme; else delete document.documentElement.dataset.theme;
    for (const one of folded) one.open = false;
    redrawAll();
  });
}

async function start() {
  document.body.append(tip);
  readColours();
  startTheme();
  startPrinting();
  for (const root of document.querySelectorAll(".tokens[data-run]")) tokenChart(root, Number(root.dataset.run));
  for (const root of document.querySelectorAll(".roofline[data-run]")) rooflineChart(root, Number(root.dataset.run));
  for (const root of document.querySelectorAll(".timeline[data-run]")) {
    const number = Number(root.dataset.run);
    if (typeof DecompressionStream === "undefined") {
      root.append("The timeline needs a browser of 2023 or later.");
      continue;
    }
    const tracks = tracksOf(DATA[number].timeline, await unpacked(number));
    timelines.set(number, new Timeline(root, DATA[number].timeline, tracks, DATA[number].unknown));
  }
  for (const root of document.querySelectorAll(".kernels[data-run]")) kernelTable(root, Number(root.dataset.run));
  startRuns();
  startPlaces();
  document.documentElement.dataset.ready = "yes";
  performance.mark("ready");
}
start();
