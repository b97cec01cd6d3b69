"""Leads from a container's id to a listener in it: shows the tools there, starts the listener as the container's user,
and takes its channel. Run by landd, one at a time, whenever no listener is there.

The container is not trusted. Its init is held by a pidfd while it is entered, so a process id that is used again can't
lead elsewhere; the channel is taken only from the process that the engine says it started.
"""

import os
import shutil
import socket
import struct
import subprocess
import time

import landing_engine as engine
import landing_relays as relays
import landing_target as target
from landing_target import RUN, Failed

LIB = os.environ.get("GUESTHOUSE_LANDING_LIB", os.path.dirname(os.path.realpath(__file__)))
SHOWN = os.path.join(RUN, "shown")
PLACE = "/dev/.guesthouse"
LISTENER_TAKES = 45  # seconds, in an emulated guest and then some
SHOWING_TAKES = 20
DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def prepare():
    """(what to tell, the channel to the listener)"""
    wanted = target.load()
    if wanted is None:
        raise Failed("This VM has no dev container to connect to yet.")
    began = time.monotonic()
    about = running(wanted["container"])
    init = open_init(about)
    try:
        folder = write_folder(wanted, about)
        shown = time.monotonic()
        show(init, os.path.dirname(folder))
        started = time.monotonic()
        channel, pid = listener(wanted, about["Id"], folder)
    finally:
        os.close(init)
    relays.open_all(wanted["relays"])
    told = {
        "ok": True,
        "container": about["Id"],
        "user": wanted["user"],
        "uid": wanted["uid"],
        "pid": pid,
        "milliseconds": {
            "look up": round((shown - began) * 1000),
            "show": round((started - shown) * 1000),
            "listen": round((time.monotonic() - started) * 1000),
        },
    }
    return told, channel


def running(container):
    about = engine.inspect(container)
    state = about.get("State") or {}
    if state.get("Paused"):
        raise Failed("The dev container is paused.")
    if not state.get("Running") or not state.get("Pid"):
        raise Failed("The dev container isn't running (%s)." % state.get("Status", "unknown"))
    return about


def open_init(about):
    """A pidfd of the container's first process: it was that one before and after it was opened."""
    pid = about["State"]["Pid"]
    try:
        init = os.pidfd_open(pid)
    except OSError:
        raise Failed("The dev container ended while it was connected to.")
    again = engine.inspect(about["Id"])["State"]
    if not again.get("Running") or again.get("Pid") != pid or again.get("StartedAt") != about["State"]["StartedAt"]:
        os.close(init)
        raise Failed("The dev container was restarted while it was connected to.")
    return init


def in_vm(pid, kind, number):
    """The VM's number for a user or group of the container, which may have a user namespace."""
    with open("/proc/%d/%s_map" % (pid, kind)) as file:
        for line in file:
            inside, outside, count = map(int, line.split())
            if inside <= number < inside + count:
                return outside + number - inside
    raise Failed("The dev container's user namespace has no %s %d." % (kind, number))


def write_folder(wanted, about):
    """The user's folder: readable by that user, and shown to its container only."""
    uid = in_vm(about["State"]["Pid"], "uid", wanted["uid"])
    short = about["Id"][:16]  # the path of a socket has 107 bytes at most
    home = os.path.join(SHOWN, short)
    folder = os.path.join(home, str(wanted["uid"]))
    os.makedirs(folder, 0o700, exist_ok=True)
    os.chmod(home, 0o711)
    keep_only(SHOWN, short, "agent.sock")
    keep_only(home, str(wanted["uid"]))
    put(folder, "settings", entries(settings(wanted)))
    put(folder, "environment", entries(environment(wanted, about)))
    put(folder, "authorized_keys", target.read("authorized_keys") or b"")
    put(folder, "host_key.pub", target.read("host_key.pub") or b"")
    hold_host_key()
    link = os.path.join(folder, "agent.sock")
    if os.path.lexists(link):
        os.unlink(link)
    os.link(os.path.join(SHOWN, "agent.sock"), link)
    for name in os.listdir(folder):
        if name != "agent.sock":
            os.chown(os.path.join(folder, name), uid, 0)
    os.chown(folder, uid, 0)
    os.chmod(folder, 0o500)
    return folder


def keep_only(folder, *names):
    """Other containers and users lose what an earlier target showed them."""
    for other in os.listdir(folder):
        if other not in names:
            shutil.rmtree(os.path.join(folder, other), ignore_errors=True)


def settings(wanted):
    return {
        "GUESTHOUSE_USER": wanted["user"],
        "GUESTHOUSE_SHELL": wanted["shell"],
        "GUESTHOUSE_WORKSPACE": wanted["workspaceFolder"],
        "USER": wanted["user"],
        "HOME": wanted["home"],
        "PATH": "/usr/bin:/bin",
        # The container's own settings of OpenSSL aren't meant for our copy.
        "OPENSSL_CONF": "/dev/null",
    }


# What the SSH server sets by the user; the container's values are those of its first process.
OF_THE_USER = ("HOME", "USER", "LOGNAME", "SHELL")


def environment(wanted, about):
    config = about.get("Config") or {}
    own = dict(
        entry.split("=", 1)
        for entry in [DEFAULT_PATH, "HOSTNAME=%s" % config.get("Hostname", "")] + (config.get("Env") or [])
        if "=" in entry
    )
    for name in OF_THE_USER:
        own.pop(name, None)
    own.update(wanted["environment"])
    return own


def entries(values):
    return b"".join(b"%s=%s\0" % (name.encode(), value.encode()) for name, value in values.items())


def put(folder, name, content):
    new = os.path.join(folder, name + ".new")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o400), "wb") as file:
            file.write(content)
    except OSError as error:
        raise Failed("Couldn't write the dev container's settings (%s); is its environment too large?" % error)
    os.replace(new, os.path.join(folder, name))


def hold_host_key():
    """Gives the agent the host key, and only that one."""
    public = (target.public_host_key() or "").split()[:2]
    environment = {"SSH_AUTH_SOCK": os.path.join(RUN, "keys.sock"), "PATH": "/usr/bin:/bin"}

    def add(*words):
        return subprocess.run(
            ["/usr/bin/ssh-add", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=30,
        )

    # landd may have started the agent and the gate only now.
    for _ in range(100):
        held = add("-L")
        if held.returncode != 2 and os.path.exists(os.path.join(SHOWN, "agent.sock")):
            break
        time.sleep(0.05)
    if held.returncode == 0 and [line.split()[:2] for line in held.stdout.decode().splitlines()] == [public]:
        return
    add("-q", "-D")
    added = add("-q", target.path("host_key"))
    if added.returncode != 0:
        raise Failed("The landing's host key can't be used (%s)." % added.stderr.decode().strip()[:200])


def show(init, shown):
    """Both folders in the container, read-only; nothing to do when they are there."""
    tools = os.path.join(LIB, "tools")
    if not os.path.isdir(tools):
        raise Failed("The VM's image has no tools for the landing (%s)." % tools)
    try:
        done = subprocess.run(
            [os.path.join(LIB, "show"), str(init), tools, shown],
            pass_fds=[init],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=SHOWING_TAKES,
        )
    except subprocess.TimeoutExpired:
        raise Failed("Showing the SSH server in the dev container took too long.")
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip()[:300]
        raise Failed("Couldn't show the SSH server in the dev container (%s)." % words)


def listener(wanted, container, folder):
    """The channel to a new listener, and its process id in the VM."""
    path = os.path.join(folder, "landd.sock")
    uid = os.stat(folder).st_uid
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        if os.path.lexists(path):
            os.unlink(path)
        door.bind(path)
        try:
            os.chown(path, uid, 0)
            os.chmod(path, 0o600)
            door.listen(16)
            own = "%s/run/%d" % (PLACE, wanted["uid"])
            started = engine.start_in(container, str(wanted["uid"]), [PLACE + "/bin/listen", own])
            return await_listener(door, started)
        finally:
            os.unlink(path)


def await_listener(door, started):
    """Only the process that the engine started is let in; others of the container are turned away."""
    deadline = time.monotonic() + LISTENER_TAKES
    door.settimeout(0.5)
    while time.monotonic() < deadline:
        try:
            channel, _ = door.accept()
        except socket.timeout:
            channel = None
        alive, pid, code = engine.execution(started)
        if channel is not None:
            if alive and pid > 0 and peer(channel) == pid:
                channel.setblocking(False)
                return channel, pid
            channel.close()
        if not alive and pid > 0:
            raise Failed("The SSH listener ended in the dev container (code %s)." % code)
    raise Failed("The SSH listener in the dev container didn't answer in time.")


def peer(channel):
    told = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", told)[0]
