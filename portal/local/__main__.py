"""``python -m portal.local run | reset | prepare | sign-ins``: see the Makefile."""

from __future__ import annotations

import shutil
import sys


def main(arguments: list[str]) -> int:
    match arguments:
        case ["run"]:
            from portal.local.run import run

            return run()
        case ["reset"]:
            return _reset()
        case ["prepare"]:
            from portal.local.prepare import prepare

            prepare()
            return 0
        case ["sign-ins"]:
            from portal.local.prepare import sign_ins

            for line in sign_ins():
                print(f"  {line}")
            return 0
    print(__doc__, file=sys.stderr)
    return 2


def _reset() -> int:
    from portal.local.machine import held
    from portal.local.process import ServiceError
    from portal.local.run import DATA

    if not DATA.exists():
        return 0
    try:
        with held(DATA):
            shutil.rmtree(DATA)
    except ServiceError as error:
        print(f"Nothing is removed: {error} Stop it first.", file=sys.stderr)
        return 1
    print("The data of the embedded services are gone.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
