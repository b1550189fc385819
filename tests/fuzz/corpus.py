#!/usr/bin/env python3
"""usage: tests/fuzz/corpus.py FOLDER

Writes the fixtures as inputs of fuzz_pipeline, one file a case, into FOLDER. What each case's messages are, test_fixtures of the same
build as CUBE_TEST_BIN tells, else that of build/.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("CUBE_TEST_BIN", ROOT / "build" / "gracecube")).parent
# the registry's order: the files of transforms/streams by name
STREAMS = sorted(path.stem for path in (ROOT / "transforms" / "streams").glob("*.c"))
UNITS = ["auto", "s", "ms", "us", "ns"]


def bytes_of(message, name):
    if f"{name}_json" in message:
        return json.dumps(message[f"{name}_json"], ensure_ascii=False, separators=(",", ":")).encode()
    if f"{name}_hex" in message:
        return bytes.fromhex(message[f"{name}_hex"])
    text = message.get(name)
    return None if text is None else text.encode()


def record(stream, unit, message):
    key, value = bytes_of(message, "key"), bytes_of(message, "value")
    flags = (key is None) + 2 * (value is None) + 8 * (message.get("partition", 0) > 0) + 16 * UNITS.index(unit)
    key, value = (key or b"")[:255], (value or b"")[:65535]
    head = bytes([STREAMS.index(message.get("stream", stream)), flags, len(key), len(value) & 255, len(value) >> 8])
    return head + key + value


def write_inputs(cases, folder):
    for path in sorted(cases.glob("*/*/message.json")):
        stream, case = path.parent.parent.name, path.parent.name
        settings = path.with_name("settings.json")
        unit = json.loads(settings.read_text()).get("time_unit", "auto") if settings.exists() else "auto"
        messages = json.loads(path.read_text())
        messages = messages if isinstance(messages, list) else [messages]
        for n in range(0, len(messages), 4):
            data = b"".join(record(stream, unit, m) for m in messages[n:n + 4])
            (folder / f"{stream}-{case}-{n}").write_bytes(data)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as cases:
        subprocess.run([BUILD / "tests" / "test_fixtures", "--write", cases], check=True)
        write_inputs(pathlib.Path(cases), folder)


if __name__ == "__main__":
    main()
