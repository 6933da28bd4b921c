// Lanes: things of a track that do not lie within each other, one below the other.
const DEEPEST = { stages: 3, ranges: 8, operators: 10, calls: 2 };

function lanesOf(track) {
  const deepest = DEEPEST[track.kind] || 1;
  const held = Array.from({ length: deepest }, () => []);
  const open = [];
  for (let i = 0; i < track.items; i++) {
    if (deepest > 1) {
      while (open.length && open[open.length - 1] <= track.start[i]) open.pop();
    }
    held[Math.min(open.length, deepest - 1)].push(i);
    if (deepest > 1) open.push(track.end[i]);
  }
  return held.filter((items, depth) => items.length || depth === 0).map((items) => {
    const reach = new Float64Array(items.length);
    let furthest = -Infinity;
    items.forEach((item, place) => { reach[place] = furthest = Math.max(furthest, track.end[item]); });
    return { items: Int32Array.from(items), reach };
  });
}

// The first place whose value lies above a bound, in ascending values.
function firstAbove(count, valueAt, bound) {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (valueAt(middle) > bound) high = middle; else low = middle + 1;
  }
  return low;
}

// What lies at a time, or as near to it as `near`; of several the one that began last.
function itemAt(track, lane, time, near) {
  const after = firstAbove(lane.items.length, (place) => track.start[lane.items[place]], time + near);
  let best = -1;
  for (let place = after - 1; place >= 0 && lane.reach[place] >= time - near; place--) {
    const item = lane.items[place];
    if (track.start[item] <= time && time < track.end[item]) return item;
    if (best < 0 && track.end[item] >= time - near) best = item;
  }
  return best;
}

// Draw one lane. What is wider than a dot is a rectangle; of the rest each dot is as high as it is covered.
function drawLane(context, track, lane, view, box, colourOf, wordsOf) {
  const scale = box.width / (view.to - view.from);
  const cover = new Float32Array(box.width + 1);
  const tint = new Array(box.width + 1);
  const words = [];
  const { items, reach } = lane;
  for (let place = firstAbove(items.length, (one) => reach[one], view.from); place < items.length; place++) {
    const item = items[place];
    if (track.start[item] >= view.to) break;
    const left = (track.start[item] - view.from) * scale;
    const right = (track.end[item] - view.from) * scale;
    if (right - left < 1) {
      const dot = Math.max(0, Math.min(box.width, left | 0));
      // What stands for many was not busy all along.
      cover[dot] += Math.max(right - left, 1e-4) * (track.busy && track.count ? track.busy[item] / (track.length[item] || 1) : 1);
      if (tint[dot] === undefined) tint[dot] = item;
      continue;
    }
    const x = Math.max(left, -1);
    const width = Math.min(right, box.width + 1) - x;
    const share = track.count && track.busy && track.kind === "stream" ? Math.max(0.2, Math.min(1, track.busy[item] / (track.length[item] || 1))) : 1;
    context.fillStyle = colourOf(item);
    context.fillRect(x, box.y + box.height * (1 - share), width > 3 ? width - 0.5 : width, box.height * share);
    if (width > 20 && wordsOf) words.push([item, x, width]);
  }
  for (let dot = 0; dot <= box.width; dot++) {
    if (tint[dot] === undefined) continue;
    const height = box.height * Math.max(0.1, Math.min(1, cover[dot]));
    context.fillStyle = colourOf(tint[dot]);
    context.fillRect(dot, box.y + box.height - height, 1, height);
  }
  for (const [item, x, width] of words) drawWords(context, wordsOf(item), Math.max(x, 0), Math.min(width, box.width), box);
}

function drawWords(context, words, x, width, box) {
  const room = Math.floor((width - 6) / 6.2);
  if (room < 2 || !words) return;
  const number = words.slice(words.indexOf("#"));
  const said = words.length <= room ? words : words.includes("#") && number.length <= room ? number : `${words.slice(0, room - 1)}…`;
  context.fillStyle = context.inkOn;
  context.fillText(said, x + 3, box.y + box.height - 4.5);
}

// Idle time: each gap in the colours of its causes, in the order in which they usually come.
const CAUSES = ["between", "unknown", "sync", "host", "launch"];
function drawIdle(context, track, lane, view, box) {
  const scale = box.width / (view.to - view.from);
  const dots = new Map();
  const { items, reach } = lane;
  for (let place = firstAbove(items.length, (one) => reach[one], view.from); place < items.length; place++) {
    const item = items[place];
    if (track.start[item] >= view.to) break;
    const left = (track.start[item] - view.from) * scale;
    const whole = track.length[item] * scale;
    if (whole < 1) {
      const dot = Math.max(0, Math.min(box.width, left | 0));
      const held = dots.get(dot) || new Float64Array(CAUSES.length);
      CAUSES.forEach((cause, i) => { held[i] += track[cause][item] * scale; });
      dots.set(dot, held);
      continue;
    }
    let x = left;
    for (const cause of CAUSES) {
      const width = track[cause][item] * scale;
      if (width > 0 && x + width > 0 && x < box.width) {
        context.fillStyle = colours[cause];
        context.fillRect(Math.max(x, -1), box.y, Math.min(x + width, box.width + 1) - Math.max(x, -1), box.height);
      }
      x += width;
    }
  }
  for (const [dot, held] of dots) {
    let y = box.y + box.height;
    const whole = Math.max(1, held.reduce((a, b) => a + b, 0)); // a gap may reach into the next dot
    CAUSES.forEach((cause, i) => {
      const height = (held[i] / whole) * box.height;
      context.fillStyle = colours[cause];
      context.fillRect(dot, y - height, 1, height);
      y -= height;
    });
  }
}
