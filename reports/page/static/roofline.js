// The roofline: what a stage achieves over its operations per byte, under what the device could do at best.
function rooflineChart(root, number) {
  const roof = DATA[number].roofline;
  const stages = roof.stages.filter((stage) => stage.intensity > 0 && stage.tflops > 0);
  const chart = el("div", { class: "chart" });
  root.append(chart, el("p", { class: "hint" },
    `● while its kernels ran · ○ over all that a run takes, waiting included. The roof: ${significant(roof.tflops)} TFLOP/s and ${significant(roof.gbs)} GB/s${roof.device ? ` (${roof.device}, ${roof.dtype})` : ""}.`));
  const ridge = (roof.tflops * 1e12) / (roof.gbs * 1e9);
  const whole = (stage) => (stage.tflops * Math.min(stage.busy_ns, stage.step_ns)) / Math.max(stage.step_ns, 1);
  const heights = stages.flatMap((stage) => [stage.tflops, whole(stage)]).filter((one) => one > 0);
  const low = { x: Math.floor(Math.log10(Math.min(ridge, ...stages.map((stage) => stage.intensity)) / 3)), y: Math.floor(Math.log10(Math.min(roof.tflops, ...heights) / 2)) };
  const high = { x: Math.ceil(Math.log10(Math.max(ridge, ...stages.map((stage) => stage.intensity)) * 3)), y: Math.ceil(Math.log10(roof.tflops * 1.3)) };

  function draw() {
    const width = Math.floor(chart.clientWidth);
    if (!width) return;
    const [left, right, top, base, height] = [52, 12, 12, 282, 318];
    const x = (value) => left + ((Math.log10(value) - low.x) / (high.x - low.x)) * (width - left - right);
    const y = (value) => base - ((Math.log10(value) - low.y) / (high.y - low.y)) * (base - top);
    const drawn = [];
    for (let power = low.x; power <= high.x; power++) {
      drawn.push(svg("line", { class: "axisline", x1: x(10 ** power), x2: x(10 ** power), y1: top, y2: base }),
        svg("text", { x: x(10 ** power), y: base + 15, "text-anchor": "middle" }, (10 ** power).toLocaleString("en-US")));
    }
    for (let power = low.y; power <= high.y; power++) {
      drawn.push(svg("line", { class: "axisline", x1: left, x2: width - right, y1: y(10 ** power), y2: y(10 ** power) }),
        svg("text", { x: left - 6, y: y(10 ** power) + 4, "text-anchor": "end" }, (10 ** power).toLocaleString("en-US")));
    }
    const edge = 10 ** low.x;
    const bottom = Math.max(edge, (10 ** low.y * 1e12) / (roof.gbs * 1e9));
    drawn.push(svg("path", { class: "roof", d: `M${x(bottom)} ${y((bottom * roof.gbs) / 1000)}L${x(ridge)} ${y(roof.tflops)}H${width - right}` }),
      svg("text", { x: width - right, y: height - 4, "text-anchor": "end" }, "operations per byte"), svg("text", { x: left + 6, y: top + 12 }, "TFLOP/s"));
    drawn.push(...points(x, y, width));
    chart.replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": "roofline" }, ...drawn));
  }

  function points(x, y, width) {
    const taken = [];
    return stages.map((stage) => {
      const [at, filled, ring] = [x(stage.intensity), y(stage.tflops), y(Math.max(whole(stage), 10 ** low.y))];
      const colour = stageColour(stage.stage);
      let line = filled + 4;
      while (taken.some(([u, v]) => Math.abs(u - at) < 90 && Math.abs(v - line) < 14)) line += 14;
      taken.push([at, line]);
      const flip = at > width - 110;
      const group = svg("g", {}, svg("line", { x1: at, x2: at, y1: filled, y2: ring, stroke: colour, "stroke-dasharray": "2 3" }),
        svg("circle", { cx: at, cy: ring, r: 5, fill: colours.paper, stroke: colour, "stroke-width": 2 }), svg("circle", { cx: at, cy: filled, r: 6, fill: colour }),
        svg("text", { class: "named", x: at + (flip ? -11 : 11), y: line, "text-anchor": flip ? "end" : "start" }, stage.stage));
      group.addEventListener("pointermove", (event) => showTip(rows(stage.stage, [
        ["operations per byte", significant(stage.intensity)], ["while busy", `${significant(stage.tflops)} TFLOP/s`],
        ["a run takes", duration(stage.step_ns)], ["of it busy", duration(stage.busy_ns)], ["MFU", stage.mfu === null ? null : percent(stage.mfu, 1)],
        ["MBU", stage.mbu === null ? null : percent(stage.mbu, 1)], ["limited by", stage.limit],
        ["devices", stage.devices > 1 ? `${stage.devices}` : null],
      ]), event.clientX, event.clientY));
      group.addEventListener("pointerleave", hideTip);
      return group;
    });
  }

  redraws.push(draw);
  new ResizeObserver(draw).observe(chart);
}
