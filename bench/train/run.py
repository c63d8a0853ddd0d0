#!/usr/bin/env python3
"""Pictures per second of training: xray-train against Keras, on this machine, in one run.

Both train the same architecture from random weights, at the same input size, batch and
dtype, with AdamW, and take turns, so that both meet the same load. Per case there are two
kinds of pictures: `plain`, as they are (the network alone), and `augmented`: xray-train
with all it does to a film, Keras with its own layers for flip, rotation, shift, zoom and
contrast (fewer changes). xray-train also clips gradients, averages weights and drops
paths; Keras is spared that.

    bench/train/run.py                         # about 40 minutes on two cores
    bench/train/run.py --arch efficientnet-lite0 --precision fp32 --steps 20 --repeats 1

Makes a virtual environment with TensorFlow (requirements.txt) in a temporary folder and
removes it at the end; --venv keeps one. Pictures are generated, or taken from --data.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WARM_UP = 10  # steps that are not counted; xray-train reports every tenth


def write_png(path, width, height, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 1)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def generate_pictures(folder, count, side):
    """Noise: what a picture shows does not change how long it takes."""
    names = ["NORMAL/IM-{:04}-0001.png", "PNEUMONIA/person{}_bacteria_1.png", "PNEUMONIA/person{}_virus_2.png"]
    source = random.Random(1)
    for name in ("NORMAL", "PNEUMONIA"):
        (folder / name).mkdir(parents=True)
    for i in range(count):
        write_png(folder / names[i % 3].format(i), side, side, [source.randbytes(side) for _ in range(side)])


def reports_of(metrics):
    """What xray-train has said of its speed so far; its last line may be half written."""
    lines = metrics.read_text().splitlines() if metrics.exists() else []
    parsed = [json.loads(line) for line in lines if line.endswith("}")]
    return [report for report in parsed if "images_per_second" in report]


def run_xray(case, options, data, scratch):
    """Trains until enough steps are reported, then stops it as a user would."""
    run = scratch / "run"
    shutil.rmtree(run, ignore_errors=True)
    command = [options.xray_train, "fit", "--data", data, "--out", run, "--arch", case["arch"], "--epochs", 10000,
               "--input", options.input, "--batch", options.batch, "--precision", case["precision"]]
    command += [] if case["augmented"] else ["--no-augment"]
    reports = []
    with open(scratch / "xray.log", "w+") as log:
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
        try:
            while process.poll() is None and (not reports or reports[-1]["step"] < WARM_UP + options.steps):
                time.sleep(0.2)
                reports = reports_of(run / "metrics.jsonl")
            process.send_signal(signal.SIGINT)
            process.wait(timeout=120)
        finally:
            process.kill()
        counted = [report for report in reports if report["step"] > WARM_UP]
        if not counted:
            log.seek(0)
            sys.exit(f"xray-train ended without training:\n{log.read()}")
    return {"rate": statistics.mean(report["images_per_second"] for report in counted),
            "waiting": statistics.mean(report["loader_wait"] for report in counted)}


def run_keras(case, options, data, python):
    command = [python, HERE / "keras_train.py", "--data", data, "--arch", case["arch"], "--precision", case["precision"],
               "--input", options.input, "--batch", options.batch, "--warm-up", WARM_UP, "--steps", options.steps]
    command += ["--augment"] if case["augmented"] else []
    command += ["--xla"] if options.xla else []
    result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    if result.returncode != 0:
        sys.exit(f"Keras failed:\n{result.stderr}")
    return json.loads(result.stdout.splitlines()[-1])


def make_venv(folder):
    python = folder / "bin/python"
    if not python.exists():
        print("installing TensorFlow ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes",
                        "--only-binary=:all:", "-r", HERE / "requirements.txt"], check=True)
    return python


def measure(options, scratch):
    data = pathlib.Path(options.data) if options.data else scratch / "pictures"
    if not options.data:
        generate_pictures(data, 12 * options.batch, options.input)
    python = make_venv(pathlib.Path(options.venv) if options.venv else scratch / "venv")
    cases = [{"arch": arch, "precision": precision, "augmented": augmented}
             for arch in options.arch for precision in options.precision for augmented in (False, True)]
    rounds = [[] for _ in cases]
    for repeat in range(options.repeats):
        for case, results in zip(cases, rounds):
            print(f"round {repeat + 1} of {options.repeats}: {case}", file=sys.stderr)
            results.append((run_xray(case, options, data, scratch), run_keras(case, options, data, python)))
    return cases, rounds


def print_table(options, cases, rounds):
    cores = len(os.sched_getaffinity(0))
    print(f"\npictures per second, median of {options.repeats}; batch {options.batch}, input {options.input} x "
          f"{options.input}, {cores} cores")
    print(f"{'architecture':<20}{'dtype':<7}{'pictures':<11}{'xray-train':>11}{'Keras':>9}{'ratio':>8}{'waiting':>10}")
    for case, results in zip(cases, rounds):
        ours = statistics.median(xray["rate"] for xray, _ in results)
        theirs = statistics.median(keras["rate"] for _, keras in results)
        ratio = statistics.median(xray["rate"] / keras["rate"] for xray, keras in results)
        waiting = statistics.median(xray["waiting"] for xray, _ in results)
        kind = "augmented" if case["augmented"] else "plain"
        print(f"{case['arch']:<20}{case['precision']:<7}{kind:<11}{ours:>11.1f}{theirs:>9.1f}{ratio:>8.2f}{waiting:>10.1%}")
    print("ratio: median of the rounds' ratios; waiting: share of xray-train's time spent waiting for pictures")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", nargs="+", default=["efficientnet-lite0", "mobilenet-v2"],
                        choices=["efficientnet-lite0", "mobilenet-v2"])
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"], choices=["fp32", "bf16"])
    parser.add_argument("--steps", type=int, default=40, help="counted steps per run, a multiple of 10")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--input", type=int, default=224)
    parser.add_argument("--data", help="folder with NORMAL and PNEUMONIA (default: generated pictures)")
    parser.add_argument("--venv", help="virtual environment to make or use, and keep")
    parser.add_argument("--xla", action="store_true", help="let Keras compile with XLA")
    parser.add_argument("--xray-train", default=ROOT / "build/release/xray-train")
    options = parser.parse_args()
    if not os.access(options.xray_train, os.X_OK):
        sys.exit(f"{options.xray_train} is missing: make build")
    with tempfile.TemporaryDirectory(prefix="xray-bench-") as scratch:
        cases, rounds = measure(options, pathlib.Path(scratch))
    print_table(options, cases, rounds)


if __name__ == "__main__":
    main()
