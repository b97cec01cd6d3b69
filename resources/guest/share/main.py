"""The guest's half of a shared folder: a file system (FUSE, spoken with the kernel directly) whose files are on the host.

The helper sends these files over SSH, run by root with the standard library only; then the same connection carries
frames, requests from here and answers and notices from there. Mounts the folder and leaves a process that serves it; where
one serves it already, that one gets this connection. Ends when the connection does.
See docs/decisions/0014-shared-folders.md.
"""
import os
import signal
import socket

from share.events import Events
from share.filesystem import FileSystem
from share.kernel import Kernel
from share.loop import TAKE_SECONDS, Loop
from share.mount import device_of, mount, mounted, teach_git, unmount

STDIN, STDOUT, STDERR = 0, 1, 2
WAITING_CONNECTIONS = 4


def main(settings):
    target, folder = settings["target"], settings["state"]
    if settings.get("unmount"):
        return unmount(target)
    os.makedirs(folder, 0o700, exist_ok=True)
    path = os.path.join(folder, settings["key"])
    life, held = os.pipe()
    if mounted(target):
        # Who waits there keeps the files open that programs have open, so they continue.
        if hand_over(path, settings["readonly"], held):
            return wait(life, held)
        unmount(target)
    kernel = Kernel(mount(target))
    teach_git()
    listener = listen(path)
    if os.fork() != 0:
        return wait(life, held)
    ends = detach(path, held)
    os.close(life)
    os.close(held)
    share = FileSystem(kernel, settings["uid"], settings["gid"], settings["readonly"])
    share.host.connect(*ends)
    events = Events(share, target, device_of(target))
    events.start()
    Loop(share, events, listener).run()
    os.unlink(path)
    os._exit(0)


def hand_over(path, readonly, held):
    """Gives this connection to the process that serves the mount; False: there is none."""
    try:
        with socket.socket(socket.AF_UNIX) as daemon:
            daemon.settimeout(TAKE_SECONDS)
            daemon.connect(path)
            socket.send_fds(daemon, [b"r" if readonly else b"w"], [STDIN, STDOUT, held])
    except OSError:
        return False
    return True


def listen(path):
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(WAITING_CONNECTIONS)
    return listener


def detach(path, held):
    """Leaves the SSH session and keeps the ends of the connection, with that of the pipe that keeps the session alive."""
    os.setsid()
    os.chdir("/")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    null = os.open("/dev/null", os.O_RDWR)
    ends = os.dup(STDIN), os.dup(STDOUT), os.dup(held)
    for fd in (STDIN, STDOUT):
        os.dup2(null, fd)
    os.dup2(os.open(path + ".log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), STDERR)
    return ends


def wait(life, held):
    """The SSH session lives as long as this process; the other one says when by closing its end."""
    os.close(held)
    os.read(life, 1)
