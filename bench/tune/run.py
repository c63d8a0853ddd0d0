#!/usr/bin/env python3
"""Best validation AUC over time: `xray tune` beside Keras Tuner, on this machine, in one run.

Both search the same space (space.toml, keras_search.py) for the original's three-layer CNN on the same films at
the same size, divided by patient in the same way, batch 32, as many epochs, for the same time; they take
turns. Keras Tuner gets its films read and shrunk, in memory, before its time begins, and counts the best epoch
of a trial; `xray tune` reads the folder anew for each trial, in that trial's process, and counts the last
epoch (no test on its best), gives hopeless trials up, and keeps checkpoints.

    bench/tune/run.py --data chest_xray/train                     # 3 seeds of 4 minutes each: 24 minutes
    bench/tune/run.py --data chest_xray/train --memory --films 100 --input 32 --epochs 1
                                                                  # 200 short trials of both: how memory grows

Makes a virtual environment (TensorFlow, Keras Tuner, Matplotlib) in build/tune and keeps it; prints a table and
writes build/tune/result.json and .svg (--out)."""
import argparse
import csv
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "tune"


def environment(folder):
    python = folder / "bin" / "python"
    lists = [ROOT / "bench" / "compare" / "requirements-keras.txt", HERE / "requirements.txt"]
    wanted = "".join(one.read_text() for one in lists)
    mark = folder / "installed"
    if not mark.exists() or mark.read_text() != wanted:
        print("installing TensorFlow and Keras Tuner into", folder, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                        "--require-hashes", *[word for one in lists for word in ("-r", one)]], check=True)
        mark.write_text(wanted)
    return python


PREPARE = """
import csv, pathlib, sys
import numpy
from PIL import Image
data, scores, side, out = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
held = {row["file"] for row in csv.DictReader(open(scores))}
sides = {"train": ([], []), "test": ([], [])}
for label, name in enumerate(["NORMAL", "PNEUMONIA"]):
    for path in sorted((data / name).iterdir()):
        picture = Image.open(path).convert("L").resize((side, side), Image.Resampling.BILINEAR)
        x, y = sides["test" if f"{name}/{path.name}" in held else "train"]
        x.append(numpy.asarray(picture, dtype="float32")[..., None] / 255)
        y.append(label)
numpy.savez(out, **{f"{s}_{k}": numpy.asarray(v) for s, both in sides.items() for k, v in zip("xy", both)})
print({s: len(both[1]) for s, both in sides.items()})
"""


def fewer(data, most, folder):
    """A folder with so many films of each class."""
    for name in ("NORMAL", "PNEUMONIA"):
        (folder / name).mkdir(parents=True)
        for path in sorted((pathlib.Path(data) / name).iterdir())[:most]:
            shutil.copy(path, folder / name)
    return folder


def prepare(options, python, scratch):
    """The films as Keras takes them, divided as xray-train divides them: its own first fold."""
    split = scratch / "split"
    subprocess.run([options.xray_train, "crossval", "--data", options.data, "--arch", "cnn3", "--filters", "1", "--dense",
                    "1", "--classes", "2", "--input", "32", "--no-augment", "--epochs", "1", "--batch", "64", "--first",
                    "1", "--out", split], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    out = scratch / "films.npz"
    subprocess.run([python, "-c", PREPARE, options.data, split / "fold-1" / "scores.csv", str(options.input), out],
                   check=True)
    return out


def resident(pid):
    try:
        for line in open(f"/proc/{pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def children(pid):
    try:
        return [int(one) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
                for one in (task / "children").read_text().split()]
    except OSError:
        return []


def run_keras(options, python, films, scratch, seed, budget, trials=0):
    out = scratch / f"keras-{seed}.jsonl"
    command = [python, HERE / "keras_search.py", films, out, "--epochs", options.epochs, "--seed", seed, "--tuner",
               options.keras_tuner]
    if trials:
        command += ["--trials", trials]
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if process.wait(budget) != 0:
            sys.exit(f"keras_search.py failed; try: {' '.join(str(word) for word in command)}")
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return [json.loads(line) for line in out.read_text().splitlines() if line.endswith("}")] if out.exists() else []


def run_xray(options, scratch, seed, budget, trials=0):
    study = scratch / f"xray-{seed}"
    space = scratch / "space.toml"
    space.write_text((HERE / "space.toml").read_text().replace("[fixed]", f"[fixed]\ninput = {options.input}\nema = {options.ema}"))
    command = [options.xray, "tune", "--space", space, "--data", options.data, "--out", study, "--trainer",
               options.xray_train, "--epochs", options.epochs, "--folds", 5, "--use-folds", 1, "--seed", seed, "--tuner",
               options.tuner, "--pruner", options.pruner]
    command += ["--trials", trials] if trials else ["--budget", f"{budget}s"]
    begin = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.set_blocking(process.stderr.fileno(), False)
    rows, text, peak = [], "", 0.0
    while True:
        ended = process.poll() is not None
        text += (process.stderr.read() or b"").decode()
        peak = max([peak, *map(resident, children(process.pid))])
        while "\n" in text:
            line, text = text.split("\n", 1)
            if line.startswith("trial ") and ": auc " in line:
                state = line.split()[2].rstrip(":")
                rows.append({"seconds": time.monotonic() - begin, "score": float(line.split(": auc ")[1].split()[0]),
                             "state": state, "resident": resident(process.pid), "trainer": peak})
                peak = 0.0
        if ended:
            return rows
        time.sleep(0.05)


def best_over_time(rows):
    best, curve = 0.0, []
    for row in rows:
        if row.get("state", "done") == "done" and row["score"] > best:
            best = row["score"]
            curve.append((row["seconds"], best))
    return curve


def at(curve, seconds):
    reached = [score for when, score in curve if when <= seconds]
    return reached[-1] if reached else float("nan")


PLOT = """
import json, sys
import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt
result = json.load(open(sys.argv[1]))
plt.rcParams["svg.fonttype"] = "none"
figure, axes = plt.subplots(figsize=(7, 3.6))
colours = {"xray tune": "#1b6ca8", "Keras Tuner": "#b5541c"}
if result["kind"] == "memory":
    for name, rows in result["runs"].items():
        axes.plot(range(1, len(rows) + 1), [row["resident"] for row in rows], color=colours[name], label=name)
    axes.set_xlabel("trial"); axes.set_ylabel("resident memory, MiB"); axes.set_ylim(bottom=0)
else:
    for name, runs in result["runs"].items():
        for i, run in enumerate(runs):
            x, y = [when for when, _ in run["curve"]], [score for _, score in run["curve"]]
            axes.step(x + [result["budget"]], y + y[-1:], where="post", color=colours[name], alpha=0.8, label=name if i == 0 else None)
    low = min(s for runs in result["runs"].values() for run in runs for _, s in run["curve"][-3:])
    axes.set_ylim(low - 0.003, 1); axes.set_xlabel("seconds"); axes.set_ylabel("best validation AUC so far")
axes.legend(frameon=False); axes.grid(alpha=0.3); figure.tight_layout(); figure.savefig(sys.argv[2])
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with NORMAL and PNEUMONIA")
    parser.add_argument("--seconds", type=int, default=240, help="of each search")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--input", type=int, default=64, help="side of the pictures")
    parser.add_argument("--tuner", default="bayesian")
    parser.add_argument("--keras-tuner", default="bayesian")
    parser.add_argument("--pruner", default="median")
    parser.add_argument("--ema", type=float, default=0.99)
    parser.add_argument("--films", type=int, default=0, help="of each class; 0: all")
    parser.add_argument("--memory", action="store_true", help="200 short trials of both instead")
    parser.add_argument("--trials", type=int, default=200, help="with --memory")
    parser.add_argument("--xray", default=ROOT / "build/release/xray", type=pathlib.Path)
    parser.add_argument("--xray-train", default=ROOT / "build/release/xray-train", type=pathlib.Path)
    parser.add_argument("--venv", default=BUILD / "venv", type=pathlib.Path)
    parser.add_argument("--out", default=BUILD / "result.json", type=pathlib.Path)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    python = environment(options.venv)
    scratch = options.out.parent / ("scratch-" + options.out.stem)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    if options.films:
        options.data = fewer(options.data, options.films, scratch / "films")
    films = prepare(options, python, scratch)

    if options.memory:
        runs = {"xray tune": run_xray(options, scratch, 1, 0, options.trials),
                "Keras Tuner": run_keras(options, python, films, scratch, 1, 100_000, options.trials)}
        result = {"kind": "memory", "runs": runs}
        for name, rows in runs.items():
            marks = [rows[min(i, len(rows) - 1)]["resident"] for i in (9, len(rows) // 2, len(rows) - 1)]
            print(f"{name:12} {len(rows)} trials; MiB after 10, {len(rows) // 2 + 1}, {len(rows)}: "
                  + ", ".join(f"{mark:.0f}" for mark in marks))
        print(f"largest trainer process of xray tune: {max(row['trainer'] for row in runs['xray tune']):.0f} MiB")
    else:
        runs = {"Keras Tuner": [], "xray tune": []}
        for seed in range(1, options.seeds + 1):
            for name in runs:
                rows = (run_xray(options, scratch, seed, options.seconds) if name == "xray tune"
                        else run_keras(options, python, films, scratch, seed, options.seconds))
                runs[name].append({"seed": seed, "trials": len(rows), "curve": best_over_time(rows), "rows": rows})
                print(f"seed {seed} {name:12} {len(rows):4} trials, best {at(runs[name][-1]['curve'], options.seconds):.4f}",
                      flush=True)
        result = {"kind": "search", "budget": options.seconds, "epochs": options.epochs, "input": options.input, "runs": runs}
        shares = (1 / 6, 1 / 3, 2 / 3, 1)
        print("\nbest validation AUC after " + ", ".join(f"{options.seconds * share:.0f} s" for share in shares) + " (mean of seeds)")
        for name, all_runs in runs.items():
            means = [statistics.mean(at(run["curve"], options.seconds * share) for run in all_runs) for share in shares]
            print(f"  {name:12} " + "  ".join(f"{mean:.4f}" for mean in means)
                  + f"   {statistics.mean(run['trials'] for run in all_runs):.0f} trials")
        for keras, ours in zip(runs["Keras Tuner"], runs["xray tune"]):
            goal = at(keras["curve"], options.seconds)
            reached = next((when for when, score in ours["curve"] if score >= goal), None)
            print(f"  seed {keras['seed']}: Keras Tuner's final {goal:.4f} was reached "
                  + (f"after {reached:.0f} s ({reached / options.seconds:.2f} of its time)" if reached else "not at all"))
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    subprocess.run([python, "-c", PLOT, options.out, options.out.with_suffix(".svg")], check=True)
    print("written:", options.out, options.out.with_suffix(".svg"))
    shutil.rmtree(scratch)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
