#!/usr/bin/env bash
# Runs one of the suites beside it: run.sh XRAY MAKE_FIXTURES store|resource|load|postgres [TEST...]
set -euo pipefail
xray=$(realpath "$1")
fixtures=$(mktemp -d)
trap 'rm -rf "$fixtures"' EXIT
"$2" "$fixtures"
suite=$(dirname "$(realpath "$0")")/$3_faults.py
XRAY=$xray XRAY_MODEL=$fixtures/tiny PYTHONDONTWRITEBYTECODE=1 python3 "$suite" "${@:4}"
