"""How to read what the page draws, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.page.data import MOST_STEPS

if TYPE_CHECKING:
    from tracer.document.summary import Summary
    from tracer.document.timeline import Timeline

TIMELINE = (
    "stages: from the first instant of a stage's work on the device to its last. idle, by cause: the gaps in which "
    "the device did nothing, each charged to the op that ends it; where one gap has several causes their lengths are "
    "exact, and their order (waiting for the device, then the host, then the launch) is not. streams: kernels, copies"
    " and fills, in the colour of the stage that launched them; what is narrower than a dot is drawn as high as it "
    "was busy. threads: ranges as they lie within each other, and calls into the device's runtime, those that wait "
    "for it in the colour of sync. An arrow goes from a launch to what it launched."
)
STEPS = (
    "One bar a step: the device's time that is charged to it, from the end of the step before to its own, busy or "
    "idle by cause, added up over devices, under the profiler. A bar of more than four times the median is cut off; "
    "pointing at it tells its figures."
)
ROOFLINE = (
    "What a stage achieves, over its operations per byte; the axes are powers of ten. Under the slope memory "
    "bandwidth is the limit, under the level the arithmetic. The work is that of the model's own operations and "
    "bytes, or that of recorded shapes. The roof is that of one device."
)
KERNELS = (
    "time: durations added up. share: of all of them, in every stage. mean: of one. grid and block: of the launches "
    "with the most time; + 2: launched in two more ways, which the opened row lists. shared: memory of a block, "
    "static and dynamic. occupancy: the profiler's own estimate, by the size of the launch; 0% is less than half a "
    "percent."
)
# What was launched and not recorded may have run in any gap.
IDLE_UNKNOWN = (
    "Not all that was launched was recorded, so nobody knows when the device idled: where nothing is drawn something "
    "may have run, and idle time is drawn of no device that it concerns."
)
KERNELS_LOST = "Not all that was launched was recorded: counts, times and shares are of the kernels that were."


def timeline_note(timeline: Timeline) -> str:
    """How to read the timeline, and what of a large trace is drawn together or not at all."""
    said = [TIMELINE]
    drawn = [track for track in timeline.tracks if track.items < track.of]
    if drawn:
        things, items = sum(track.of for track in drawn), sum(track.items for track in drawn)
        said.append(
            f"This trace is large: neighbours that are short are drawn as one, {items:,} for {things:,} in all."
        )
        said.append("tracer slice makes a smaller file of a part, of which a page has everything.")
    if timeline.left_out:
        said.append(f"Tracks with less on them that are not drawn: {timeline.left_out:,}.")
    return " ".join(said)


def tokens_note(summary: Summary) -> str:
    """How to read the bars of the steps."""
    said = [STEPS]
    if len(summary.tokens) > MOST_STEPS:
        said.append(f"The first {MOST_STEPS:,} are drawn.")
    if unknown := sum(token.busy_ns is None for token in summary.tokens):
        said.append(f"Steps that launched what was not recorded are not drawn: {unknown:,}.")
    return " ".join(said)
