"""The host key, and how sshd comes to it. Python 3.6 or newer."""

import os
import signal
import stat
import time

import files
from files import content, place, replace

LANDING = "/var/lib/guesthouse/landing/target.json"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"


def set_host_key(value):
    """Applies the message's `hostKey`."""
    folder = place("/etc/ssh")
    old = sorted(name for name in os.listdir(folder) if name.startswith("ssh_host_"))
    like = "/etc/ssh/" + old[0] if old else None
    waiting = waiting_for_key()
    try:
        replace(HOST_KEY, value["private"], 0o600, (0, 0), like)
        replace(HOST_KEY + ".pub", value["public"].rstrip("\n") + "\n", 0o644, (0, 0), like)
        for name in old:
            if name not in ("ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"):
                os.unlink(os.path.join(folder, name))
        restart_landing()
        if waiting is not None:
            return hand_to_sshd(waiting, value["private"])
    finally:
        if waiting is not None:
            os.close(waiting)
    return None if files.root else reload_sshd()


def restart_landing():
    """Connections into a dev container are answered with the VM's key; their server reads it at its start."""
    if files.root or not os.path.exists(LANDING):
        return
    import subprocess  # not before: it takes long to load

    subprocess.Popen(
        ["systemctl", "--no-block", "try-restart", "guesthouse-landing.service"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def waiting_for_key():
    """The end to write to of the FIFO from which a template's sshd reads its host key (settle)."""
    try:
        if stat.S_ISFIFO(os.stat(place(HOST_KEY)).st_mode):
            return os.open(place(HOST_KEY), os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # no file; or nobody waits there any more
        pass
    return None


def hand_to_sshd(fifo, key):
    """It opens the file once more for the public half: by then it is the file."""
    global old_sockets
    os.write(fifo, key.encode())
    if not files.root:
        old_sockets = set()
    return "given to sshd"


old_sockets = None  # of an sshd that has its new host key and doesn't listen again yet


def reload_sshd():
    """sshd reads its host keys again for each connection, where the part that serves one is a fresh sshd. One that serves
    them itself (-r), and any from OpenSSH 9.8 on, reads them at its start. The start goes on beside the next parts."""
    global old_sockets
    pid = listener()
    if pid is None:
        return "no sshd runs"
    if not keeps_host_keys(pid):
        return None
    before = listening()
    os.kill(pid, signal.SIGHUP)
    if b"LISTEN_FDS=" not in environment(pid):  # else it keeps the socket that it was started with
        old_sockets = before
    return "reloads sshd"


def keeps_host_keys(pid):
    folders = ("/usr/lib/openssh", "/usr/lib/ssh", "/usr/libexec/openssh", "/usr/libexec", "/usr/libexec/ssh")
    if any(os.path.exists(folder + "/sshd-session") for folder in folders):
        return True
    # Its title, which it makes of its arguments.
    return " -r " in content("/proc/{}/cmdline".format(pid)).replace("\0", " ")


SSHD_SECONDS = 8  # it takes one or two emulated, and a multiple of that on a busy host


def await_sshd():
    """Nobody is told of the machine before it answers, and with its own key. Where that takes longer than an answer may,
    this is False, and the host goes on to watch for it."""
    global old_sockets
    before, old_sockets = old_sockets, None
    deadline = time.monotonic() + SSHD_SECONDS
    while time.monotonic() < deadline:
        now = listening()
        if now and not now & before:
            return True
        time.sleep(0.01)
    return False


def environment(pid):
    try:
        with open("/proc/{}/environ".format(pid), "rb") as file:
            return b"\0" + file.read()
    except OSError:
        return b""


def listener():
    def is_sshd(pid):
        return content("/proc/{}/comm".format(pid)).strip() == "sshd"

    written = content("/run/sshd.pid").strip()
    if written.isdigit() and is_sshd(written):
        return int(written)
    for pid in os.listdir("/proc"):
        if pid.isdigit() and is_sshd(pid) and "\nPPid:\t1\n" in content("/proc/{}/status".format(pid)):
            return int(pid)
    return None


def listening():
    """The sockets (by inode) that wait for connections on port 22."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        lines = [line.split() for line in content(table).splitlines() if ":0016 " in line]
        found = {fields[9] for fields in lines if fields[3] == "0A" and fields[1].endswith(":0016")}
        if found:
            return found
    return set()
