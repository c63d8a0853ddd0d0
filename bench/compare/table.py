"""Results as one Markdown table."""
import statistics

from measure import CLIENTS, OVERLOAD, SLOW_BESIDE


def share(point, which):
    """Of the requests due, in per cent: "503", "failed" (no answer at all)."""
    answered = sum(point["by_status"].values())
    failed = sum(point["failures"].values())
    total = answered + failed
    count = failed if which == "failed" else point["by_status"].get(which, 0)
    return 100 * count / total if total else None


def latency(point, percentile, kind="accepted"):
    summary = point["latency_ms"][kind]
    return summary[percentile] if summary["count"] else None


def server_value(point, *names):
    value = point["server"]
    for name in names:
        value = value and value[name]
    return value


def cpu_per_picture(point):
    seconds = server_value(point, "cpu_seconds")
    return 1000 * seconds / point["accepted"] if seconds is not None and point["accepted"] else None


def growth(point):
    """MiB per 1,000 pictures."""
    if not point["server"] or not point["accepted"]:
        return None
    pss = point["server"]["pss_mib"]
    return 1000 * (pss["last"] - pss["first"]) / point["accepted"]


HIGH, LOW = "high", "low"  # which is better
NEITHER = None


def rows(slow_clients):
    """(what, better, digits, function of one round's results)."""
    made = []

    def row(what, better, digits, function):
        made.append((what, better, digits, function))

    for n in CLIENTS:
        row(f"pictures per second, {n} client{'s' if n > 1 else ''}", HIGH, 1,
            lambda r, n=n: r["closed"][n]["accepted_per_second"])
    for n in CLIENTS:
        for p in ("p50", "p99"):
            row(f"latency {p}, ms, {n} client{'s' if n > 1 else ''}", LOW, 1, lambda r, n=n, p=p: latency(r["closed"][n], p))
    row("CPU per picture, ms (16 clients)", LOW, 1, lambda r: cpu_per_picture(r["closed"][16]))
    overload = lambda function: lambda r: function(r["overload"]) if r["overload"] else None
    row(f"{OVERLOAD} x overload: offered per second", NEITHER, 0, overload(lambda o: o["offered_per_second"]))
    row(f"{OVERLOAD} x overload: answered, % of peak", HIGH, 0,
        overload(lambda o: 100 * o["accepted_per_second"] / o["peak_per_second"]))
    row(f"{OVERLOAD} x overload: latency p50 of answered, ms", LOW, 0, overload(lambda o: latency(o, "p50")))
    row(f"{OVERLOAD} x overload: latency p99 of answered, ms", LOW, 0, overload(lambda o: latency(o, "p99")))
    row(f"{OVERLOAD} x overload: told to come back (503), %", NEITHER, 1, overload(lambda o: share(o, "503")))
    row(f"{OVERLOAD} x overload: latency p99 of those, ms", LOW, 1, overload(lambda o: latency(o, "p99", "other")))
    row(f"{OVERLOAD} x overload: without any answer, %", NEITHER, 1, overload(lambda o: share(o, "failed")))
    row(f"beside {slow_clients} slow clients: pictures per second, {SLOW_BESIDE} clients", HIGH, 1,
        lambda r: r["slow"]["accepted_per_second"])
    row("... % of without", HIGH, 0,
        lambda r: 100 * r["slow"]["accepted_per_second"] / (r["closed"][SLOW_BESIDE]["accepted_per_second"] or 1))
    row("... latency p99, ms", LOW, 1, lambda r: latency(r["slow"], "p99"))
    row("cold start to first answer, s", LOW, 2, lambda r: r["cold_start"])
    row("memory of all processes, MiB (64 clients, shared pages once)", LOW, 0,
        lambda r: server_value(r["closed"][64], "pss_mib", "last"))
    row("memory growth, MiB per 1,000 pictures", NEITHER, 2, lambda r: growth(r["growth"]))
    row("... over so many pictures", NEITHER, 0, lambda r: r["growth"]["accepted"])
    row("load generator's CPU, % of a core (16 clients)", NEITHER, 0,
        lambda r: 100 * r["closed"][16]["generator_cpu_seconds"] / r["total_seconds"])
    row("pneumonia per cent: largest difference from xray predict (fp32)", NEITHER, 2,
        lambda r: r["agreement"]["largest_difference"] if r["comparable"] else None)
    return made


def median(values):
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def show(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def show_ratio(ours, theirs, better):
    if better is NEITHER or ours is None or theirs is None or min(ours, theirs) < 0:
        return "-"
    top, bottom = (ours, theirs) if better == HIGH else (theirs, ours)
    return f"{top / bottom:.1f}x" if bottom > 0 else ("inf" if top > 0 else "-")


def markdown(results):
    servers = results["servers"]
    names = list(servers)
    # The same network on both sides, and this program's own beside others.
    pairs = [("xray-keras", "keras")] if {"xray-keras", "keras"} <= set(names) else []
    pairs += [("xray", name) for name in names if not name.startswith("xray") and "xray" in names]
    lines = ["| | " + " | ".join([servers[n]["title"] for n in names] + [f"{a} : {b}" for a, b in pairs]) + " |",
             "| --- |" + " ---: |" * (len(names) + len(pairs))]

    def line(what, values, ratios):
        lines.append(f"| {what} | " + " | ".join(values + ratios) + " |")

    for what, better, digits, function in rows(results["options"]["slow"]):
        values = {name: median([function(r) for r in servers[name]["rounds"]]) for name in names}
        line(what, [show(values[name], digits) for name in names],
             [show_ratio(values[ours], values[theirs], better) for ours, theirs in pairs])
    if limit := results["limit_per_second"]:
        of_limit = {name: 100 * median([r["closed"][16]["accepted_per_second"] for r in servers[name]["rounds"]]) / limit
                    for name in names if name == "xray"}
        line(f"% of the limit in one process ({limit:.1f} per second), 16 clients",
             [show(of_limit.get(name), 0) for name in names], ["-"] * len(pairs))
    if bulk := results["bulk"]:
        for what, key in (("folder at once, pictures per second (Keras without its start)", "keras"),
                          ("folder at once, pictures per second (with start)", "keras_with_start")):
            values = {"xray": bulk["xray"], "keras": bulk.get(key)}
            line(what, [show(values.get(name), 1) for name in names],
                 [show_ratio(bulk["xray"], values.get(theirs), HIGH) if ours == "xray" else "-" for ours, theirs in pairs])
    return "\n".join(lines)
