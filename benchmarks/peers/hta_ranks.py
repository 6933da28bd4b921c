"""What HolisticTraceAnalysis says of the ranks of one run. Prints it as JSON, microseconds.

Run by the interpreter that has HTA: python hta_ranks.py RANK0 RANK1 ...
"""

import json
import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path

logging.disable(logging.CRITICAL)
warnings.filterwarnings("ignore")


def main() -> None:
    from hta.trace_analysis import TraceAnalysis

    begin = sum(os.times()[:4])
    paths = {rank: str(Path(path).resolve()) for rank, path in enumerate(sys.argv[1:])}
    with tempfile.TemporaryDirectory() as folder:
        analysis = TraceAnalysis(paths, folder, include_last_profiler_step=True)

    def ask(name: str, **options: object) -> object:
        try:
            found = getattr(analysis, name)(**options)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return found if isinstance(found, list) else found.to_dict("records")

    answer = {
        "overlap": ask("get_comm_comp_overlap", visualize=False),
        "stragglers": ask("get_potential_stragglers", num_candidates=1),
        "two_stragglers": ask("get_potential_stragglers"),
        "temporal": ask("get_temporal_breakdown", visualize=False),
    }
    print(json.dumps(answer | {"processor_s": sum(os.times()[:4]) - begin}, default=float))


if __name__ == "__main__":
    main()
