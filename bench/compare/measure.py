"""What is measured of one server, and of programs that take a folder."""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from servers import HERE, Server, ask

CLIENTS = (1, 2, 16, 64)
SLOW_BESIDE = 16  # clients that slow ones are to cost nothing
GROWTH_CLIENTS = 8
OVERLOAD = 4  # times the highest rate that was answered
MOST_CONNECTIONS = 500  # that stay open in overload
PATIENCE = 30  # seconds that a client waits for its answer
OVERLOAD_PATIENCE = 10
CHECKED = 8  # pictures whose percentages are compared


def say(text):
    print(f"[compare] {text}", file=sys.stderr, flush=True)


def load(options, server, **arguments):
    """A run of the load generator against a server that has nothing left to do; keywords are its options."""
    server.settle()
    settings = {"target": server.url, "pictures": options.pictures, "pid": server.process.pid,
                "warm_up": options.warm_up, "seconds": options.seconds, **arguments}
    command = [options.load]
    for name, value in settings.items():
        command += ["--" + name.replace("_", "-"), value]
    limit = settings["seconds"] + settings["warm_up"] + settings["timeout"] + 60
    result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, timeout=limit)
    if result.returncode != 0:
        sys.exit("the load generator failed")
    server.require_alive()
    return json.loads(result.stdout)


def reference(options, pictures):
    """{picture: per cent pneumonia} as `xray predict` says in 32-bit floats; None where it says nothing."""
    result = subprocess.run([options.xray, "predict", "--json", "--precision", "fp32", "--model", options.model, *pictures],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    findings = [json.loads(line) for line in result.stdout.splitlines()]
    return {pathlib.Path(f["file"]): f["percent"]["pneumonia"] if "percent" in f else None for f in findings}


def check(kind, server, pictures, expected):
    """Asks for a few pictures; {"pictures", "largest_difference"} in percentage points from `expected`."""
    differences = []
    for picture in pictures:
        status, answer = ask(server.port, server.path, picture)
        if status >= 300:
            sys.exit(f"{kind.title} refuses {picture}: {status} {answer!r}")
        told = kind.pneumonia(answer)
        if told is not None and not 0 <= told <= 100:
            sys.exit(f"{kind.title} answers {answer} to {picture}")
        if told is not None and expected[picture] is not None:
            differences.append(abs(told - expected[picture]))
    return {"pictures": len(pictures), "largest_difference": max(differences, default=None)}


def measure_server(kind, options, scratch, expected):
    """Everything about one server, in one round."""
    pictures = list(expected)
    starts = []

    def start():
        server = Server(kind, options, scratch, pictures[0])
        starts.append(server.cold_start)
        return server

    with start():
        pass
    with start() as server:
        agreement = check(kind, server, pictures, expected)
        closed = {}
        for clients in CLIENTS:
            closed[clients] = load(options, server, connections=clients, timeout=PATIENCE)
            say(f"{kind.title}: {clients} clients, {closed[clients]['accepted_per_second']:.1f} per second")
        growth = load(options, server, connections=GROWTH_CLIENTS, requests=options.requests, timeout=PATIENCE,
                      warm_up=2 * options.warm_up, seconds=options.growth_seconds)
        peak = max(point["accepted_per_second"] for point in closed.values())
        overload = None
        if peak > 0:
            overload = load(options, server, connections=MOST_CONNECTIONS, rate=round(OVERLOAD * peak, 3),
                            timeout=OVERLOAD_PATIENCE)
            overload["offered_per_second"] = OVERLOAD * peak
            overload["peak_per_second"] = peak
            say(f"{kind.title}: {OVERLOAD * peak:.0f} per second offered, "
                f"{overload['accepted_per_second']:.1f} answered")
    with start() as server:
        slow = load(options, server, connections=SLOW_BESIDE, slow=options.slow, timeout=PATIENCE)
        say(f"{kind.title}: {slow['accepted_per_second']:.1f} per second beside {options.slow} slow clients")
    return {"cold_start": statistics.median(starts), "agreement": agreement, "closed": closed, "growth": growth,
            "overload": overload, "slow": slow}


def run_timed(command, environment=None):
    """(standard output, seconds); None for the output where the command fails."""
    begin = time.perf_counter()
    result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            text=True, env={**os.environ, **(environment or {})})
    seconds = time.perf_counter() - begin
    if result.returncode != 0:
        return None, seconds
    return result.stdout, seconds


def measure_bulk(options):
    """A folder at once: `xray predict` with all its starting, Keras with and without."""
    passes = options.bulk_passes
    out, seconds = run_timed([options.xray, "predict", "--json", "--model", options.model] + [options.pictures] * passes)
    if out is None:
        sys.exit("xray predict failed on the pictures")
    pictures = len(out.splitlines())
    bulk = {"pictures": pictures, "xray": pictures / seconds}
    say(f"bulk: xray predict, {bulk['xray']:.1f} pictures per second")
    if "keras" in options.only:
        out, seconds = run_timed([options.environments / "keras/bin/python", HERE / "peers/keras_bulk.py", "--model",
                                 options.keras_file, "--pictures", options.pictures, "--passes", passes],
                                {"TF_CPP_MIN_LOG_LEVEL": "3"})
        if out is None:
            sys.exit("Keras failed on the pictures")
        bulk["keras"] = json.loads(out.splitlines()[-1])["rate"]
        bulk["keras_with_start"] = pictures / seconds
        say(f"bulk: Keras, {bulk['keras']:.1f} pictures per second")
    return bulk


def measure_limit(options):
    """What one process can do without HTTP, as `xray bench` says; None where there is no such command."""
    out, _ = run_timed([options.xray, "bench", "--json", options.pictures])
    try:
        return json.loads(out)["limit_per_second"] if out else None
    except (ValueError, KeyError):
        return None
