// Columns as tracer.document.timeline describes them: LEB128, some of them zigzag differences.
const DIFFERENCES = new Set(["start", "run", "call"]);

async function unpacked(number) {
  const text = document.getElementById(`columns-${number}`).textContent;
  const letters = atob(text);
  const packed = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) packed[i] = letters.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Doubles hold every whole number below 2^53, which is 104 days in nanoseconds.
function column(bytes, from, length, items, differences) {
  const values = new Float64Array(items);
  let at = from;
  let before = 0;
  for (let i = 0; i < items; i++) {
    let value = 0;
    let scale = 1;
    let byte = 0;
    do {
      byte = bytes[at++];
      value += (byte & 127) * scale;
      scale *= 128;
    } while (byte > 127);
    if (differences) {
      before += value % 2 ? -(value + 1) / 2 : value / 2;
      values[i] = before;
    } else {
      values[i] = value;
    }
  }
  if (at !== from + length) throw new Error("a column ends elsewhere than it should");
  return values;
}

// Tracks with their columns; calls are numbered through.
function tracksOf(timeline, bytes) {
  let at = 0;
  let call = 0;
  return timeline.tracks.map((track) => {
    const own = { kind: track.kind, label: track.label, items: track.items, of: track.of, firstCall: call };
    for (const [name, length] of track.columns) {
      own[name] = column(bytes, at, length, track.items, DIFFERENCES.has(name));
      at += length;
    }
    own.end = own.start.map((start, i) => start + own.length[i]);
    if (track.kind === "calls") call += track.items;
    return own;
  });
}
