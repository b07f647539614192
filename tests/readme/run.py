"""Runs the examples of README.md as they stand, as a newcomer would.

Each fenced block in C, Python, JavaScript or Rust becomes a file in a directory of its own. It is
built if its language asks for that, run there, and must print what the README last said before it
that it prints.

    python3 tests/readme/run.py
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
README = TOP / "README.md"
PROMISED = re.compile(r"prints `(.+?)`")
BLOCK = re.compile(r"^```(c|python|js|rust)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LANGUAGES = {"c", "python", "js", "rust"}
# Building the Rust example on a busy machine is the longest of all steps.
PATIENCE_S = 600


def run(command: list[str], directory: Path) -> str:
    """What `command` prints; an exception with its output if it fails."""
    done = subprocess.run(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}\n{done.stderr}")
    return done.stdout


def c(source: str, directory: Path) -> str:
    """Builds against the installed library, as its pkg-config file says, and runs."""
    (directory / "hello.c").write_text(source)
    place = directory / "installed"
    run(["make", "--no-print-directory", "c-install", f"PREFIX={place}", "DESTDIR="], TOP)
    library = place / "lib"
    flags = [f"-I{place}/include", f"-L{library}", "-ltelpher", f"-Wl,-rpath,{library}"]
    warnings = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    run([os.environ.get("CC", "cc"), *warnings, "hello.c", *flags, "-o", "hello"], directory)
    return run(["./hello"], directory)


def python(source: str, directory: Path) -> str:
    """Runs in the virtual environment."""
    (directory / "hello.py").write_text(source)
    return run([str(TOP / ".venv" / "bin" / "python"), "hello.py"], directory)


def js(source: str, directory: Path) -> str:
    """Runs as a module beside an installed package."""
    (directory / "hello.mjs").write_text(source)
    (directory / "node_modules").mkdir()
    (directory / "node_modules" / "telpher").symlink_to(TOP / "bindings" / "node")
    return run(["node", "hello.mjs"], directory)


def rust(source: str, directory: Path) -> str:
    """Builds and runs as a package of its own, with the versions that the repository has."""
    (directory / "src").mkdir()
    (directory / "src" / "main.rs").write_text(source)
    shutil.copy(TOP / "Cargo.lock", directory)
    (directory / "Cargo.toml").write_text(
        '[package]\nname = "telpher-hello"\nversion = "0.1.0"\nedition = "2024"\n[workspace]\n'
        f'[dependencies]\ntelpher = {{ path = "{TOP}/core/runtime" }}\n'
    )
    return run(["cargo", "run", "--quiet", "--offline"], directory)


RUNNERS = {"c": c, "python": python, "js": js, "rust": rust}


def check(language: str, source: str, promised: str) -> str | None:
    """Runs one example; what went wrong, if anything."""
    with tempfile.TemporaryDirectory(prefix="telpher-") as directory:
        try:
            printed = RUNNERS[language](source, Path(directory))
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as failure:
            return str(failure)
    if printed != promised + "\n":
        return f"promised {promised!r}, printed {printed!r}"
    return None


def main() -> int:
    """Runs every example and says what came of it."""
    text = README.read_text()
    examples = list(BLOCK.finditer(text))
    promises = [PROMISED.findall(text, 0, example.start()) for example in examples]
    if not all(promises) or {example[1] for example in examples} != LANGUAGES:
        print(f"README.md must promise an output, and have an example in each of {LANGUAGES}")
        return 1
    failed = 0
    for example, promised in zip(examples, promises, strict=True):
        language, source = example.groups()
        problem = check(language, source, promised[-1])
        print(f"{language:8} {'ok' if problem is None else 'FAILED: ' + problem}", flush=True)
        failed += problem is not None
    print(f"{len(examples) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
