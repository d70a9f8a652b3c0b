#!/usr/bin/env python3
"""Puts the executable into a wheel as the command `streamflow-ml`, and its line into the wheel's RECORD.

    python3 tools/wheel_command.py WHEEL EXECUTABLE

The wheel is replaced whole or not at all. Running it twice is running it once.
"""

import base64
import hashlib
import sys
import zipfile
from pathlib import Path

COMMAND = "streamflow-ml"
MOST_BYTES = 25_000_000
# A regular file that everybody may run.
MODE = 0o100755 << 16


def record_line(name: str, contents: bytes) -> str:
    """The line of a file in RECORD, as the binary distribution format has it."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(contents).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(contents)}"


def with_command(wheel: Path, executable: bytes, output: Path) -> None:
    """Writes the wheel's files, the command, and the record of both."""
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
        record = next((name for name in old.namelist() if name.endswith(".dist-info/RECORD")), None)
        if record is None:
            sys.exit(f"{wheel} has no RECORD, so it is no wheel; build it with `make wheel`")
        script = f"{record.removesuffix('.dist-info/RECORD')}.data/scripts/{COMMAND}"
        lines = [line for line in old.read(record).decode().splitlines() if line and not line.startswith((script, record))]
        for entry in old.infolist():
            if entry.filename not in {record, script}:
                entry.compress_type = zipfile.ZIP_DEFLATED
                new.writestr(entry, old.read(entry))
        command = zipfile.ZipInfo(script)
        command.external_attr = MODE
        command.compress_type = zipfile.ZIP_DEFLATED
        new.writestr(command, executable)
        lines += [record_line(script, executable), f"{record},,"]
        new.writestr(old.getinfo(record), "\n".join(lines) + "\n")


def main() -> None:
    """Reads the command line."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    wheel, executable = Path(sys.argv[1]), Path(sys.argv[2])
    partial = wheel.with_suffix(".partial")
    try:
        with_command(wheel, executable.read_bytes(), partial)
        size = partial.stat().st_size
        if size > MOST_BYTES:
            sys.exit(f"{wheel.name} would have {size:,} bytes, more than {MOST_BYTES:,}; is the executable stripped?")
        partial.replace(wheel)
    finally:
        partial.unlink(missing_ok=True)
    print(f"{wheel} {size:,} bytes")


if __name__ == "__main__":
    main()
