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

# The whole way: lungs, cross-validation, a model of all films that sees lungs alone.
"$train" lungs --films "$folder/films/cohort" --masks "$folder/films/cohort_lungs" --out "$folder/lungs" --input 64 \
  --batch 4 --epochs 14 --ema 0.8 --threads 1 --precision fp32 >"$folder/lungs.txt"
grep -q 'lung network:' "$folder/lungs.txt"
"$train" gate --lungs "$folder/lungs/package" --films "$folder/films/cohort" --others "$folder/films/cohort_lungs" \
  --refuse 0 --threads 1 >"$folder/gate.txt"
grep -q 'upside down' "$folder/gate.txt" || fail 'the gate was not judged'
grep -q '"templates"' "$folder/lungs/package/lungs.json" || fail 'the gate was not kept'
common=(--data "$folder/films/cohort" --lungs "$folder/lungs/package" --arch cnn3 --input 64 --batch 4 --epochs 2 --threads 1)
"$train" crossval "${common[@]}" --folds 3 --out "$folder/cv" >"$folder/cv.txt"
grep -q 'fold 3:' "$folder/cv.txt"
[[ $(wc -l <"$folder/cv/out-of-fold.csv") == 25 ]] || fail 'not every film has its out-of-fold score'
cut -d, -f5,6 "$folder/cv/out-of-fold.csv" | tail -n +2 | sort -u | cut -d, -f1 | uniq -d | grep . && fail 'a patient lies in two folds'
"$train" crossval "${common[@]}" --folds 3 --hide-lungs --out "$folder/dress" >/dev/null
"$train" crossval "${common[@]}" --folds 3 --confounder "$folder/dress/out-of-fold.csv" --out "$folder/beyond" >"$folder/beyond.txt"
grep -q 'AUC beyond the confounder: [01]' "$folder/beyond.txt" || fail 'nothing is said of the confounder'
grep -q '"auc_beyond_confounder"' "$folder/beyond/quality.json"
cmp -s "$folder/cv/out-of-fold.csv" "$folder/beyond/out-of-fold.csv" && fail 'the confounder changed nothing'
"$train" crossval "${common[@]}" --by-group --out "$folder/groups" >/dev/null
tr -d '"' <"$folder/groups/out-of-fold.csv" | awk -F, 'NR > 1 && $4 == "IM" { print $6 }' | sort -u | wc -l | grep -qx 1 || fail 'a group is divided'
# Two networks teach a third, fold by fold, and then one that has seen all films another.
taught=("${common[@]}" --teacher "$folder/cv" --teacher "$folder/beyond")
"$train" crossval "${taught[@]}" --folds 3 --out "$folder/taught" >/dev/null
cmp -s "$folder/cv/out-of-fold.csv" "$folder/taught/out-of-fold.csv" && fail 'the teachers changed nothing'
"$train" fit "${common[@]}" --out-of-fold "$folder/cv/out-of-fold.csv" --operating-point half --out "$folder/teacher" >"$folder/final.txt"
taught=("${common[@]}" --teacher "$folder/teacher" --seed 2)
"$train" fit "${taught[@]}" --out-of-fold "$folder/taught/out-of-fold.csv" --operating-point half --out "$folder/final" >"$folder/final.txt"
grep -q '"teachers": 1' "$folder/final/package/card.json" || fail 'the card does not tell of the teachers'
grep -q 'cross_validation:' "$folder/final.txt"
"$xray" predict --json --model "$folder/final/package" "$folder/films/cohort/NORMAL" >"$folder/findings.json"
[[ $(grep -c '"verdict"' "$folder/findings.json") == 12 ]] || fail 'not every film was read'

# The mean of two networks' weights is where a third starts, fold by fold, and then one that has seen all films.
mixed=("${common[@]}" --soup "$folder/cv" --soup "$folder/taught")
"$train" crossval "${mixed[@]}" --folds 3 --out "$folder/mixed" >/dev/null
cmp -s "$folder/cv/out-of-fold.csv" "$folder/mixed/out-of-fold.csv" && fail 'the earlier runs changed nothing'
"$train" fit "${common[@]}" --soup "$folder/teacher" --soup "$folder/final" --out-of-fold "$folder/mixed/out-of-fold.csv" --out "$folder/soup" >/dev/null
grep -q '"soup": 2' "$folder/soup/package/card.json" || fail 'the card does not tell of the mean it started from'

# Wrong usage is told apart from failure.
set +e
"$train" crossval "${common[@]}" --teacher "$folder/cv" --folds 2 --out "$folder/other" 2>"$folder/error.txt"
[[ $? == 2 ]] || fail 'a teacher has seen what its pupil is measured on'
grep -q 'not kept from the same films' "$folder/error.txt" || fail 'the message does not say why'
"$train" crossval "${common[@]}" --soup "$folder/cv" --folds 2 --out "$folder/other" 2>/dev/null
[[ $? == 2 ]] || fail 'what is started from has seen what is measured on'
"$train" fit "${common[@]}" --teacher "$folder/teacher" --out "$folder/other" 2>/dev/null
[[ $? == 2 ]] || fail 'a teacher of all films has seen what its pupil is measured on'
"$train" fit --data "$folder/nowhere" --out "$folder/other" 2>"$folder/error.txt"
[[ $? == 2 ]] || fail 'a missing folder is wrong usage'
grep -q nowhere "$folder/error.txt" || fail 'the message does not name the folder'
"${fit[@]}" --lr 0.1 2>/dev/null
[[ $? == 2 ]] || fail 'other options must not go on with the same run'
