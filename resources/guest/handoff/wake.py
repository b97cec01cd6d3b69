"""Undoes what `settle` did to other processes of a template: some stand still, the others wait for whoever logs in first.
Python 3.6 or newer."""

import os
import signal

from files import content, log, place

STEPPED_BACK = "/run/guesthouse-stepped-back"


def wake():
    """Those that settle made stand still, once."""
    pids = content(STEPPED_BACK).split()
    if not pids:
        return
    for pid in pids:
        try:
            os.kill(int(pid), signal.SIGCONT)
        except OSError:  # it was killed
            pass
    open(place(STEPPED_BACK), "w").close()
    log("woke {} processes".format(len(pids)))


def call_forward():
    """Every process group of the kernel's that settle made wait for whoever logs in first."""
    if not os.path.exists(place(STEPPED_BACK)):
        return
    wake()
    called = 0
    for pid in os.listdir(place("/proc")):
        group = "/proc/{}/autogroup".format(pid)
        try:
            if pid.isdigit() and content(group).endswith(" nice 19\n"):
                with open(place(group), "w") as file:
                    file.write("0")
                called += 1
        except OSError:  # it has ended
            pass
    log("called {} groups of processes forward".format(called))
    try:
        os.unlink(place(STEPPED_BACK))
    except OSError:
        pass
