"""Which requests measured without a profiler are like one that was recorded.

A ratio of two requests says something of what lies between them only if they were given the same: the same sample, or,
where the work goes by its shape, another of the same shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import DECODE, LOAD, PREPROCESS

if TYPE_CHECKING:
    from collections.abc import Hashable

    from tracer.document.manifest import Latencies, Manifest

# What they take goes by the file, of which its tokens say nothing.
BY_CONTENT = (LOAD, PREPROCESS)


def alike(manifest: Manifest, sample: int, stage: str, *, whole: bool = False) -> list[Latencies]:
    """The clean requests whose `stage` did the same as that of a request which was given `sample`.

    Args:
        manifest: of the recording.
        sample: index into its samples; any number where it had one input for all, which are all alike.
        stage: that is compared.
        whole: whether all of decoding is, so that answers have to be equally long.
    """
    if not manifest.samples:
        return manifest.clean
    if not 0 <= sample < len(manifest.samples):
        return []
    same = [request for request in manifest.clean if request.sample == sample]
    if same or stage in BY_CONTENT:
        return same
    long = manifest.samples[sample].new_tokens
    return [
        request
        for request in same_shape(manifest, sample)
        if not (whole and stage == DECODE) or manifest.samples[request.sample].new_tokens == long
    ]


def same_shape(manifest: Manifest, sample: int) -> list[Latencies]:
    """The clean requests of samples of the same shape; all where a recording had one input, none of an unknown one."""
    known = range(len(manifest.samples))
    if not known:
        return manifest.clean
    if sample not in known:
        return []
    shape = shape_of(manifest, sample)
    return [one for one in manifest.clean if one.sample in known and shape_of(manifest, one.sample) == shape]


def shape_of(manifest: Manifest, sample: int) -> Hashable:
    """What the work of vision, prefill and each decode step goes by: equal of samples that are alike.

    Raises:
        IndexError: there is no such sample.
    """
    given = manifest.samples[sample]
    return given.batch_size, given.frames, given.visual_tokens, given.prompt_tokens
