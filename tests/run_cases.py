#!/usr/bin/env python3
"""Runs the cases of tests/cases (see its README.md) and tells which fail."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TIMEOUT = 60
FIELDS = {"name", "run", "stdin", "env", "exit", "stdout", "stderr", "stdout_lacks", "stderr_lacks",
          "json_lines", "json", "png", "needs"}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


KINDS = {
    "<number>": is_number,
    "<text>": lambda value: isinstance(value, str) and value != "",
    "<0..1>": lambda value: is_number(value) and 0 <= value <= 1,
}


def differences(expected, actual, where):
    """Sentences on how `actual` is not what was expected."""
    if isinstance(expected, str) and expected in KINDS:
        return [] if KINDS[expected](actual) else [f"{where} is {actual!r}, not {expected}"]
    if isinstance(expected, dict) and isinstance(actual, dict):
        named = {key: value for key, value in expected.items() if key != "..."}
        found = [f"{where}.{key} is missing" for key in named if key not in actual]
        if expected.get("...") is False:
            found += [f"{where}.{key} is not expected" for key in actual if key not in named]
        for key in named.keys() & actual.keys():
            found += differences(named[key], actual[key], f"{where}.{key}")
        return found
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return [f"{where} has {len(actual)} elements, not {len(expected)}"]
        return [d for i, pair in enumerate(zip(expected, actual)) for d in differences(*pair, f"{where}[{i}]")]
    return [] if expected == actual else [f"{where} is {actual!r}, not {expected!r}"]


def text_differences(case, stream, text):
    found, position = [], 0
    for part in case.get(stream, []):
        at = text.find(part, position)
        if at < 0:
            found.append(f"{stream} lacks {part!r}" + (" there" if part in text else ""))
        else:
            position = at + len(part)
    return found + [f"{stream} has {part!r}" for part in case.get(stream + "_lacks", []) if part in text]


def json_differences(case, stdout):
    try:
        if "json_lines" in case:
            return differences(case["json_lines"], [json.loads(line) for line in stdout.splitlines()], "line")
        if "json" in case:
            return differences(case["json"], json.loads(stdout), "stdout")
    except json.JSONDecodeError as error:
        return [f"stdout is not JSON: {error}"]
    return []


def png_differences(case, tmp):
    if "png" not in case:
        return []
    found = []
    there = {str(path) for path in pathlib.Path(tmp).rglob("*") if path.is_file()}
    for path in case["png"]:
        if path not in there:
            found.append(f"{path} was not written")
        elif pathlib.Path(path).read_bytes()[:8] != b"\x89PNG\r\n\x1a\n":
            found.append(f"{path} is not PNG")
    return found + [f"{path} is not expected" for path in sorted(there - set(case["png"]))]


def fill(value, places):
    if isinstance(value, str):
        for name, path in places.items():
            value = value.replace("{" + name + "}", path)
        return value
    if isinstance(value, list):
        return [fill(element, places) for element in value]
    if isinstance(value, dict):
        return {key: fill(element, places) for key, element in value.items()}
    return value


def run_case(case, xray, fixtures):
    """Sentences on what went wrong; None where the case was skipped."""
    if not all(any(ROOT.glob(pattern)) for pattern in case.get("needs", [])):
        return None
    with tempfile.TemporaryDirectory(prefix="xray_case_") as tmp:
        case = fill(case, {"dir": fixtures, "tmp": tmp, "root": str(ROOT)})
        env = {**os.environ, "XRAY_MODEL": f"{fixtures}/tiny", **case.get("env", {})}
        # File names may be any bytes: both ways, what is not UTF-8 is kept as it is.
        command = [os.fsencode(argument) for argument in [xray, *case["run"]]]
        try:
            done = subprocess.run(command, input=os.fsencode(case.get("stdin", "")), env=env, cwd=tmp,
                                  capture_output=True, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            return [f"not done after {TIMEOUT} s"]
        stdout, stderr = os.fsdecode(done.stdout), os.fsdecode(done.stderr)
        found = []
        if done.returncode != case.get("exit", 0):
            found.append(f"exit code {done.returncode}, not {case.get('exit', 0)}")
        found += text_differences(case, "stdout", stdout) + text_differences(case, "stderr", stderr)
        found += json_differences(case, stdout) + png_differences(case, tmp)
        if found:
            found += ["command: xray " + " ".join(case["run"]), "stdout: " + stdout, "stderr: " + stderr]
        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--xray", required=True)
    parser.add_argument("--make-fixtures", required=True)
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    passed = failed = skipped = 0
    with tempfile.TemporaryDirectory(prefix="xray_fixtures_") as fixtures:
        subprocess.run([arguments.make_fixtures, fixtures], check=True)
        for file in arguments.files:
            for case in json.loads(pathlib.Path(file).read_text(encoding="utf-8")):
                if unknown := case.keys() - FIELDS:
                    sys.exit(f"{file}: {case.get('name')}: unknown fields {sorted(unknown)}")
                found = run_case(case, os.path.abspath(arguments.xray), fixtures)
                if found is None:
                    skipped += 1
                    print(f"skipped: {case['name']} (needs {', '.join(case['needs'])})")
                elif found:
                    failed += 1
                    print(f"FAILED: {case['name']}\n  " + "\n  ".join(found))
                else:
                    passed += 1
    print(f"{passed} cases passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
