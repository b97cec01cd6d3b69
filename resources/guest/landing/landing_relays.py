"""Ports of the VM that lead into its dev container, or to a service that the container knows by name.

landd has no network of its own choosing, so the sockets are made here, in the VM's network, and handed to it.
"""

import os
import socket

from landing_target import RUN


def open_all(relays):
    """Replaces all that there were. A port that somebody has is left to them: a container that publishes it."""
    tell(b"norelays\n")
    if not relays:
        return
    enter_vm_network()
    for relay in relays:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("0.0.0.0", relay["listen"]))
            except OSError:
                continue
            listener.listen(64)
            tell(("relay %s %d\n" % (relay["host"], relay["port"])).encode(), listener)


def enter_vm_network():
    """That of the VM's first process; landd, whose child this is, has an empty one."""
    network = os.open(os.environ.get("GUESTHOUSE_LANDING_NETWORK", "/proc/1/ns/net"), os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not hasattr(os, "setns"):  # before Python 3.12
            import ctypes

            if ctypes.CDLL(None, use_errno=True).setns(network, 0x40000000) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            return
        os.setns(network, os.CLONE_NEWNET)
    finally:
        os.close(network)


def tell(words, passed=None):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as landd:
        landd.settimeout(10)
        landd.connect(os.path.join(RUN, "control.sock"))
        if passed is None:
            landd.sendall(words)
        else:
            socket.send_fds(landd, [words], [passed.fileno()])
        landd.recv(4096)
