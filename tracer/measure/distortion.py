"""How much slower each stage is under the profiler than without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.document.names import DECODE
from tracer.measure.alike import alike
from tracer.measure.requests import marked_stages, stage_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer.document.manifest import Latencies, Manifest


# Fewer say nothing of how far requests lie apart.
FEWEST_CLEAN = 3


def distortion(manifest: Manifest) -> dict[str, float]:
    """Profiled over clean, by stage; decode over the steps that were profiled, or as a whole.

    A profiled request is set against clean ones that were given the same; of several such samples the median counts.
    A stage of which none were is not in it.
    """
    from statistics import median

    ratios = {}
    for stage in marked_stages(manifest):
        found = [pair for sample in _profiled(manifest) if (pair := compared(manifest, stage, sample)) is not None]
        if found:
            ratios[stage] = median(median(profiled) / median(clean) for profiled, clean in found)
    return ratios


def beyond_noise(manifest: Manifest, stage: str) -> bool:
    """Whether profiled requests lie further above clean ones than these lie apart.

    More than twice as far above their median as the slowest of them, for each sample of which three clean requests say
    how far that is; False where there is no such sample.
    """
    from statistics import median

    found = [pair for sample in _profiled(manifest) if (pair := compared(manifest, stage, sample)) is not None]
    telling = [(profiled, clean) for profiled, clean in found if len(clean) >= FEWEST_CLEAN]
    return bool(telling) and all(
        median(profiled) - median(clean) > 2 * (max(clean) - median(clean)) for profiled, clean in telling
    )


def _profiled(manifest: Manifest) -> list[int]:
    """The samples that were profiled; one of any number where all requests had the same input."""
    return sorted({request.sample for request in manifest.profiled}) if manifest.samples else [0]


def compared(manifest: Manifest, stage: str, sample: int) -> tuple[list[int], list[int]] | None:
    """What a stage took in the profiled requests of a sample, and in clean ones like them; None if nothing compares."""
    from statistics import median

    profiled = [request for request in manifest.profiled if not manifest.samples or request.sample == sample]
    by_steps = stage == DECODE and any(request.decode_ns for request in (*manifest.clean, *manifest.profiled))
    clean = alike(manifest, sample, stage, whole=not by_steps)
    if not profiled or not clean:
        return None
    if by_steps:
        times = _steps(profiled, clean)
    else:
        times = [stage_ns(one, stage) for one in profiled], [stage_ns(one, stage) for one in clean]
    return times if times is not None and median(times[1]) > 0 else None


def _steps(profiled: Sequence[Latencies], clean: Sequence[Latencies]) -> tuple[list[int], list[int]] | None:
    """Of each request the decode steps that all of them have, added up."""
    first = profiled[0].first_step
    steps = min(len(request.decode_ns) for request in profiled)
    steps = min([steps, *(len(request.decode_ns) - first + 1 for request in clean)])
    if steps < 1:
        return None
    return (
        [sum(request.decode_ns[:steps]) for request in profiled],
        [sum(request.decode_ns[first - 1 : first - 1 + steps]) for request in clean],
    )
