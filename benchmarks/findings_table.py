"""Every finding on every trace at hand, as a page to be read line by line.

    python benchmarks/findings_table.py [FOLDER ...] > docs/findings-on-files.md

The repository's own traces, and those of the folders.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tracer.document.errors import TracerError
from tracer.document.summary import Finding
from tracer.summarize import summarize_file

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
HEAD = """# Findings on real files

What `tracer summarize` finds in the real traces at hand: those of the repository (`tests/data`), and more that are not
in it; behind them the made ones of `tests/data/cases`, each with a fault that people met. Made by
`python benchmarks/findings_table.py`, which holds what a reader who knows the runs says of each; what is to be done is
the report's own advice. Silence is an answer too, and `not answered` names what a file cannot support.
"""


# By somebody who read the trace itself, or made it.
READ = {
    "h100_branches": "True: chains of elementwise kernels, made so; nothing else ran that they could go into, so "
    "that one of 16 a step remains.",
    "h100_graph_step": "True of the model's own kernels, which the graph replays one by one; one step of eight was "
    "kept, and the gain is of all eight.",
    "h100_frees": "Made: kernels that spin, and frees that wait for them.",
    "h100_side_stream": "Made: a kernel that spins on a stream of its own.",
    "hf_assisted_truth": "True of the overlaps. The ranges have names of somebody's own, and target and draft in "
    "turns repeat nothing exactly: no stage is claimed.",
    "hf_prompt_lookup_truth": "True: the run above once more. Ranges of somebody's own, and passes of several lengths: "
    "no stage is claimed.",
    "kineto_cpu_only": "Four operators on a CPU: nothing to say.",
    "kineto_h100_owlv2": "True: a detector of objects, whose 24 layers each write scores of 860 MB, and read them for "
    "a softmax. Its five batches repeat as steps would, and no stage is claimed; for 491 of 1,078 ms the device waits "
    "while the data loader runs on the thread that launches, in four gaps of which no rule judges without stages.",
    "kineto_mi210_gpu_only": "Training of a convolutional network: no stage is claimed, and none is.",
    "kineto_mi300x_bert": "True: one batch of an encoder, a kernel of 6 µs every 57 µs; which gaps are the profiler's "
    "nobody measured.",
    "kineto_mi300x_vllm_piecewise_graph": "One mixed step, busy to 99.8 %: nothing to do.",
    "kineto_mi355x_compiled_triton": "One call of a compiled graph, never idle: nothing to do.",
    "kineto_ns_resolution": "Training: no stage is claimed, and none is.",
    "kineto_rank0_sampled": "Training of a recommender, two thirds of it collectives: no stage is claimed.",
    "kineto_rank_non_gpu": "A rank whose device was not recorded, as is said.",
    "nsight_synthetic_mock": "Three made kernels.",
    "kineto_alexnet": "True: a benchmark of an image classifier, whose inputs are copied from pageable memory; no "
    "stage is claimed, and none is.",
    "kineto_b200_vllm_eager": "True: the eager prefill of a prompt of 888 tokens, with stacks recorded; in 34 of "
    "36 layers the routing to experts begins more than 200 µs after what ran before it. The profiler's own part of "
    "the host's time is in it, since nobody measured without.",
    "kineto_mi300x_sglang_decode_graph": "True: the first kernel on the stream of the forward pass, asked for just "
    "before the step, begins 463 ms after its launch, and the host waits for it in a copy; the graph, asked for "
    "behind that, begins after 14 µs. Of what the stream waited for, the trace says nothing.",
    "nsight_h200_gemms": "True: a sleep on the host lies between the two products, made so, and the result of the "
    "second is read back into memory that is not pinned.",
    "hf_assisted": "True: seven passes check drafts; each crop of the cache waits, layer by layer, for 6 µs each: "
    "what follows a wait is mostly the host's work.",
    "hf_beams": "True: eager decoding with four beams, a kernel every 31 µs of the host's time. A quarter of "
    "decode is index_select, which puts the caches of the beams in order.",
    "hf_prompt_lookup": "True: six passes for seven tokens, and no time per token is claimed.",
    "hf_static_compiled": "True: one replay a step, 38 launches; the host prepares the next step while the device "
    "waits. Of the 136 µs behind a wait most is that, and not the wait, which takes 11 µs: the gain is an upper "
    "bound.",
    "hf_streamer_thread": "True: 7 steps, as many as were made; inferred, since the profiler saw another thread alone.",
    "memory_stages": "True: eager, with profile_memory, which slows the host further.",
    "h100_host_layers": "True: Python sleeps in vision, and tiny operators run in prefill, as made; of decode, for a "
    "quarter of whose time the device had not been asked for more, nothing is said.",
    "tp2_healthy/rank0": "True of this rank; what of decode's device time is waiting in all-reduce takes both ranks.",
    "tp2_healthy/rank1": "True: most of what this rank's device did was all-reduce, waiting included.",
    "tp2_host_straggler/rank0": "True: nearly all of decode is all-reduce; `tracer ranks` says that rank 1 is late "
    "by its host, for 4.4 ms at one go in each run, as made.",
    "tp2_host_straggler/rank1": "True: this rank's host is the late one.",
    "two_models_solo_a": "True: prefill and 11 steps, inferred, as its ranges (`A/...`) say.",
    "two_models_solo_b": "Four prefills alone repeat as steps would: nothing is claimed, and the markers are named "
    "that would tell them.",
    "two_models_both": "Two models in two threads at once, of which the profiler saw launches alone: nothing is "
    "claimed.",
    "cases/amd_agent_number": "Four kernels, 20 µs apart: nothing to do.",
    "cases/ascend_trace_view": "Not read, as is said, and by whom it was written.",
    "cases/backward_thread_silent": "17 of 20 ops were launched by a thread without ranges: no stage is claimed.",
    "cases/first_steps_kernels_dropped": "True: the first four steps have none of their 32 kernels.",
    "cases/graph_without_kernels": "True: the copies that were recorded are all that is known of the device.",
    "cases/hpu_op": "True: nothing in the file says who asked for the three ops.",
    "cases/kernel_before_launch": "True: eight kernels begin 5 ms before their launch, so that no cause is claimed.",
    "cases/legacy_autograd": "Not read, as is said, and by whom it was written.",
    "cases/marker_typo": "One range of a name that tells no stage.",
    "cases/merged_two_ranks_device0": "True of both ranks together: each of their devices idles 510 µs four times.",
    "cases/mtia_ccp_events": "True: nothing is asked for between two steps, for 700 µs each time.",
    "cases/onnxruntime": "Not read, as is said, and by whom it was written.",
    "cases/sglang_speculative": "True, of one and the same time: what lies between a draft and its check is idle "
    "between steps, and where the draft ends such a gap, it waited.",
    "cases/vllm_graph_replays_without_kernels": "True: of decode nothing is known, so nothing is found.",
    "cases/windows_path_in_head": "One kernel in one step.",
    "cases/xpu_no_device_records": "True: the device was not recorded, and this is no run on a CPU.",
    "cases/xpu_waits": "True: each step ends in urQueueFinish, and 4 KB of pageable memory go to the device in each.",
    "cases/zero_timestamps": "True: two of seven kernels have no time.",
    "nsight_h100_2gpu": "True: the recording stopped with half of what was launched still in the queue.",
}


def main() -> None:
    files = [
        path for pattern in ("kineto_*.json.gz", "nsight_h*.sqlite", "h100_*.json.gz") for path in DATA.glob(pattern)
    ]
    for folder in map(Path, sys.argv[1:]):
        files += [path for pattern in ("*.json.gz", "*.sqlite", "*/*.json.gz") for path in folder.glob(pattern)]
    seen: dict[str, Path] = {}
    for path in sorted(files, key=lambda path: (path.name, path)):
        seen.setdefault(
            path.name if path.parent.name in ("data", "traces", "h100") else f"{path.parent.name}/{path.name}", path
        )
    print(HEAD)
    seen |= {f"cases/{path.stem}": path for path in sorted((DATA / "cases").glob("*.json"))}
    for name, path in seen.items():
        print(f"## {name.partition('.')[0]}\n")
        try:
            summary = summarize_file(path)
        except TracerError as error:
            print(f"{error}\n")
            continue
        devices = ", ".join(sorted({device.name or "unnamed" for device in summary.trace.devices})) or "no device"
        stages = ", ".join(f"{one.stage} {one.calls}" for one in summary.stages) or "none"
        print(f"{devices}; {summary.device.ops:,} ops; stages ({summary.trace.markers}): {stages}.\n")
        for finding in summary.findings:
            gain = finding.gain
            saved = (
                "" if gain is None else f" *Up to {gain.time_ns / 1e6:,.3g} of {gain.of_ns / 1e6:,.4g} ms ({gain.of}).*"
            )
            print(f"- **{finding.id}**: {_plain(finding.message)}.{saved}{_advice(finding)}")
        if not summary.findings:
            print("- nothing")
        unanswered: dict[str, list[str]] = {}
        for one in summary.abstained:
            if one.what not in ("stages", "latency"):
                unanswered.setdefault(one.reason, []).append(one.what)
        for reason, whats in unanswered.items():
            print(f"- not answered, {_plain(_listed(whats))}: {_plain(reason)}.")
        if name.partition(".")[0] in READ:
            print(f"\n{READ[name.partition('.')[0]]}")
        print()


def _advice(finding: Finding) -> str:
    """What a person is told to do, as far as the report says it."""
    return f" To do: {_plain(finding.next_step)}." if finding.next_step and finding.severity != "info" else ""


def _listed(whats: list[str]) -> str:
    """What is not answered for one reason; findings once they are called so."""
    said = [what for what in whats if not what.startswith("finding ")]
    rules = [what.removeprefix("finding ") for what in whats if what.startswith("finding ")]
    return "; ".join([*said, *([f"findings {', '.join(rules)}"] if rules else [])])


def _plain(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*").replace("|", "\\|")


if __name__ == "__main__":
    main()
