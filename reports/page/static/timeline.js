// The timeline: an overview, an axis, and tracks on a canvas, from the whole run down to one kernel.
const HEIGHTS = { stages: 18, idle: 12, stream: 20, ranges: 15, calls: 13, operators: 15 };
const LABEL = 15;
const LABELS = { ranges: "ranges", calls: "calls into the device's runtime", operators: "operators" };
const SHOWN_TRACKS = 16;
const SHORTEST = 50;
const timelines = new Map();

class Timeline {
  // `unknown`: stages of which not all was recorded.
  constructor(root, data, tracks, unknown) {
    Object.assign(this, { root, data, tracks, unknown, all: tracks.length <= SHOWN_TRACKS, chosen: null, under: null });
    for (const track of tracks) track.lanes = lanesOf(track);
    this.stages = tracks.find((track) => track.kind === "stages");
    this.calls = tracks.filter((track) => track.kind === "calls");
    const work = tracks.filter((track) => track.items && ["stages", "stream", "operators"].includes(track.kind));
    this.whole = this.around(Math.min(...work.map((track) => track.start[0])), Math.max(...work.map((track) => track.end.reduce((a, b) => Math.max(a, b), 0))));
    if (!work.length) this.whole = this.around(0, data.length);
    this.view = { ...this.whole };
    this.build();
    this.listen();
    redraws.push(() => this.draw());
    new ResizeObserver(() => this.draw()).observe(root);
    this.draw();
    this.tell(null);
  }

  around(from, to) {
    const margin = Math.max((to - from) * 0.02, SHORTEST / 2);
    return { from: from - margin, to: to + margin };
  }

  build() {
    const button = (words, label, act) => {
      const made = el("button", { type: "button", "aria-label": label, title: label }, words);
      made.addEventListener("click", act);
      return made;
    };
    this.window = el("span", { class: "window" });
    this.more = button("", "all tracks", () => { this.all = !this.all; this.draw(); });
    this.controls = el("div", { class: "controls" },
      button("−", "zoom out", () => this.zoom(2)), button("+", "zoom in", () => this.zoom(0.5)),
      button("←", "earlier", () => this.move(-0.4)), button("→", "later", () => this.move(0.4)),
      button("whole run", "the whole run", () => this.show(this.whole.from, this.whole.to)), this.more, this.window);
    this.overview = el("canvas", { class: "overview", "aria-hidden": "true" });
    this.axis = el("canvas", { class: "axis", "aria-hidden": "true" });
    this.canvas = el("canvas", { class: "tracks", "aria-label": "tracks" });
    this.scroll = el("div", { class: "scroll", tabindex: "0", "aria-label": "timeline; arrow keys move, plus and minus zoom, 0 shows the whole run" }, this.canvas);
    this.told = el("div", { class: "told", "aria-live": "polite" });
    this.root.append(this.controls, el("p", { class: "hint" },
      "Drag to move · Ctrl + wheel or pinch to zoom · Shift + drag to zoom into a part · double click to zoom into what is there · click to keep what is told below"),
    this.legend(), this.overview, this.axis, this.scroll, this.told);
  }

  legend() {
    const stages = this.stages ? [...new Set(this.stages.stage)].sort((a, b) => a - b).map((code) => this.data.stages[code]) : [];
    const causes = this.tracks.some((track) => track.kind === "idle") ? ["host", "sync", "launch", "unknown", "between"] : [];
    const key = (kind, words) => el("span", { class: `key ${kind}` }, words);
    const held = new Set(this.data.categories);
    const kinds = this.stages ? stages : CATEGORIES.filter((kind) => held.has(kind));
    return el("p", { class: "legend" }, ...kinds.map((kind) => key(`of-${kind.split("/").pop()}`, kind)),
      ...(causes.length ? ["idle: ", ...causes.map((cause) => key(`cause-${cause}`, cause))] : []));
  }

  // A canvas of this size in style pixels, cleared, its context in them.
  sized(canvas, width, height) {
    const ratio = Math.min(2, devicePixelRatio || 1);
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = colours.paper;
    context.fillRect(0, 0, width, height);
    context.font = "11px system-ui, sans-serif";
    context.direction = "ltr";
    return context;
  }

  shown() {
    return this.all ? this.tracks : this.tracks.slice(0, SHOWN_TRACKS);
  }

  layOut() {
    let y = 0;
    this.boxes = [];
    for (const track of this.shown()) {
      const boxes = track.lanes.map((_, depth) => ({ y: y + LABEL + depth * (HEIGHTS[track.kind] + 1), height: HEIGHTS[track.kind] }));
      this.boxes.push({ track, y, boxes, bottom: boxes[boxes.length - 1].y + HEIGHTS[track.kind] + 5 });
      y = this.boxes[this.boxes.length - 1].bottom;
    }
    return y + 4;
  }

  draw() {
    const width = Math.floor(this.canvas.clientWidth || this.root.clientWidth);
    if (!width) return;
    this.width = width;
    const context = this.sized(this.canvas, width, this.layOut());
    const ticks = this.ticks();
    context.fillStyle = colours.line;
    for (const [x] of ticks) context.fillRect(x, 0, 1, this.boxes.length ? this.boxes[this.boxes.length - 1].bottom : 0);
    this.drawFlash(context);
    for (const { track, y, boxes } of this.boxes) this.drawTrack(context, track, y, boxes, width);
    this.drawMarks(context);
    this.drawAxis(ticks);
    this.drawOverview();
    const { from, to } = this.view;
    const step = (to - from) / 1000;
    this.window.textContent = `${moment(from, step)} to ${moment(to, step)}: ${duration(to - from)}`;
    this.more.hidden = this.tracks.length <= SHOWN_TRACKS;
    this.more.textContent = this.all ? `first ${SHOWN_TRACKS} tracks` : `all ${this.tracks.length} tracks`;
    Object.assign(this.root.dataset, { from: Math.round(from), to: Math.round(to) });
  }

  drawTrack(context, track, y, boxes, width) {
    context.fillStyle = colours.dim;
    context.fillText(LABELS[track.kind] ? `${track.label}: ${LABELS[track.kind]}` : track.label, 4, y + LABEL - 4);
    context.inkOn = track.kind === "ranges" ? colours.ink : "#ffffff";
    track.lanes.forEach((lane, depth) => {
      const box = { ...boxes[depth], width };
      if (track.kind === "idle") drawIdle(context, track, lane, this.view, box);
      else drawLane(context, track, lane, this.view, box, (item) => this.colour(track, item), (item) => this.words(track, item));
    });
  }

  colour(track, item) {
    if (track.kind === "stages") return stageColour(this.data.stages[track.stage[item]]);
    if (track.kind === "ranges") return colours.range;
    if (track.kind === "calls") return track.waits[item] ? colours.sync : colours.call;
    const stage = this.stageOf(track.run[item] - 1);
    if (this.stages) return stage ? stageColour(stage) : colours["stage-none"];
    return colours[this.data.categories[track.name[item]]] || colours["stage-none"];
  }

  stageOf(run) {
    return run >= 0 && this.stages ? this.data.stages[this.stages.stage[run]] : "";
  }

  runWords(run) {
    if (run < 0 || !this.stages) return "";
    const count = this.stages.count ? this.stages.count[run] : 1;
    const index = count > 1 ? ` (${counted(count)} runs)` : this.stages.index[run] ? ` #${this.stages.index[run] - 1}` : "";
    const request = this.stages.request[run] && count === 1 ? `, request ${this.stages.request[run] - 1}` : "";
    return `${this.stageOf(run)}${index}${request}`;
  }

  words(track, item) {
    if (track.kind === "stages") return this.runWords(item).split(",")[0];
    if (track.kind === "calls") return "";
    const name = this.name(track, item);
    return track.kind === "stream" ? name.replace(/^void /, "").replace(/at::native::|\(anonymous namespace\)::/g, "") : name;
  }

  name(track, item) {
    const name = this.data.names[track.name[item]];
    const count = track.count ? track.count[item] : 1;
    return count > 1 ? `${counted(count)} in a row, the longest: ${name}` : name;
  }

  // The rectangle of an item, or null where its track is not shown.
  box(track, item) {
    const row = this.boxes.find((one) => one.track === track);
    if (!row) return null;
    let depth = track.lanes.findIndex((lane) => {
      const place = firstAbove(lane.items.length, (one) => lane.items[one], item - 1);
      return lane.items[place] === item;
    });
    depth = Math.max(0, depth);
    const scale = this.width / (this.view.to - this.view.from);
    const x = (track.start[item] - this.view.from) * scale;
    return { x, width: Math.max(1, track.length[item] * scale), ...row.boxes[depth] };
  }

  // Where a link led.
  drawFlash(context) {
    if (!this.flash) return;
    const scale = this.width / (this.view.to - this.view.from);
    const width = Math.max(2, (this.flash.to - this.flash.from) * scale);
    context.fillStyle = `${colours.mark}30`;
    context.fillRect((this.flash.from - this.view.from) * scale, 0, width, this.canvas.clientHeight);
  }

  drawMarks(context) {
    const marked = this.under || this.chosen;
    if (this.part) {
      context.fillStyle = `${colours.link}33`;
      context.fillRect(Math.min(this.part.a, this.part.b), 0, Math.abs(this.part.a - this.part.b), this.canvas.clientHeight);
    }
    if (!marked) return;
    const outline = (track, item) => {
      const box = this.box(track, item);
      if (!box) return null;
      context.strokeStyle = colours.ink;
      context.lineWidth = 1.5;
      context.strokeRect(box.x - 0.5, box.y - 0.5, box.width + 1, box.height + 1);
      return box;
    };
    const box = outline(marked.track, marked.item);
    for (const [from, to] of this.arrows(marked)) {
      const start = from === marked ? box : outline(from.track, from.item);
      const end = to === marked ? box : outline(to.track, to.item);
      if (start && end) this.drawArrow(context, start, end);
    }
  }

  drawArrow(context, start, end) {
    const [x, y] = [start.x + Math.min(start.width, 6) / 2, start.y > end.y ? start.y : start.y + start.height];
    const [u, v] = [end.x, start.y > end.y ? end.y + end.height : end.y];
    context.strokeStyle = context.fillStyle = colours.ink;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, y);
    context.bezierCurveTo(x, (y + v) / 2, u, (y + v) / 2, u, v);
    context.stroke();
    const away = start.y > end.y ? 5 : -5;
    context.beginPath();
    context.moveTo(u, v);
    context.lineTo(u - 3, v + away);
    context.lineTo(u + 3, v + away);
    context.fill();
  }

  // From launches to what they launched, of what is marked.
  arrows(marked) {
    if (marked.track.kind === "stream") {
      const call = this.callOf(marked.track, marked.item);
      return call ? [[call, marked]] : [];
    }
    return marked.track.kind === "calls" ? this.launchedBy(marked).slice(0, 40).map((op) => [marked, op]) : [];
  }

  callOf(track, item) {
    const number = track.call ? track.call[item] - 1 : -1;
    if (number < 0) return null;
    const owner = this.calls.find((calls) => number >= calls.firstCall && number < calls.firstCall + calls.items);
    return owner ? { track: owner, item: number - owner.firstCall } : null;
  }

  launchedBy(call) {
    const number = call.track.firstCall + call.item + 1;
    this.opsOfCall ||= new Map();
    if (!this.opsOfCall.size) {
      for (const track of this.tracks.filter((one) => one.kind === "stream")) {
        for (let item = 0; item < track.items; item++) {
          const key = track.call[item];
          if (!key) continue;
          if (!this.opsOfCall.has(key)) this.opsOfCall.set(key, []);
          this.opsOfCall.get(key).push({ track, item });
        }
      }
    }
    return this.opsOfCall.get(number) || [];
  }

  ticks() {
    const { from, to } = this.view;
    const rough = ((to - from) / this.width) * 110;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
    const found = [];
    for (let at = Math.ceil(from / step) * step; at < to; at += step) found.push([((at - from) / (to - from)) * this.width, moment(at, step)]);
    return found;
  }

  drawAxis(ticks) {
    const context = this.sized(this.axis, this.width, 20);
    for (const [x, words] of ticks) {
      context.fillStyle = colours.line;
      context.fillRect(x, 14, 1, 6);
      context.fillStyle = colours.dim;
      context.fillText(words, x + 4, 14);
    }
  }

  drawOverview() {
    const context = this.sized(this.overview, this.width, 26);
    const track = this.stages || this.tracks.find((one) => one.kind === "stream" || one.kind === "operators");
    if (track) drawLane(context, track, track.lanes[0], this.whole, { y: 5, height: 16, width: this.width }, (item) => this.colour(track, item), null);
    const scale = this.width / (this.whole.to - this.whole.from);
    const [left, right] = [(this.view.from - this.whole.from) * scale, (this.view.to - this.whole.from) * scale];
    context.fillStyle = `${colours.paper}b0`;
    context.fillRect(0, 0, left, 26);
    context.fillRect(right, 0, this.width - right, 26);
    context.strokeStyle = colours.ink;
    context.strokeRect(left + 0.5, 0.5, Math.max(2, right - left - 1), 25);
  }

  // Show these nanoseconds, as far as there are any to show.
  show(from, to) {
    const reach = { from: Math.min(0, this.whole.from), to: Math.max(this.data.length, this.whole.to) };
    const length = Math.min(Math.max(to - from, SHORTEST), (reach.to - reach.from) * 1.2);
    const middle = Math.min(Math.max((from + to) / 2, reach.from), reach.to);
    this.view = { from: middle - length / 2, to: middle + length / 2 };
    this.later();
  }

  later() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.draw(); });
  }

  zoom(factor, at = (this.view.from + this.view.to) / 2) {
    this.show(at - (at - this.view.from) * factor, at + (this.view.to - at) * factor);
  }

  move(share) {
    const by = (this.view.to - this.view.from) * share;
    this.show(this.view.from + by, this.view.to + by);
  }

  // Bring a place into view, with as much around it as says where it lies.
  goTo(from, to) {
    this.flash = { from, to };
    const around = Math.max((to - from) * 0.15, 200);
    this.show(from - around, to + around);
    this.root.closest("section").scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  }

  timeAt(x) {
    return this.view.from + (x / this.width) * (this.view.to - this.view.from);
  }

  find(x, y) {
    const row = this.boxes.find((one) => y >= one.y && y < one.bottom);
    const depth = row ? row.boxes.findIndex((box) => y >= box.y - 1 && y <= box.y + box.height + 1) : -1;
    if (depth < 0) return null;
    const near = ((this.view.to - this.view.from) / this.width) * 3;
    const item = itemAt(row.track, row.track.lanes[depth], this.timeAt(x), near);
    return item < 0 ? null : { track: row.track, item };
  }
}
