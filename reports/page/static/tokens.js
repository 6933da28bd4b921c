// Decode steps beside each other: busy time and idle time by cause, over the cache that each begins with.
const STEP_PARTS = ["busy", "host", "sync", "launch", "unknown"];
const PART_WORDS = { busy: "busy", host: "idle: host", sync: "idle: sync", launch: "idle: launch", unknown: "idle: unknown" };

function tokenChart(root, number) {
  const data = DATA[number];
  const steps = data.tokens;
  const totals = steps.map((step) => step.slice(3).reduce((a, b) => a + b, 0));
  const sorted = [...totals].sort((a, b) => a - b);
  const typical = sorted[sorted.length >> 1] || 1;
  const longest = sorted[sorted.length - 1] || 1;
  // One step that takes a hundred times as long as the others must not flatten them.
  const top = longest > 4 * typical ? 4 * typical : longest * 1.04;
  const outliers = new Map(data.outliers.map((one) => [`${one[0]} ${one[1]}`, one]));
  const cached = steps.every((step) => step[2] !== null);
  const chart = el("div", { class: "chart" });
  const unit = data.passes ? "pass" : "decode step";
  root.append(
    el("p", { class: "legend" }, ...STEP_PARTS.map((part) => el("span", { class: `key ${part === "busy" ? "stage-busy" : `cause-${part}`}` }, PART_WORDS[part]))),
    chart,
    el("p", { class: "hint" }, `One bar a ${unit}${cached ? ", over the length of the KV cache that it begins with" : ""}. ▼ stands out, as the finding token-outliers says.${data.timeline ? " Click a bar to see it on the timeline." : ""}`),
  );

  function draw() {
    const width = Math.floor(chart.clientWidth);
    if (!width) return;
    const [left, right, height, base] = [58, 6, 240, 205];
    const scale = (width - left - right) / steps.length;
    const y = (ns) => base - (Math.min(ns, top) / top) * (base - 22);
    const paths = Object.fromEntries(STEP_PARTS.map((part) => [part, []]));
    const marks = [];
    steps.forEach((step, i) => {
      const x = left + i * scale;
      const wide = Math.max(0.4, scale > 3 ? scale - 1 : scale * 0.92);
      let sum = 0;
      STEP_PARTS.forEach((part, place) => {
        const ns = step[3 + place];
        if (ns && sum < top) paths[part].push(`M${x.toFixed(2)} ${y(sum).toFixed(2)}h${wide.toFixed(2)}V${y(sum + ns).toFixed(2)}h-${wide.toFixed(2)}z`);
        sum += ns;
      });
      if (outliers.has(`${step[0]} ${step[1]}`)) {
        const peak = y(sum) - 5;
        marks.push(svg("path", { class: "outlier", d: `M${x + wide / 2} ${peak}l-4.5 -8h9z` }));
      }
    });
    const over = svg("rect", { class: "over", y: 14, height: base - 14, visibility: "hidden" });
    chart.replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": `${counted(steps.length)} decode steps` },
      ...gridLines(top, y, left, width - right), over,
      ...STEP_PARTS.map((part) => svg("path", { class: `p-${part}`, d: paths[part].join("") })), ...marks,
      ...stepTicks(scale, left, base), svg("text", { x: left, y: height - 4 }, cached ? "tokens in the KV cache" : data.passes ? "pass" : "token"), over));
    listen(chart.firstChild, over, scale, left, base);
  }

  function stepTicks(scale, left, base) {
    const every = Math.max(1, Math.ceil(70 / scale));
    const found = [];
    for (let i = 0; i < steps.length; i += every) {
      const [request, index, cache] = steps[i];
      const words = cache !== null && cached ? counted(cache) : index >= 0 ? `#${index}` : `${i}`;
      found.push(svg("text", { x: left + (i + 0.5) * scale, y: base + 16, "text-anchor": i ? "middle" : "start" }, words));
      if (i && request !== steps[i - 1][0]) found.push(svg("line", { class: "axisline", x1: left + i * scale, x2: left + i * scale, y1: 14, y2: base }));
    }
    return found;
  }

  function listen(drawn, over, scale, left, base) {
    const stepAt = (event) => {
      const box = drawn.getBoundingClientRect();
      const place = Math.floor((event.clientX - box.left - left) / scale);
      return event.clientY - box.top < base + 4 && place >= 0 && place < steps.length ? place : -1;
    };
    drawn.addEventListener("pointermove", (event) => {
      const place = stepAt(event);
      over.setAttribute("visibility", place < 0 ? "hidden" : "visible");
      if (place < 0) return hideTip();
      over.setAttribute("x", left + place * scale);
      over.setAttribute("width", Math.max(1, scale));
      return showTip(told(place), event.clientX, event.clientY);
    });
    drawn.addEventListener("pointerleave", () => { over.setAttribute("visibility", "hidden"); hideTip(); });
    drawn.addEventListener("click", (event) => {
      const place = stepAt(event);
      const timeline = timelines.get(number);
      if (place >= 0 && timeline) timeline.goToStep(steps[place][0], steps[place][1]);
    });
  }

  function told(place) {
    const [request, index, cache, ...parts] = steps[place];
    const outlier = outliers.get(`${request} ${index}`);
    return rows(`${unit} ${index >= 0 ? `#${index}` : place}${request >= 0 ? `, request ${request}` : ""}`, [
      ["in the KV cache", cache === null ? null : `${counted(cache)} tokens`], ["in all", duration(totals[place])],
      ...STEP_PARTS.map((part, i) => [PART_WORDS[part], parts[i] ? duration(parts[i]) : null]),
      ["stands out", outlier ? `by ${duration(outlier[2])}, most of it ${outlier[3]}` : null],
    ]);
  }

  redraws.push(draw);
  new ResizeObserver(draw).observe(chart);
}

function gridLines(top, y, from, to) {
  const rough = top / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const found = [];
  for (let ns = 0; ns <= top; ns += step) {
    found.push(svg("line", { class: "axisline", x1: from, x2: to, y1: y(ns), y2: y(ns) }),
      svg("text", { x: from - 6, y: y(ns) + 4, "text-anchor": "end" }, ns ? duration(ns) : "0"));
  }
  return found;
}

Timeline.prototype.goToStep = function goToStep(request, index) {
  const stages = this.stages;
  const item = stages ? stages.index.findIndex((one, i) => one === index + 1 && stages.request[i] === request + 1) : -1;
  if (item >= 0) this.goTo(stages.start[item], stages.end[item]);
};
