"""What a machine is told of itself: one function here applies each part of a message. It gets the part's value, and returns
what is worth a word in the log. Python 3.6 or newer."""

import binascii
import errno
import fcntl
import os
import socket
import struct
import time

import files
import network
from files import content, place, replace
from sshd import set_host_key

def set_clock(value):
    seconds = int(value) / 1e9
    step = seconds - time.time()
    if not files.root:
        time.clock_settime(time.CLOCK_REALTIME, seconds)
    return "stepped by {:+.3f} s".format(step)


ADD_ENTROPY = 0x40085203  # RNDADDENTROPY, linux/random.h
RESEED = 0x5207  # RNDRESEEDCRNG, since Linux 4.14


def add_entropy(value):
    seed = binascii.a2b_base64(value)
    if not 0 < len(seed) <= 512:
        raise ValueError("wants 1 to 512 bytes")
    if files.root:
        return
    device = os.open("/dev/urandom", os.O_RDONLY)
    try:
        fcntl.ioctl(device, ADD_ENTROPY, struct.pack("=ii", len(seed) * 8, len(seed)) + seed)
        try:
            fcntl.ioctl(device, RESEED)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTTY):
                raise
    finally:
        os.close(device)


def set_network(value):
    if files.root:
        return None
    name, _ = network.network_card()
    if value.get("mac"):
        network.set_mac(name, bytes(int(part, 16) for part in value["mac"].split(":")))
    if value.get("address"):
        _, index = network.addressed(name)
        network.set_address(index, value["address"], value.get("gateway"))
    return name


def set_hostname(value):
    if len(value) > 64 or not value.encode("ascii").replace(b"-", b"").replace(b".", b"").isalnum():
        raise ValueError("is not a host name")
    old = content("/etc/hostname").strip() if files.root else socket.gethostname()
    if not files.root:
        socket.sethostname(value)
    replace("/etc/hostname", value + "\n")
    # A name that is missing here makes sudo wait for a name server.
    lines, found = [], False
    for line in content("/etc/hosts").splitlines():
        fields = line.split("#")[0].split()
        if fields[:1] == ["127.0.1.1"]:
            line = "127.0.1.1\t" + value
            if found:
                continue
            found = True
        elif old in fields[1:] and old != "localhost":
            names = [value if name == old else name for name in fields[1:]]
            line = fields[0] + "\t" + " ".join(names)
            found = found or fields[0].startswith("127.")
        lines.append(line)
    if not found:
        lines.insert(0, "127.0.1.1\t" + value)
    replace("/etc/hosts", "\n".join(lines) + "\n")


def set_machine_id(value):
    if len(value) != 32 or value.strip("0123456789abcdef"):
        raise ValueError("wants 32 hexadecimal digits")
    old = content("/etc/machine-id").strip()
    replace("/etc/machine-id", value + "\n")
    # journald writes on where it began, and journalctl looks where the id says.
    for journals in ("/run/log/journal/", "/var/log/journal/"):
        if old and os.path.isdir(place(journals + old)) and not os.path.lexists(place(journals + value)):
            os.symlink(old, place(journals + value))
    bus = "/var/lib/dbus/machine-id"
    if os.path.isfile(place(bus)) and not os.path.islink(place(bus)):
        replace(bus, value + "\n")


def set_user(value):
    for line in content("/etc/passwd").splitlines():
        fields = line.split(":")
        if fields[0] == value["name"] and len(fields) > 5:
            break
    else:
        raise LookupError("there is no user " + value["name"])
    owner, folder = (int(fields[2]), int(fields[3])), fields[5] + "/.ssh"
    try:
        os.mkdir(place(folder), 0o700)
        if os.geteuid() == 0:
            os.chown(place(folder), *owner)
    except FileExistsError:
        pass
    keys = "".join(key.rstrip("\n") + "\n" for key in value["authorizedKeys"])
    replace(folder + "/authorized_keys", keys, 0o600, owner)


PROXY_MARK = "# Proxy of the host, by Guesthouse"
APT_PROXY = "/etc/apt/apt.conf.d/95guesthouse-proxy"


def set_proxy(value):
    """As cloud-init wrote it from the seed (src/helper/guests/seed/seed.ts); an empty object removes it."""
    settings = (("http_proxy", value.get("http")), ("https_proxy", value.get("https")), ("no_proxy", value.get("noProxy")))
    given = [(name, text) for name, text in settings if text]
    if any(set(text) & set('"\\\n') for _, text in given):
        raise ValueError("holds a character that can't be written")
    lines, ours = [], False
    for line in content("/etc/environment").splitlines():
        name = line.split("=")[0].lower()
        ours = line == PROXY_MARK or (ours and name in ("http_proxy", "https_proxy", "no_proxy"))
        if not ours:
            lines.append(line)
    if given:
        lines.append(PROXY_MARK)
    for name, text in given:
        lines += ['{}="{}"'.format(name, text), '{}="{}"'.format(name.upper(), text)]
    replace("/etc/environment", "".join(line + "\n" for line in lines))
    if os.path.isdir(place("/etc/apt/apt.conf.d")):
        apt = [(name.split("_")[0], text) for name, text in given if name != "no_proxy"]
        if apt:
            replace(APT_PROXY, "".join('Acquire::{}::Proxy "{}";\n'.format(*one) for one in apt))
        elif os.path.exists(place(APT_PROXY)):
            os.unlink(place(APT_PROXY))


# In this order: time first, as the other parts' files are dated by it. The network last: nobody reaches the machine at
# its own address before it has its own host key, and what the change sets off (a lease, lookups) holds up no other part.
PARTS = (
    ("timeNs", set_clock),
    ("entropy", add_entropy),
    ("hostKey", set_host_key),
    ("hostname", set_hostname),
    ("machineId", set_machine_id),
    ("user", set_user),
    ("proxy", set_proxy),
    ("network", set_network),
)
