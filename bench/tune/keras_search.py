"""The search that bench/tune/run.py compares with: Keras Tuner on the original's three-layer CNN.

usage: keras_search.py DATA.npz OUT [--tuner bayesian|random|hyperband] [--epochs N] [--trials N] [--seed N]

Writes one JSON line per finished trial: seconds since the start of this program, the trial's score (the best
epoch's validation AUC, as Keras Tuner counts it), the score of the last epoch, resident memory in MiB."""
import argparse
import json
import os
import pathlib
import time

START = time.monotonic()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_tuner
import numpy

parser = argparse.ArgumentParser()
parser.add_argument("data")
parser.add_argument("out")
parser.add_argument("--tuner", default="bayesian")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--trials", type=int, default=10000)
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()

data = numpy.load(options.data)
side = data["train_x"].shape[1]
log = open(options.out, "a", buffering=1)


def build(hp):
    filters = hp.Int("filters", 8, 32, step=8)
    kernel = hp.Choice("kernel", [3, 5])
    layers = [keras.Input((side, side, 1))]
    for i in range(3):
        layers += [keras.layers.Conv2D(filters * 2**i, kernel, padding="same", activation="relu"),
                   keras.layers.MaxPooling2D()]
    layers += [keras.layers.Flatten(),
               keras.layers.Dense(hp.Int("dense", 32, 256, sampling="log"), activation="relu"),
               keras.layers.Dropout(hp.Float("dropout", 0.0, 0.6, step=0.1)),
               keras.layers.Dense(1, activation="sigmoid")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(hp.Float("lr", 1e-4, 1e-2, sampling="log")), "binary_crossentropy",
                  metrics=[keras.metrics.AUC(name="auc", num_thresholds=2000)])
    return model


def resident():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


class Reporting:
    """Mixed into a tuner: says when a trial has ended."""

    def run_trial(self, trial, *args, **kwargs):
        history = super().run_trial(trial, *args, **kwargs)
        last = history[-1] if isinstance(history, list) else history
        auc = last.history["val_auc"]
        log.write(json.dumps({"seconds": time.monotonic() - START, "score": max(auc), "last": auc[-1],
                              "resident": resident()}) + "\n")
        return history


kinds = {"bayesian": keras_tuner.BayesianOptimization, "random": keras_tuner.RandomSearch,
         "hyperband": keras_tuner.Hyperband}
tuner_class = type("Reporting" + options.tuner, (Reporting, kinds[options.tuner]), {})
more = {"max_epochs": options.epochs} if options.tuner == "hyperband" else {"max_trials": options.trials}
tuner = tuner_class(build, objective=keras_tuner.Objective("val_auc", "max"), seed=options.seed,
                    directory=str(pathlib.Path(options.out).with_suffix(".study")), project_name="search", **more)
tuner.search(data["train_x"], data["train_y"], validation_data=(data["test_x"], data["test_y"]), batch_size=32,
             epochs=options.epochs, verbose=0)
