"""Progress bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import TaskID


class Bars:
    """A progress bar for each phase, on stderr."""

    LABELS = {  # noqa: RUF012 -- a constant
        "import": "loading torch",
        "build": "building the model",
        "verify": "verify: stages = model",
        "clean": "clean: latencies",
        "profiled": "profiled: trace",
        "write": "writing",
        "nsight": "nsight: report",
        "reading": "reading traces",
    }

    def __init__(self, *, shown: bool = True) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        width = max(map(len, self.LABELS.values()))
        self._progress = Progress(
            TextColumn(f"{{task.description:<{width}}}"),
            BarColumn(bar_width=None if console.width < 60 else 30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not (shown and console.is_terminal),
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Bars:
        self._progress.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.__exit__(kind, error, traceback)

    def begin(self, phase: str, steps: int) -> None:
        """A phase of so many steps begins."""
        self._task = self._progress.add_task(self.LABELS.get(phase, phase), total=steps)

    def advance(self) -> None:
        """One step of the phase is done."""
        if self._task is not None:
            self._progress.advance(self._task)
