"""`python -I run.py direct|worker|judge …`: loads the package this file lies in, wherever it lies, and runs a part."""

import importlib
import importlib.util
import sys
from pathlib import Path

NAME = "agentcore_inside"


def main() -> None:
    """Run the named module's `main` with the remaining arguments."""
    here = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(NAME, here / "__init__.py", submodule_search_locations=[str(here)])
    if spec is None or spec.loader is None:
        raise SystemExit(f"{here} cannot be loaded")
    package = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = package
    spec.loader.exec_module(package)
    _script, part, *arguments = sys.argv
    sys.argv[1:] = []
    importlib.import_module(f"{NAME}.{part}").main(*arguments)


if __name__ == "__main__":
    main()
