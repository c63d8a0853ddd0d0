#!/usr/bin/env python3
"""xray serve beside two common ways to serve such a model, on this machine, in one run: a Keras model
behind Flask and gunicorn, and xray's own networks in ONNX Runtime behind FastAPI. The same load
generator sends the same pictures to one after the other; README.md beside this file says what is
measured and how.

    bench/compare/run.py                    # about 20 minutes
    bench/compare/run.py --quick            # about 8, for a first look
    bench/compare/run.py --only xray onnx

Prints one table as Markdown and writes every figure as JSON. Needs build/release/xray and
build/release/bench/load/xray-load (`make compare` builds them first). The peers are installed into
environments of their own (requirements-*.txt) under build/compare, which may be deleted.
"""
import argparse
import hashlib
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import measure
import servers
import table

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "build/compare"
TMPFS = pathlib.Path("/dev/shm")
KINDS = ("xray", "xray-fp32", "xray-tmpfs", "xray-keras", "keras", "onnx")


def make_environment(options, name):
    """A virtual environment with the pinned packages, made anew when the list changes."""
    folder = options.environments / name
    wanted = (HERE / f"requirements-{name}.txt").read_bytes()
    mark = folder / "installed"
    if mark.exists() and mark.read_text() == hashlib.sha256(wanted).hexdigest():
        return folder / "bin/python"
    measure.say(f"installing the {name} peer into {folder}")
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    subprocess.run([folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                    "--require-hashes", "--only-binary=:all:", "-r", HERE / f"requirements-{name}.txt"], check=True)
    mark.write_text(hashlib.sha256(wanted).hexdigest())
    return folder / "bin/python"


def find_pictures(options):
    """The folder to read, and where its pictures come from."""
    if options.pictures:
        return options.pictures.resolve(), str(options.pictures)
    films = ROOT.parent / "shared/data/originals"
    if films.is_dir():
        return films, "real films at their original size"
    drawn = WORK / "pictures"
    if not drawn.is_dir():
        python = make_environment(options, "onnx")
        subprocess.run([python, HERE / "peers/make_pictures.py", ROOT / "examples/phantom.png", drawn], check=True)
    return drawn, "drawn films (no real ones at hand; --pictures names some)"


def prepare_peers(options):
    if "onnx" in options.only:
        make_environment(options, "onnx")
    if {"keras", "xray-keras"} & set(options.only):
        python = make_environment(options, "keras")
        options.keras_file = WORK / f"{options.keras_model}.keras"
        if not options.keras_file.exists():
            subprocess.run([python, HERE / "peers/keras_model.py", options.keras_model, options.keras_file], check=True,
                           stderr=subprocess.DEVNULL)
        if "xray-keras" in options.only:
            options.imported = import_keras(options, python)


def import_keras(options, python):
    """The Keras peer's network as a package, written anew by the xray that is measured."""
    package = WORK / f"{options.keras_model}-imported"
    exported = WORK / f"{options.keras_model}-exported"
    shutil.rmtree(package, ignore_errors=True)
    if not exported.exists():
        subprocess.run([python, "-c", "import keras, sys; keras.models.load_model(sys.argv[1]).export(sys.argv[2])",
                        options.keras_file, exported], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    card = WORK / "imported.json"
    card.write_text(json.dumps({
        "name": options.keras_model, "version": "1",
        "input": {"width": 224, "height": 224, "channels": "rgb", "scaling": "0..1", "fit": "squash",
                  "interpolation": "antialiased"},
        "output": {"values": "probabilities", "classes": ["normal", "bacterial", "viral"]}}))
    subprocess.run([options.xray, "model", "import", exported, "--card", card, "--out", package], check=True,
                   stdout=subprocess.DEVNULL)
    return package


def kinds_of(options, tmpfs):
    kinds = {"xray": servers.Xray("xray", "xray serve"),
             "xray-fp32": servers.Xray("xray-fp32", "xray serve, fp32", ["--precision", "fp32"]),
             "xray-tmpfs": servers.Xray("xray-tmpfs", "xray serve, store in memory", store_folder=tmpfs),
             "xray-keras": servers.XrayImported("xray-keras", "xray serve, the Keras network"),
             "keras": servers.Keras(), "onnx": servers.Onnx()}
    return [kinds[name] for name in options.only if name != "xray-tmpfs" or TMPFS.is_dir()]


def machine():
    names = [line.partition(":")[2].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    return {"cpu": names[0] if names else platform.machine(), "cores": len(os.sched_getaffinity(0)),
            "load_before": os.getloadavg()[0], "kernel": platform.release()}


def estimate(options, count):
    point = options.warm_up + options.seconds
    one = (len(measure.CLIENTS) + 2) * point + options.warm_up + options.growth_seconds + 60
    return options.rounds * count * one / 60


def run(options, scratch, tmpfs):
    prepare_peers(options)
    kinds = kinds_of(options, tmpfs)
    measure.say(f"pictures: {options.source}; about {estimate(options, len(kinds)):.0f} minutes")
    files = sorted(path for path in options.pictures.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not files:
        sys.exit(f"{options.pictures} holds no pictures")
    step = max(1, len(files) // measure.CHECKED)
    expected = measure.reference(options, files[::step][:measure.CHECKED])
    results = {"machine": machine(), "pictures": {"source": options.source, "files": len(files),
                                                  "mean_bytes": sum(f.stat().st_size for f in files) / len(files)},
               "xray": subprocess.run([options.xray, "--version"], stdout=subprocess.PIPE, text=True).stdout.strip(),
               "options": {name: str(value) if isinstance(value, pathlib.Path) else value
                           for name, value in vars(options).items()},
               "servers": {kind.name: {"title": kind.title, "rounds": []} for kind in kinds}}
    for _ in range(options.rounds):
        for kind in kinds:
            measured = measure.measure_server(kind, options, scratch, expected)
            measured["comparable"] = kind.name not in ("keras", "xray-keras")
            measured["total_seconds"] = options.warm_up + options.seconds
            results["servers"][kind.name]["rounds"].append(measured)
    results["bulk"] = measure.measure_bulk(options)
    results["limit_per_second"] = measure.measure_limit(options)
    return results


def describe(results):
    options, pictures, host = results["options"], results["pictures"], results["machine"]
    keras = f"Keras: {options['keras_model']} with random weights at 224 x 224, {options['keras_call']}; " if "keras" in results["servers"] else ""
    return (f"{results['xray']}; {host['cpu']}, {host['cores']} cores shared by server and load generator; "
            f"{pictures['files']} {pictures['source']}, {pictures['mean_bytes'] / 1000:.0f} kB on average; "
            f"{options['seconds']:g} s per point, {options['rounds']} round{'s' if options['rounds'] > 1 else ''}; "
            f"{options['workers']} workers per peer; {keras}ratios above 1: xray does better.")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS), metavar="SERVER",
                        help=f"of {', '.join(KINDS)} (default: all)")
    parser.add_argument("--pictures", type=pathlib.Path, help="folder of JPEG and PNG files (default: real films "
                        "in ../shared/data/originals where they are, else drawn ones)")
    parser.add_argument("--seconds", type=float, default=10, help="measured per point (default: 10)")
    parser.add_argument("--warm-up", type=float, default=2, help="seconds before each (default: 2)")
    parser.add_argument("--rounds", type=int, default=1, help="over all servers; the table shows medians (default: 1)")
    parser.add_argument("--requests", type=int, default=5000, help="over which memory may grow (default: 5000)")
    parser.add_argument("--growth-seconds", type=float, default=60, help="but for no longer (default: 60)")
    parser.add_argument("--slow", type=int, default=64, help="slow clients (default: 64)")
    parser.add_argument("--quick", action="store_true", help="3 s per point, 1 s of warm-up, 10 s of growth")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)),
                        help="processes of each peer (default: one a core)")
    parser.add_argument("--keras-model", choices=["mobilenet-v2", "small-cnn"], default="mobilenet-v2")
    parser.add_argument("--keras-call", choices=["predict", "function"], default="predict",
                        help="model.predict(), or a compiled function, which few use (default: predict)")
    parser.add_argument("--keras-threads", type=int, default=0, help="per worker; 0: as TensorFlow chooses (default)")
    parser.add_argument("--onnx-threads", type=int, default=1, help="per call (default: 1)")
    parser.add_argument("--onnx-at-once", type=int, default=2, help="pictures at one time per worker (default: 2)")
    parser.add_argument("--onnx-decode", type=int, default=224, help="it decodes JPEG at the smallest scale with no "
                        "side below; xray keeps to 896, for accuracy (default: 224, in the peer's favour)")
    parser.add_argument("--bulk-passes", type=int, default=2, help="over the folder, for `xray predict` (default: 2)")
    parser.add_argument("--out", type=pathlib.Path, default=WORK / "results.json", help="(default: build/compare/results.json)")
    parser.add_argument("--environments", type=pathlib.Path, default=WORK, help="where peers are installed (default: build/compare)")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/pediatric", help="model package")
    parser.add_argument("--xray", type=pathlib.Path, default=ROOT / "build/release/xray")
    parser.add_argument("--load", type=pathlib.Path, default=ROOT / "build/release/bench/load/xray-load")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.warm_up, options.growth_seconds = 3, 1, 10
    for program in (options.xray, options.load):
        if not os.access(program, os.X_OK):
            sys.exit(f"{program} is missing: make compare builds it")
    return options


def stop(*_):
    raise KeyboardInterrupt


def main():
    options = parse_options()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    begin = time.monotonic()
    try:
        WORK.mkdir(parents=True, exist_ok=True)
        options.pictures, options.source = find_pictures(options)
        # The store lies where one would, on a disk; only xray-tmpfs's in memory.
        with tempfile.TemporaryDirectory(prefix="run-", dir=WORK) as scratch, \
             tempfile.TemporaryDirectory(prefix="xray-compare-", dir=TMPFS if TMPFS.is_dir() else WORK) as tmpfs:
            results = run(options, pathlib.Path(scratch), tmpfs)
    except KeyboardInterrupt:
        measure.say("stopped; every server has been ended")
        sys.exit(130)
    results["minutes"] = (time.monotonic() - begin) / 60
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    print(describe(results) + "\n")
    print(table.markdown(results))
    measure.say(f"{results['minutes']:.0f} minutes; every figure is in {options.out}")


if __name__ == "__main__":
    main()
