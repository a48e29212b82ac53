# SPDX-License-Identifier: MPL-2.0
"""What an installed libzmq_py is made of, and whether advisories are known of any of it.

    supply_chain.py sbom [FILE]    CycloneDX bill of materials, validated; sbom.json by default
    supply_chain.py audit          pip-audit; needs its advisory service, and says so when it cannot be reached

Both look at a fresh environment with the package and what it needs at run time, not at the tools that look.
Run by tox (`tox -e sbom`, `tox -e audit`). Exit status: 0 in order, 1 something is known of a part, 2 not done.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile
import venv
from typing import Any

TREE = pathlib.Path(__file__).resolve().parents[1]
NAME = "libzmq_py"


def run(*command: str) -> str:
    """Run a command that must succeed; what it printed."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - our own


def install(folder: pathlib.Path) -> str:
    """Make an environment with the package in it, and nothing it does not need; its interpreter."""
    venv.create(folder, clear=True)
    python = str(folder / "bin" / "python")
    run(sys.executable, "-m", "pip", "--quiet", "--python", python, "install", str(TREE))
    run(sys.executable, "-m", "pip", "--python", python, "check")
    return python


def sbom(python: str, target: pathlib.Path) -> int:
    """Write the bill of materials, with the package as its subject, and check it against CycloneDX's own schema."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    made = run("cyclonedx-py", "environment", "--output-format", "JSON", "--spec-version", "1.6", "-o", "-", python)
    bill: dict[str, Any] = json.loads(made)
    (subject,) = [part for part in bill["components"] if part["name"] == NAME]
    bill["components"].remove(subject)
    subject.pop("externalReferences", None)  # where it was built is nobody's business
    bill["metadata"]["component"] = subject
    text = json.dumps(bill, indent=2, sort_keys=True) + "\n"
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error is not None:
        print(f"not valid: {error}", file=sys.stderr)
        return 2
    target.write_text(text, encoding="utf-8")
    print(f"{target}: {NAME} {subject['version']}, made of", *_shown(bill["components"]), sep="\n  ")
    return 0


def audit(python: str) -> int:
    """Ask about each part. A part that could not be asked about is no clean part."""
    parts = json.loads(run(sys.executable, "-m", "pip", "--python", python, "list", "--format", "json"))
    parts = [part for part in parts if part["name"].replace("-", "_") != NAME]
    print("installed and consistent (pip check):", *_shown(parts), sep="\n  ")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pins:
        pins.writelines(f"{part['name']}=={part['version']}\n" for part in parts)
        pins.flush()
        command = ["pip-audit", "--requirement", pins.name, "--no-deps", "--disable-pip", "--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 - our own
    try:
        answers = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return _not_done(done.stderr.strip().rpartition("\n")[2])
    skipped = [answer for answer in answers if "skip_reason" in answer]
    found = [answer for answer in answers if answer.get("vulns")]
    for answer in found:
        for advisory in answer["vulns"]:
            print(f"{answer['name']} {answer['version']}: {advisory['id']}, fixed in {advisory['fix_versions']}")
    if skipped or len(answers) < len(parts):
        return _not_done("\n  ".join(answer["skip_reason"] for answer in skipped))
    if not found:
        print("no advisory is known of any of them")
    return 1 if found else 0


def _not_done(why: str) -> int:
    print(
        "NOT AUDITED: the advisory service cannot be reached from here, or does not know these packages. This says"
        f" nothing about them; run it where it can be reached.\n  {why}",
        file=sys.stderr,
    )
    return 2


def _shown(parts: list[dict[str, Any]]) -> list[str]:
    return sorted(f"{part['name']} {part['version']}" for part in parts)


def main(arguments: list[str]) -> int:
    """As the module says."""
    if not arguments or arguments[0] not in ("sbom", "audit"):
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        python = install(pathlib.Path(folder) / "venv")
        if arguments[0] == "audit":
            return audit(python)
        return sbom(python, pathlib.Path(arguments[1] if len(arguments) > 1 else "sbom.json"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
