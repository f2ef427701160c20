#!/usr/bin/env python3
"""Times unisono beside its rivals on the same work, in one process, in turns, and checks every answer.

    python benches/peers/run.py [--quick] [--devices cpu,gpu:0] [--only numpy,torch] [--match REGEX] [--json FILE]

Prints a Markdown table per workload: the median time, the throughput, the answer's error, and how many times as long as
unisono each rival took. See README.md.
"""

import argparse
import gc
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import machine
from rivals import available
from workloads import workloads


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes; says little about speed, much about the script")
    parser.add_argument("--devices", default=None, help="devices of unisono, by comma; default: the CPU and every hardware GPU")
    parser.add_argument("--only", type=lambda text: text.split(","), default=None, help="rivals, by comma: " + "numpy,scipy,…")
    parser.add_argument("--match", default="", help="only workloads whose name has this regular expression")
    parser.add_argument("--rounds", type=int, default=7, help="turns that each rival gets at most")
    parser.add_argument("--budget", type=float, default=20.0, help="seconds that a rival may take per workload (2 with --quick)")
    parser.add_argument("--json", type=Path, default=None, help="write everything to this file")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.budget = min(chosen.budget, 2.0)
    if chosen.devices is None:
        import unisono

        hardware = [d.id for d in unisono.devices() if d.kind not in ("CPU", "software GPU")]
        chosen.devices = ["cpu", *hardware]
    else:
        chosen.devices = chosen.devices.split(",")
    return chosen


def prepare(rivals, workload):
    """A function per rival that does this workload, warmed up and with its answer judged."""
    runs, rows = {}, {}
    for rival in rivals:
        method = getattr(rival, workload.kind, None)
        if method is None:
            continue
        try:
            run = method(**workload.data)
            if run is None:
                continue
            start = time.perf_counter()
            answer = run()
            first = time.perf_counter() - start
            rows[rival.name] = {"version": rival.version, "device": rival.device, "first": first}
            rows[rival.name]["answer"] = workload.judge(rival.fetch(answer))
            runs[rival.name] = run
        except Exception as error:  # one rival's failure is a row of the table, not the end of the comparison
            rows[rival.name] = {"version": rival.version, "device": rival.device}
            rows[rival.name]["failure"] = f"{type(error).__name__}: {error}".splitlines()[0][:160]
    return runs, rows


PAUSE = 0.02
"""Seconds before each turn, in which threads of whoever was on before, that wait for work by spinning, go to sleep."""

IN_A_ROW = 0.03
"""Seconds that the calls of a turn take together, if one is shorter."""


def turn(run):
    """The median time of some calls in a row, or of one that takes long."""
    time.sleep(PAUSE)
    taken = []
    while sum(taken) < IN_A_ROW:
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def measure(runs, rows, rounds, budget):
    """Times all runs in turns, so that a disturbance of the machine falls on all of them. Each round begins with another."""
    # What takes longer than its budget is not run again.
    times = {name: [rows[name]["first"]] if rows[name]["first"] > budget else [] for name in runs}
    names = list(runs)
    for first in range(rounds):
        for name in names[first % len(names) :] + names[: first % len(names)] if names else []:
            spent = sum(max(taken, IN_A_ROW) for taken in times[name])
            if times[name] and spent + spent / len(times[name]) > budget:
                continue
            times[name].append(turn(runs[name]))
    for name, taken in times.items():
        rows[name].update(median=statistics.median(taken), best=min(taken), rounds=len(taken))


def table(workload, rows, ours):
    """The rows as Markdown, fastest first."""
    ours = [name for name in ours if "median" in rows.get(name, {})]
    print(f"\n### {workload.name}\n")
    print("| | median | best | throughput | answer |" + "".join(f" time / {name} |" for name in ours))
    print("| --- | ---: | ---: | ---: | --- |" + " ---: |" * len(ours))
    for name, row in sorted(rows.items(), key=lambda item: item[1].get("median", 1e9)):
        if "failure" in row:
            print(f"| {name} | | | | {row['failure']} |" + " |" * len(ours))
            continue
        ratios = "".join(f" {row['median'] / rows[one]['median']:.2f} |" for one in ours)
        rate = workload.amount / row["median"]
        print(f"| {name} | {seconds(row['median'])} | {seconds(row['best'])} | {si(rate)}{workload.unit} | {row['answer']} |{ratios}")
    sys.stdout.flush()


def seconds(value):
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 1 or unit == "µs":
            return f"{value * factor:.3g} {unit}"


def si(value):
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1, "")):
        if value >= factor:
            return f"{value / factor:.3g} {prefix}"
    return f"{value:.3g} "


def main():
    chosen = options()
    sys.path.insert(0, str(Path(__file__).parent))
    rivals, missing = available(chosen)
    ours = [rival.name for rival in rivals if rival.name.startswith("unisono")]
    about = machine.describe(rivals)
    print("\n".join(f"- {key}: {value}" for key, value in about.items()))
    for name, reason in missing.items():
        print(f"- not here: {name} ({reason})")
    results = []
    for workload in workloads(chosen.quick):
        if not re.search(chosen.match, workload.name):
            continue
        runs, rows = prepare(rivals, workload)
        measure(runs, rows, chosen.rounds, chosen.budget)
        table(workload, rows, ours)
        results.append({"workload": workload.name, "amount": workload.amount, "unit": workload.unit, "rows": rows})
        del runs, workload
        gc.collect()
    for rival in rivals:
        rival.close()
    if chosen.json:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent)
        record = {"machine": about, "missing": missing, "command": sys.argv, "quick": chosen.quick, "results": results}
        record["commit"] = commit.stdout.strip()
        chosen.json.write_text(json.dumps(record, indent=1) + "\n")
    wrong = [row["failure"] for result in results for row in result["rows"].values() if "wrong answer" in row.get("failure", "")]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
