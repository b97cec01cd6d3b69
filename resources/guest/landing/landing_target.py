"""The landing's settings: what the host says, checked, and the files that keep it.

The host sends one JSON object:
  container    id of the dev container, or its name
  user, uid, gid, home, shell    its user; numbers as in the container
  workspaceFolder                where shells and commands start, may be ""
  environment                    {name: text}, on top of the container's own
  relays                         [{"listen": port of the VM, "host": as the container knows it, "port"}, ...]; left out: none
  authorizedKeys                 ["ssh-ed25519 ...", ...], who may log in; left out: who may log in to the VM as the user
                                 that calls this by sudo
  hostKey                        {"private": OpenSSH text, "public": a line}; left out: the VM's own, also when that changes
STATE has target.json (all but the keys), authorized_keys, host_key and host_key.pub, for root only.
"""

import json
import os
import pwd
import re
import subprocess

STATE = os.environ.get("GUESTHOUSE_LANDING_STATE", "/var/lib/guesthouse/landing")
RUN = os.environ.get("GUESTHOUSE_LANDING_RUN", "/run/guesthouse/landing")
VM_HOST_KEY = os.environ.get("GUESTHOUSE_LANDING_HOST_KEY", "/etc/ssh/ssh_host_ed25519_key")
MAX_BYTES = 1 << 20
MAX_KEYS = 64
MAX_RELAYS = 64

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")
USER = re.compile(r"[^\s:/\0-\x1f][^:/\0-\x1f]{0,255}\Z")
VARIABLE = re.compile(r"[^=\0]+\Z")
HOST = re.compile(r"[A-Za-z0-9_.:-]{1,255}\Z")
KEY = re.compile(r"(ssh|ecdsa|sk-ssh|sk-ecdsa)-[\x20-\x7e]+\Z")


class Failed(Exception):
    """A sentence for people: what happened, and what to do."""


def is_path(value):
    return isinstance(value, str) and value.startswith("/") and "\0" not in value and len(value) < 4096


def is_text(value):
    return isinstance(value, str) and "\0" not in value


def is_id(value):
    return type(value) is int and 0 <= value < 2**32 - 1


def is_environment(value):
    return isinstance(value, dict) and all(VARIABLE.match(k) and is_text(v) for k, v in value.items())


def is_keys(value):
    return isinstance(value, list) and 0 < len(value) <= MAX_KEYS and all(map(is_key, value))


def is_key(value):
    return isinstance(value, str) and KEY.match(value) is not None


def is_port(value):
    return type(value) is int and 0 < value < 65536


def is_relay(value):
    return (
        isinstance(value, dict)
        and is_port(value.get("listen"))
        and is_port(value.get("port"))
        and isinstance(value.get("host"), str)
        and HOST.match(value["host"]) is not None
    )


def is_relays(value):
    return isinstance(value, list) and len(value) <= MAX_RELAYS and all(map(is_relay, value))


FIELDS = {
    "container": lambda value: isinstance(value, str) and NAME.match(value) is not None,
    "user": lambda value: isinstance(value, str) and USER.match(value) is not None,
    "uid": is_id,
    "gid": is_id,
    "home": is_path,
    "shell": lambda value: value == "" or is_path(value),
    "workspaceFolder": lambda value: value == "" or is_path(value),
    "environment": is_environment,
    "relays": is_relays,
}


def parse(text):
    if len(text) > MAX_BYTES:
        raise Failed("The landing's target is too large: at most %d bytes." % MAX_BYTES)
    try:
        value = json.loads(text.decode())
    except ValueError:
        raise Failed("The landing's target isn't valid JSON.")
    if not isinstance(value, dict):
        raise Failed("The landing's target isn't a JSON object.")
    value.setdefault("relays", [])
    for name, fits in FIELDS.items():
        if name not in value or not fits(value[name]):
            raise Failed("The landing's target has no valid “%s”." % name)
    return value


def path(name):
    return os.path.join(STATE, name)


def write(name, text):
    """Replaces a file as a whole: a reader sees the old or the new one, also after a power cut."""
    new = path(name) + ".new"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path(name))


def read(name):
    try:
        with open(path(name), "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None


def store(text):
    """Keeps what the host sent; the public host key."""
    value = parse(text)
    keys = value.pop("authorizedKeys", None)
    host_key = value.pop("hostKey", None)
    os.makedirs(STATE, 0o700, exist_ok=True)
    if keys is not None:
        if not is_keys(keys):
            raise Failed("The landing's target has no valid “authorizedKeys”.")
        write("authorized_keys", "".join(key + "\n" for key in keys))
    elif not take_callers_keys() and read("authorized_keys") is None:
        raise Failed("The landing's target has no “authorizedKeys”, and none were set before.")
    store_host_key(host_key)
    write("target.json", json.dumps({name: value[name] for name in FIELDS}))
    return public_host_key()


def take_callers_keys():
    """Those who may log in to the VM may log in to its container. False when nobody called by sudo, or has keys."""
    try:
        home = pwd.getpwnam(os.environ.get("SUDO_USER", "")).pw_dir
        with open(os.path.join(home, ".ssh", "authorized_keys")) as file:
            lines = [line.strip() for line in file.read(MAX_BYTES).splitlines()]
    except (KeyError, OSError, UnicodeDecodeError):
        return False
    keys = [line for line in lines if is_key(line)][:MAX_KEYS]
    if keys:
        write("authorized_keys", "".join(key + "\n" for key in keys))
    return bool(keys)


def store_host_key(key):
    if key is not None:
        if not (isinstance(key, dict) and is_text(key.get("private")) and is_key(key.get("public"))):
            raise Failed("The landing's target has no valid “hostKey”.")
        # The public half first: prepare compares it with what the agent holds.
        write("host_key.pub", key["public"] + "\n")
        write("host_key", key["private"])
    elif os.path.exists(VM_HOST_KEY) and os.path.exists(VM_HOST_KEY + ".pub"):
        # Links: a fork or a clone has a key of its own by the time that it's read again.
        for name, own in (("host_key", VM_HOST_KEY), ("host_key.pub", VM_HOST_KEY + ".pub")):
            new = path(name) + ".new"
            if os.path.lexists(new):
                os.unlink(new)
            os.symlink(own, new)
            os.replace(new, path(name))
    elif read("host_key") is None or read("host_key.pub") is None:
        new = path("made_key")
        for name in (new, new + ".pub"):
            if os.path.lexists(name):
                os.unlink(name)
        made = subprocess.run(
            ["/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "landing", "-f", new],
            stdin=subprocess.DEVNULL,
        )
        if made.returncode != 0:
            raise Failed("Couldn't make a host key. Is openssh-client installed in the VM?")
        os.replace(new + ".pub", path("host_key.pub"))
        os.replace(new, path("host_key"))


def public_host_key():
    text = read("host_key.pub")
    return text.decode().strip() if text else None


def load():
    """What was stored, or None."""
    text = read("target.json")
    return None if text is None else parse(text)


def forget():
    for name in ("target.json", "authorized_keys", "host_key", "host_key.pub"):
        try:
            os.unlink(path(name))
        except FileNotFoundError:
            pass
