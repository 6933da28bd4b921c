from __future__ import annotations

import msgspec
import pytest
from support.chrome import kernel, trace_of
from support.predict import budget, summary_of, then

from tracer.document.errors import InputError, UsageError
from tracer.predict.whatif import Changes, predict
from tracer.summarize import summarize


def test_changes_add_up() -> None:
    both = then(launch_overhead=0.0, speculate=(3, 1.0))
    assert both == {"vision": 1_000, "prefill": 8_000, "decode": 2_250}


def test_what_is_not_known_is_not_predicted() -> None:
    with pytest.raises(InputError, match="no stages"):
        predict(summarize(trace_of(kernel("k", 0, 1))), Changes(stages={}, launch_overhead=0))
    with pytest.raises(InputError, match="does not say what a visual token costs"):
        predict(summary_of(token=None), Changes(stages={}, visual_tokens=0.5))
    unknown = msgspec.structs.replace(summary_of(), roofline=None)
    with pytest.raises(InputError, match="bound by memory"):
        predict(unknown, Changes(stages={}, bandwidth=2))
    with pytest.raises(UsageError, match="has no stage vision; it has prefill"):
        predict(summary_of(budget("prefill", 1, 1, 1)), Changes(stages={}, batch_frames=5))
