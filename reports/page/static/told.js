// What a timeline tells of what is under the pointer, and how it listens.
Object.assign(Timeline.prototype, {
  pairs({ track, item }) {
    const found = [["from", exactly(track.start[item])], ["takes", track.kind === "idle" ? "" : duration(track.length[item])]];
    if (track.kind === "stages") {
      if (!this.unknown.includes(this.stageOf(item))) found.push(["busy", duration(track.busy[item])], ["idle", duration(track.idle[item])]);
    } else if (track.kind === "idle") {
      for (const cause of ["host", "sync", "launch", "unknown", "between"]) {
        if (track[cause][item]) found.push([cause, duration(track[cause][item])]);
      }
      found.push(["charged to", this.runWords(track.run[item] - 1) || "no stage"]);
    } else if (track.kind === "stream") {
      found.push(["stage", this.runWords(track.run[item] - 1) || "none"], ["kind", this.data.categories[track.name[item]]], ["on", track.label]);
      if (track.shape[item]) found.push(["launched as", launchWords(this.data.shapes[track.shape[item] - 1])]);
      found.push(...this.launchPairs(track, item));
    } else {
      found.push(["on", track.label]);
      if (track.kind === "operators") found.push(["stage", this.runWords(track.run[item] - 1)]);
      if (track.kind === "calls") found.push(...this.callPairs(track, item));
    }
    return found;
  },

  launchPairs(track, item) {
    const call = this.callOf(track, item);
    if (!call) return [["launch", "the trace has no record of it"]];
    const { track: calls, item: at } = call;
    const delay = track.start[item] - calls.start[at];
    return [
      ["launch", `${this.name(calls, at)} on ${calls.label}, at ${exactly(calls.start[at])}, ${duration(calls.length[at])} long`],
      ["began", delay >= 0 ? `${duration(delay)} after its launch began` : `${duration(-delay)} before its launch: the clocks differ`],
    ];
  },

  callPairs(track, item) {
    const ops = this.launchedBy({ track, item });
    const first = ops[0];
    if (!first) return [["", track.waits[item] ? "waits for the device" : ""]];
    const more = ops.length > 1 ? ` and ${counted(ops.length - 1)} more` : "";
    return [["launched", `${this.name(first.track, first.item)}${more}`], ["which began", `${duration(first.track.start[first.item] - track.start[item])} later`]];
  },

  content(found) {
    const { track, item } = found;
    const title = track.kind === "stages" ? this.runWords(item)
      : track.kind === "idle" ? `idle ${duration(track.length[item])}${track.count && track.count[item] > 1 ? ` in ${counted(track.count[item])} gaps` : ""}`
        : this.name(track, item);
    return rows(title, this.pairs(found));
  },

  tell(found) {
    this.told.replaceChildren(found ? this.content(found) : el("span", { class: "dim" }, "Point at something, or touch it, to read what it is: of a kernel its stage and its launch, of a gap why the device waited."));
  },

  hover(found, event) {
    const same = found && this.under && found.track === this.under.track && found.item === this.under.item;
    if (!same && (found || this.under)) {
      this.under = found;
      this.later();
    }
    if (found) showTip(this.content(found), event.clientX, event.clientY); else hideTip();
  },

  listen() {
    const touched = new Map();
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    let start = null;
    this.canvas.addEventListener("pointerdown", (event) => {
      touched.set(event.pointerId, event);
      const [x, y] = at(event);
      start = { x, y, moved: false, view: { ...this.view }, part: event.shiftKey };
      if (touched.size === 1) this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      if (touched.has(event.pointerId) && touched.size === 2) return this.pinch(touched, event);
      if (!touched.has(event.pointerId) || !start) return this.hover(this.find(x, y), event);
      if (Math.abs(x - start.x) > 3) start.moved = true;
      if (!start.moved) return undefined;
      hideTip();
      this.canvas.classList.add("moving");
      if (start.part) {
        this.part = { a: start.x, b: x };
        return this.later();
      }
      const by = ((start.x - x) / this.width) * (start.view.to - start.view.from);
      return this.show(start.view.from + by, start.view.to + by);
    });
    const end = (event) => {
      const only = touched.size === 1 && start;
      touched.delete(event.pointerId);
      this.canvas.classList.remove("moving");
      if (only && this.part) {
        const [a, b] = [this.part.a, this.part.b].sort((one, other) => one - other);
        this.part = null;
        this.show(this.timeAt(a), this.timeAt(b));
      } else if (only && !start.moved && event.type === "pointerup") {
        this.chosen = this.find(...at(event));
        this.tell(this.chosen);
        if (event.pointerType === "touch") hideTip();
        this.later();
      }
      start = null;
    };
    this.canvas.addEventListener("pointerup", end);
    this.canvas.addEventListener("pointercancel", end);
    this.canvas.addEventListener("pointerleave", () => this.hover(null));
    this.canvas.addEventListener("dblclick", (event) => {
      const found = this.find(...at(event));
      if (found) this.goNear(found); else this.zoom(0.4, this.timeAt(at(event)[0]));
    });
    this.canvas.addEventListener("wheel", (event) => this.wheel(event, at(event)[0]), { passive: false });
    this.scroll.addEventListener("keydown", (event) => this.key(event));
    const jump = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const box = this.overview.getBoundingClientRect();
      const middle = this.whole.from + ((event.clientX - box.left) / box.width) * (this.whole.to - this.whole.from);
      const half = (this.view.to - this.view.from) / 2;
      this.show(middle - half, middle + half);
    };
    this.overview.addEventListener("pointerdown", jump);
    this.overview.addEventListener("pointermove", jump);
  },

  goNear({ track, item }) {
    const around = Math.max(track.length[item] * 0.6, 200);
    this.show(track.start[item] - around, track.end[item] + around);
  },

  wheel(event, x) {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 150))), this.timeAt(x));
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      this.move((event.deltaX || event.deltaY) / this.width);
    }
  },

  key(event) {
    const acts = {
      ArrowLeft: () => this.move(-0.2), ArrowRight: () => this.move(0.2), "+": () => this.zoom(0.5), "=": () => this.zoom(0.5),
      "-": () => this.zoom(2), 0: () => this.show(this.whole.from, this.whole.to),
      Escape: () => { this.chosen = this.flash = null; this.tell(null); this.later(); },
    };
    if (!acts[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    acts[event.key]();
  },

  // Two fingers: what lay under each stays under it.
  pinch(touched, event) {
    const [first, second] = [...touched.values()];
    const still = first.pointerId === event.pointerId ? second : first;
    const before = touched.get(event.pointerId);
    const left = this.canvas.getBoundingClientRect().left;
    const [a, b] = [Math.abs(before.clientX - still.clientX), Math.abs(event.clientX - still.clientX)];
    touched.set(event.pointerId, event);
    if (a > 8 && b > 8) this.zoom(a / b, this.timeAt((event.clientX + still.clientX) / 2 - left));
  },
});
