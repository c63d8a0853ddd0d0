#!/usr/bin/env python3
"""`xray tune` as its users have it: a program that is stopped, killed, starved and started twice.
usage: tune_test.py --xray PROGRAM [--xray-train PROGRAM --make-fixtures PROGRAM]

Trials are those of fake_trainer.py, which take milliseconds; with a trainer, one study is real."""
import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).parent
FAKE = HERE / "fake_trainer.py"
POSTGRES = HERE.parent / "support" / "postgres.sh"
arguments = argparse.Namespace()

SPACE = """
[fixed]
input = 64
[parameters.arch]
type = "choice"
values = ["cnn3", "mobilenet-v2"]
[parameters.cnn]
when = { arch = "cnn3" }
[parameters.cnn.filters]
type = "int"
min = 8
max = 64
step = 8
[parameters.width]
type = "float"
min = 0.5
max = 1.5
when = { arch = "mobilenet-v2" }
[parameters.lr]
type = "float"
min = 1e-5
max = 1e-1
scale = "log"
[parameters.dropout]
type = "float"
min = 0.0
max = 0.8
"""


def wait_for(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.02)


class TuneTest(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.root = pathlib.Path(self.temporary.name)
        (self.root / "data").mkdir()
        self.study = self.root / "study"
        self.space(SPACE)

    def space(self, text):
        (self.root / "space.toml").write_text(text)

    def command(self, *more, study=None):
        return [arguments.xray, "tune", "--space", str(self.root / "space.toml"), "--data", str(self.root / "data"),
                "--out", str(study or self.study), "--trainer", str(FAKE), *map(str, more)]

    def tune(self, *more, study=None, expect=0, **environment):
        done = subprocess.run(self.command(*more, study=study), capture_output=True, text=True,
                              env={**os.environ, **environment}, timeout=120)
        self.assertEqual(done.returncode, expect, done.stderr + done.stdout)
        return done

    def start(self, *more, study=None, **environment):
        process = subprocess.Popen(self.command(*more, study=study), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def show(self, study=None):
        shown = subprocess.run([arguments.xray, "tune", "show", str(study or self.study), "--json"],
                               capture_output=True, text=True, check=True)
        return json.loads(shown.stdout)

    def trials(self, study=None):
        return self.show(study)["trials"] if ((study or self.study) / "study.sqlite").exists() else []

    def states(self, study=None):
        return [trial["state"] for trial in self.trials(study)]

    def epochs_run(self, number, run=1):
        return (self.study / "trials" / f"{number:04}" / f"run-{run}" / "epochs-run.txt").read_text().split("\n")[:-1]

    def test_searches_and_tells(self):
        done = self.tune("--trials", 12, "--use-folds", 2, "--executions", 2, "--pruner", "none", "--keep", 2)
        self.assertIn("all trials are done; 12 done", done.stderr)
        study = self.show()
        self.assertEqual([trial["number"] for trial in study["trials"]], list(range(1, 13)))
        best = study["trials"][study["best"][0] - 1]
        self.assertEqual(best["figures"]["auc"], max(trial["figures"]["auc"] for trial in study["trials"]))
        # Two folds and two seeds are behind the mean.
        folder = self.study / "trials" / "0001"
        scores = [json.loads((folder / f"run-{e}" / f"fold-{f}" / "quality.json").read_text())["figures"]["auc"]
                  for e in (1, 2) for f in (1, 2)]
        self.assertEqual(len(set(scores)), 4)
        self.assertAlmostEqual(study["trials"][0]["figures"]["auc"], sum(scores) / 4, places=12)
        self.assertIn("--seed 2", " ".join(json.loads((folder / "run-2" / "arguments.json").read_text())))
        # A parameter that does not exist is not told to the trainer.
        for trial in study["trials"]:
            told = json.loads((self.study / "trials" / f"{trial['number']:04}" / "run-1" / "arguments.json").read_text())
            self.assertEqual("--filters" in told, trial["configuration"]["arch"] == "cnn3")
            self.assertEqual("--width" in told, trial["configuration"]["arch"] == "mobilenet-v2")
            self.assertIn("--input", told)
        # Checkpoints of the best alone are kept.
        kept = {int(path.parts[-4]) for path in self.study.glob("trials/*/run-*/fold-*/checkpoint.pt")}
        self.assertEqual(kept, set(study["best"][:2]))
        page = (self.study / "report.html").read_text()
        self.assertIn('"kind":"study"', page.replace(" ", ""))
        self.assertTrue(list(self.study.glob("tensorboard/trial-0012/events.out.tfevents.*")))
        named = subprocess.run([arguments.xray, "tune", "best", str(self.study)], capture_output=True, text=True)
        self.assertIn("xray-train fit --data", named.stdout)

    def test_goes_on_after_a_kill(self):
        options = ("--trials", 4, "--folds", 2, "--epochs", 6, "--pruner", "none")
        process = self.start(*options, FAKE_EPOCH_SECONDS="0.05")
        checkpoint = self.study / "trials" / "0002" / "run-1" / "fold-1" / "checkpoint.pt"
        wait_for("the second trial's third epoch", lambda: checkpoint.exists() and checkpoint.read_text() >= "3")
        process.kill()
        process.wait()
        before = self.trials()
        self.assertEqual([trial["state"] for trial in before], ["done", "running"])
        # Its trainer died with it.
        ran = self.epochs_run(2)
        time.sleep(0.3)
        self.assertEqual(self.epochs_run(2), ran)
        self.tune(*options)
        after = self.trials()
        self.assertEqual([trial["state"] for trial in after], ["done"] * 4)
        self.assertEqual(after[0], before[0])
        self.assertEqual(after[1]["configuration"], before[1]["configuration"])
        # No epoch twice: it went on from its checkpoint.
        self.assertEqual(len(self.epochs_run(2)), len(set(self.epochs_run(2))))
        self.assertEqual(len(self.epochs_run(2)), 12)

    def test_stops_when_told_and_goes_on(self):
        options = ("--trials", 2, "--folds", 2, "--epochs", 20)
        process = self.start(*options, FAKE_EPOCH_SECONDS="0.05")
        wait_for("an epoch", lambda: list(self.study.glob("trials/0001/run-1/fold-1/checkpoint.pt")))
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(), 130)
        self.assertEqual(self.states(), ["waiting"])
        self.tune(*options)
        self.assertEqual(self.states(), ["done", "done"])

    def test_finds_the_same_with_and_without_interruption(self):
        options = ("--trials", 8, "--use-folds", 1, "--tuner", "bayesian", "--initial", 3)
        self.tune(*options, study=self.root / "whole")
        for trials in (3, 5, 8):
            self.tune("--trials", trials, *options[2:])
        self.assertEqual([t["configuration"] for t in self.trials()],
                         [t["configuration"] for t in self.trials(self.root / "whole")])

    def test_a_crash_costs_one_trial(self):
        self.space(SPACE + '[parameters.kernel]\ntype = "choice"\nvalues = [3, 5]\n')
        self.tune("--trials", 12, "--use-folds", 1, "--tuner", "random", "--max-failures", 0, "--pruner", "none",
                  FAKE_CRASH="5")
        trials = self.trials()
        for trial in trials:
            bad = trial["configuration"]["kernel"] == 5
            self.assertEqual(trial["state"], "failed" if bad else "done")
            if bad:
                self.assertEqual((trial["failures"], trial["message"]), (2, "ended by signal 11"))
        self.assertEqual(len({trial["state"] for trial in trials}), 2, "the seed gives both kernels")

    def test_tries_again_what_failed(self):
        (self.root / "marks").mkdir()
        self.tune("--trials", 3, "--use-folds", 1, FAKE_ONCE=str(self.root / "marks"))
        self.assertEqual([(t["state"], t["failures"]) for t in self.trials()], [("done", 1)] * 3)

    def test_gives_up_after_failures_in_a_row(self):
        self.space('[parameters.kernel]\ntype = "choice"\nvalues = [5]\n[parameters.lr]\ntype = "float"\nmin = 1e-4\nmax = 1e-2\n')
        done = self.tune("--trials", 10, "--retries", 0, "--max-failures", 2, expect=1, FAKE_CRASH="5")
        self.assertIn("too many trials failed in a row", done.stderr)
        self.assertEqual(self.states(), ["failed", "failed"])

    def test_what_is_too_large_is_not_trained(self):
        self.tune("--trials", 8, "--use-folds", 1, "--tuner", "random", "--pruner", "none", "--max-parameters", 200_000)
        for trial in self.trials():
            large = trial["configuration"].get("cnn.filters", 16) * 64 * 100 > 200_000
            self.assertEqual(trial["state"], "invalid" if large else "done")

    def test_gives_up_hopeless_trials(self):
        self.tune("--trials", 20, "--tuner", "random", "--folds", 3, "--epochs", 6, FAKE_EPOCH_SECONDS="0.02")
        trials = self.trials()
        pruned = [trial for trial in trials if trial["state"] == "pruned"]
        self.assertGreater(len(pruned), 4)
        best = max(trial["figures"]["auc"] for trial in trials if trial["state"] == "done")
        for trial in pruned:
            self.assertIn("given up after", trial["message"])
            self.assertLess(trial["figures"]["auc"], best)
            self.assertLess(len(self.epochs_run(trial["number"])), 18)

    def test_hyperband_shares_out_epochs(self):
        self.tune("--tuner", "hyperband", "--epochs", 9, "--trials", 17, "--use-folds", 1)
        rungs = {}
        for trial in self.trials():
            ran = len(self.epochs_run(trial["number"]))
            rungs.setdefault(trial["place"]["bracket"], []).append(ran)
        self.assertEqual(sorted(rungs[0]), [1] * 6 + [3] * 2 + [9])
        self.assertEqual(sorted(rungs[1]), [3] * 4 + [9])
        self.assertEqual(sorted(rungs[2]), [9] * 3)

    def test_two_processes_share_a_study(self):
        options = ("--trials", 16, "--use-folds", 1, "--tuner", "random", "--parallel", 2, "--pruner", "none")
        self.check_sharing(options, 16)

    def check_sharing(self, options, trials):
        processes = [self.start(*options, FAKE_EPOCH_SECONDS="0.02") for _ in range(2)]
        for process in processes:
            self.assertEqual(process.wait(60), 0, process.stderr.read())
        shown = subprocess.run([arguments.xray, "tune", "show", str(self.study), "--json",
                                *[str(o) for o in options if "postgresql" in str(o) or o == "--store"]],
                               capture_output=True, text=True, check=True)
        all_trials = json.loads(shown.stdout)["trials"]
        self.assertEqual([trial["state"] for trial in all_trials], ["done"] * trials)
        self.assertEqual(len({json.dumps(trial["configuration"]) for trial in all_trials}), trials)
        self.assertEqual(len({trial["worker"].rsplit(":", 1)[0] for trial in all_trials}), 2, "both worked")
        for number in range(1, trials + 1):
            self.assertEqual(len(self.epochs_run(number)), 4, "nothing ran twice")

    def test_two_processes_share_a_study_on_postgresql(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="xray-tune-pg-"))
        made = subprocess.run([POSTGRES, "init", folder], capture_output=True, text=True)
        if made.returncode == 77:
            self.skipTest("PostgreSQL is not installed (scripts/setup test)")
        self.assertEqual(made.returncode, 0, made.stderr)
        server = subprocess.Popen([POSTGRES, "run", folder], stderr=subprocess.DEVNULL)
        self.addCleanup(subprocess.run, ["rm", "-rf", folder])
        self.addCleanup(server.wait)
        self.addCleanup(server.send_signal, signal.SIGQUIT)
        subprocess.run([POSTGRES, "wait", folder], check=True, stdout=subprocess.DEVNULL)
        self.check_sharing(("--trials", 12, "--use-folds", 1, "--tuner", "random", "--pruner", "none", "--store",
                            f"postgresql://xray@/postgres?host={folder}"), 12)

    def test_a_dead_workers_trial_is_taken_up(self):
        options = ("--trials", 2, "--folds", 2, "--epochs", 8)
        dead = self.start(*options, FAKE_EPOCH_SECONDS="0.1")
        wait_for("an epoch", lambda: list(self.study.glob("trials/0001/run-1/fold-1/checkpoint.pt")))
        dead.kill()
        dead.wait()
        self.tune(*options)
        first = self.trials()[0]
        self.assertEqual(first["state"], "done")
        self.assertNotIn(f":{dead.pid}:", first["worker"])

    def test_learns_from_an_earlier_study(self):
        earlier = self.root / "earlier"
        self.tune("--trials", 10, "--use-folds", 1, "--tuner", "random", "--pruner", "none", study=earlier)
        done = self.tune("--trials", 3, "--use-folds", 1, "--warm-start", earlier)
        self.assertIn("10 of 10 finished trials fit", done.stderr)
        trials = self.trials()
        self.assertEqual([trial["state"] for trial in trials], ["imported"] * 10 + ["done"] * 3)
        # The process knew where to go at once.
        self.assertGreater(max(t["figures"]["auc"] for t in trials[10:]), sorted(t["figures"]["auc"] for t in trials[:10])[5])
        self.tune("--trials", 3, "--use-folds", 1, "--warm-start", earlier)
        self.assertEqual(len(self.trials()), 13)

    def test_has_a_front_of_several_objectives(self):
        self.tune("--trials", 25, "--use-folds", 1, "--objective", "auc", "--objective", "parameters")
        study = self.show()
        points = {t["number"]: (t["figures"]["auc"], t["figures"]["parameters"]) for t in study["trials"]}
        beaten = {n for n, (a, p) in points.items()
                  if any(b >= a and q <= p and (b, q) != (a, p) for b, q in points.values())}
        self.assertEqual(set(study["front"]), set(points) - beaten)
        self.assertGreater(len(study["front"]), 1)

    def test_keeps_to_its_time(self):
        begin = time.monotonic()
        done = self.tune("--budget", "2s", "--use-folds", 1, expect=0, FAKE_EPOCH_SECONDS="0.1")
        self.assertIn("the time is used up", done.stderr)
        self.assertLess(time.monotonic() - begin, 8)
        # It is the study's time, not the command's.
        count = len(self.trials())
        done = self.tune("--budget", "2s", "--use-folds", 1, FAKE_EPOCH_SECONDS="0.1")
        self.assertLessEqual(len(self.trials()), count + 1)

    def test_keeps_to_its_disk(self):
        done = self.tune("--disk", "3MB", "--keep", 100, "--use-folds", 1, "--tuner", "random", "--pruner", "none",
                         FAKE_BALLAST="500000", FAKE_EPOCH_SECONDS="0.1")
        self.assertIn("the disk limit is reached", done.stderr)

    def test_its_memory_stays_flat(self):
        process = self.start("--trials", 200, "--use-folds", 1, "--epochs", 2, "--tuner", "bayesian")

        def resident():
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            return int(status.split("VmRSS:")[1].split()[0])

        def begun(number):
            return (self.study / "trials" / f"{number:04}").exists() or process.poll() is not None

        wait_for("trial 40", lambda: begun(40), 90)
        early = resident()
        wait_for("trial 195", lambda: begun(195), 110)
        late = resident()
        self.assertEqual(process.wait(60), 0, process.stderr.read())
        self.assertLess(late - early, 10_000, f"kB, from {early} to {late}")

    def test_tells_what_is_wrong(self):
        for text, said in (("[parameters.a]\ntype = \"int\"\n", "'a' has no min"), ("x", "line 1")):
            self.space(text)
            self.assertIn(said, self.tune("--trials", 1, expect=2).stderr)
        self.assertFalse(self.study.exists(), "nothing is made before all is well")
        self.space(SPACE)
        self.assertIn("--epochs", self.tune("--tuner", "hyperband", expect=2).stderr)
        self.assertIn("names no figure", self.tune("--objective", "a b", expect=2).stderr)
        self.assertIn("no time", self.tune("--budget", "soon", expect=2).stderr)
        self.tune("--trials", 1, "--use-folds", 1)
        self.assertIn("other settings (tuner)", self.tune("--trials", 1, "--use-folds", 1, "--tuner", "random", expect=2).stderr)
        nothing = subprocess.run([arguments.xray, "tune", "show", str(self.root)], capture_output=True, text=True)
        self.assertEqual(nothing.returncode, 2)
        self.assertIn("no study here", nothing.stderr)

    def test_the_real_trainer_repeats_itself_and_gives_a_model(self):
        if not arguments.xray_train:
            self.skipTest("built without the trainer")
        films = self.root / "films"
        subprocess.run([arguments.make_fixtures, films], check=True, stdout=subprocess.DEVNULL)
        self.space("""
[fixed]
arch = "cnn3"
input = 64
batch = 4
precision = "fp32"
[parameters.filters]
type = "choice"
values = [4, 8]
[parameters.lr]
type = "float"
min = 1e-4
max = 1e-2
scale = "log"
[parameters.optimizer]
type = "choice"
values = ["adam", "sgd", "rmsprop"]
""")
        command = [arguments.xray, "tune", "--space", self.root / "space.toml", "--data", films / "cohort", "--out",
                   self.study, "--trials", "3", "--folds", "3", "--use-folds", "2", "--epochs", "2", "--threads", "1",
                   "--trainer", arguments.xray_train]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        trainer = ["--trainer", arguments.xray_train]
        again = subprocess.run([arguments.xray, "tune", "replay", self.study, *trainer], capture_output=True, text=True)
        self.assertEqual(again.returncode, 0, again.stdout + again.stderr)
        self.assertIn("the same to the last bit", again.stdout)
        fitted = subprocess.run([arguments.xray, "tune", "fit", self.study, "--out", self.root / "winner", *trainer],
                                capture_output=True, text=True)
        self.assertEqual(fitted.returncode, 0, fitted.stderr)
        read = subprocess.run([arguments.xray, "predict", "--json", "--model", self.root / "winner" / "package",
                               films / "cohort" / "NORMAL"], capture_output=True, text=True)
        self.assertEqual(read.returncode, 0, read.stderr)
        self.assertEqual(read.stdout.count('"verdict"'), 12)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--xray", required=True)
    parser.add_argument("--xray-train")
    parser.add_argument("--make-fixtures")
    arguments, rest = parser.parse_known_args(namespace=arguments)
    unittest.main(argv=[sys.argv[0], *rest])
