"""What a measurement was made on."""

import os
import platform
import sys


def describe(rivals):
    """The machine and the versions, for the head of a report."""
    import unisono

    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    about = {
        "processor": processor(),
        "threads": threads,
        "memory": memory(),
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "rivals": ", ".join(f"{rival.name} {rival.version}" for rival in rivals),
    }
    for device in unisono.devices():
        about[device.id] = f"{device.name}, {device.kind}, {device.backend} {device.driver}"
    return about


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def memory():
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    except (AttributeError, ValueError, OSError):
        return "unknown"
