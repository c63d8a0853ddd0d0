#!/usr/bin/env bash
# From a folder of films to a model that xray reads with, by the two programs as a
# user has them. usage: fit_test.sh XRAY XRAY_TRAIN MAKE_FIXTURES
set -euo pipefail
xray=$1
train=$2
make_fixtures=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { printf '%s\n' "$*" >&2; exit 1; }

"$make_fixtures" "$folder/films"
fit=("$train" fit --data "$folder/films/labelled" --out "$folder/run" --arch cnn3 --input 64 --batch 4 --epochs 2
  --threads 1 --name trial --model-version 7)
"${fit[@]}" >"$folder/first.txt"
grep -q 'model package:' "$folder/first.txt"
for file in config.json metrics.jsonl checkpoint.pt predictions.csv package/card.json package/network.onnx; do
  [[ -s $folder/run/$file ]] || fail "$file is missing or empty"
done
compgen -G "$folder/run/events.out.tfevents.*" >/dev/null || fail 'no TensorBoard events'

# The same command on a finished run only repeats its result.
"${fit[@]}" >"$folder/second.txt"
cmp "$folder/first.txt" "$folder/second.txt" || fail 'a finished run gave another result'

"$xray" evaluate --json --model "$folder/run/package" "$folder/films/labelled" >"$folder/quality.json"
grep -qE '"model": ?"trial 7"' "$folder/quality.json" || fail 'another model answered'

# Wrong usage is told apart from failure.
set +e
"$train" fit --data "$folder/nowhere" --out "$folder/other" 2>"$folder/error.txt"
[[ $? == 2 ]] || fail 'a missing folder is wrong usage'
grep -q nowhere "$folder/error.txt" || fail 'the message does not name the folder'
"${fit[@]}" --lr 0.1 2>/dev/null
[[ $? == 2 ]] || fail 'other options must not go on with the same run'
