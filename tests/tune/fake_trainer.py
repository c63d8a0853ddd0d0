#!/usr/bin/env python3
"""Behaves as `xray-train crossval` does towards `xray tune`, but computes a formula: a study of hundreds
of trials takes seconds. What it is to suffer is told by FAKE_* in its environment:

  FAKE_EPOCH_SECONDS  time of an epoch (default 0)
  FAKE_CRASH          kernel size with which it is ended by a signal
  FAKE_ONCE           folder in which a first run leaves a mark and fails; the second one goes well
  FAKE_BALLAST        bytes of each checkpoint
"""
import argparse, json, math, os, pathlib, signal, sys, time

parser = argparse.ArgumentParser()
parser.add_argument("command")
for name in ("data", "out", "arch", "optimizer"):
    parser.add_argument("--" + name, default="")
for name, default in (("folds", 5), ("epochs", 4), ("seed", 1), ("threads", 1), ("checkpoint-every", 60), ("first", 0),
                      ("max-parameters", 0), ("pause-after", 0), ("filters", 16), ("kernel", 3), ("dense", 64), ("input", 224)):
    parser.add_argument("--" + name, type=int, default=default)
for name, default in (("lr", 1e-3), ("dropout", 0.2), ("width", 1.0)):
    parser.add_argument("--" + name, type=float, default=default)
parser.add_argument("--no-augment", action="store_true")
parser.add_argument("--augment", action="append", default=[])
options = parser.parse_args()

out = pathlib.Path(options.out)
(out / "arguments.json").write_text(json.dumps(sys.argv[1:]))
parameters = options.filters * options.dense * 100
if options.max_parameters and parameters > options.max_parameters:
    sys.exit(print(f"xray-train: the network has {parameters} parameters", file=sys.stderr) or 3)
if options.kernel % 2 == 0:
    sys.exit(print("xray-train: the kernel is odd", file=sys.stderr) or 2)
if os.environ.get("FAKE_CRASH") == str(options.kernel):
    os.kill(os.getpid(), signal.SIGSEGV)
if once := os.environ.get("FAKE_ONCE"):
    mark = pathlib.Path(once) / (out.parent.name + out.name)
    if not mark.exists():
        mark.touch()
        sys.exit(print("xray-train: out of luck", file=sys.stderr) or 1)

stopped = False
def stop(*_):
    global stopped
    stopped = True
signal.signal(signal.SIGTERM, stop)

# Best at lr 1e-3, dropout 0.3, many filters; folds and seeds add a little.
def score(fold, epoch):
    off = (math.log10(options.lr) + 3) ** 2 * 0.08 + (options.dropout - 0.3) ** 2 * 0.1 - 0.0005 * options.filters
    luck = ((fold * 7919 + options.seed * 104729) % 13 - 6) * 0.0005
    return 0.95 - off + luck - 0.1 / (epoch + 1)

until = min(options.epochs, options.pause_after or options.epochs)
for fold in range(1, (options.first or options.folds) + 1):
    folder = out / f"fold-{fold}"
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "checkpoint.pt"
    done = int(checkpoint.read_text().split()[0]) if checkpoint.exists() else 0
    for epoch in range(done + 1, until + 1):
        time.sleep(float(os.environ.get("FAKE_EPOCH_SECONDS", 0)))
        if stopped:
            sys.exit(130)
        with open(folder / "metrics.jsonl", "a") as log:
            log.write(json.dumps({"step": epoch * 10 - 5, "loss": 1 / epoch}) + "\n")
            log.write(json.dumps({"step": epoch * 10, "epoch": epoch, "validation_AUC": score(fold, epoch)}) + "\n")
        checkpoint.write_text(f"{epoch} " + "x" * int(os.environ.get("FAKE_BALLAST", 0)))
        with open(out / "epochs-run.txt", "a") as log:
            log.write(f"{fold} {epoch}\n")
    figures = {"auc": score(fold, until), "accuracy": score(fold, until) - 0.02, "parameters": parameters}
    (folder / "quality.json").write_text(json.dumps({"epochs": until, "figures": figures}))
