"""Runs at the start of each Python that `tracer record --auto` has under it, since this folder is on its path then.

It makes ready to hook transformers, and gives way to the environment's own `sitecustomize`, if there is one.
"""

import sys
from importlib import import_module
from pathlib import Path

_HERE = Path(__file__).resolve().parent
sys.path[:] = [folder for folder in sys.path if not folder or Path(folder).resolve() != _HERE]
_this = sys.modules.pop("sitecustomize")

try:
    from tracer.recording.own.auto import install
except ImportError:  # another environment's Python: whoever started it sees that nothing was recorded
    pass
else:
    install()

try:
    import_module("sitecustomize")
except ModuleNotFoundError as _error:
    if _error.name != "sitecustomize":
        raise
    sys.modules["sitecustomize"] = _this
