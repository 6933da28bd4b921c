"""The page on the findings, made from their rules.

python -m tracer.findings.documentation > docs/findings.md
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tracer.findings.registry import findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracer.findings.rule import Rule

HEAD = """# Findings

`tracer summarize` ends with what is worth knowing, the greatest gain first. Each has a rule that says when it is
raised, the figures it rests on, and, where it can be estimated, what heeding it would save: an estimate, never more
than what it is taken from. A rule is silent where the trace cannot support it. `tracer explain ID FILE` shows a finding
with its figures in a file; `tracer export` has them as a table.
"""


def page() -> str:
    """The whole page, as Markdown."""
    rules = [module.FINDING for module in findings().values()]
    return "\n".join([HEAD, *(line for rule in sorted(rules, key=lambda one: one.id) for line in _section(rule))])


def _section(rule: Rule) -> Iterator[str]:
    yield f"## {rule.id}\n"
    yield f"*{rule.severity}* · raised when {rule.rule}.\n"
    yield f"**Why it matters.** {rule.reason}\n"
    step = rule.next_step
    # A command is written as it is typed.
    yield f"**What to do.** {step if step.startswith('tracer ') else step[:1].upper() + step[1:]}.\n"


if __name__ == "__main__":
    sys.stdout.write(page())
