"""The network card: which one it is, its address and its MAC address, without starting a program. Used by `handoff`
and `heal.py`. Python 3.6 or newer."""

import errno
import fcntl
import os
import socket
import struct


def content(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def network_card():
    """The first Ethernet card that is a device, not a bridge or a tunnel."""
    for index, name in sorted(socket.if_nameindex()):
        folder = "/sys/class/net/" + name
        if content(folder + "/type").strip() == "1" and os.path.exists(folder + "/device"):
            return name, index
    raise LookupError("there is no network card")


def master_of(name):
    """The bridge or bond that the card is a port of, which then has its address; or None."""
    try:
        return os.path.basename(os.readlink("/sys/class/net/" + name + "/master"))
    except OSError:
        return None


def addressed(name):
    """Who has the card's address: itself, or the bridge (of a bond) that it is a port of. Name and index."""
    while True:
        master = master_of(name)
        if master is None:
            return name, socket.if_nametoindex(name)
        name = master


SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
SIOCGIFADDR, SIOCSIFHWADDR, SIOCGIFHWADDR = 0x8915, 0x8924, 0x8927
IFF_UP, IFF_RUNNING = 0x1, 0x40
ETHERNET = 1


def card_flags(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        answer = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("=16sH14x", name.encode(), 0))
    return struct.unpack("=16sH14x", answer)[1]


def set_card_flags(name, flags):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("=16sH14x", name.encode(), flags))


def mac_address(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        return fcntl.ioctl(control, SIOCGIFHWADDR, struct.pack("=16s16x", name.encode()))[18:24]


def own_address(name):
    """Its IPv4 address, four bytes. Raises OSError while it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        return fcntl.ioctl(control, SIOCGIFADDR, struct.pack("=16s16x", name.encode()))[20:24]


def set_mac(name, mac):
    if len(mac) != 6:
        raise ValueError("a MAC address has six bytes")
    card = name.encode()
    request = struct.pack("=16sH6s8x", card, ETHERNET, mac)
    if mac_address(name) == mac:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        try:
            fcntl.ioctl(control, SIOCSIFHWADDR, request)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            # Not every driver takes it while the card is up.
            flags = card_flags(name)
            set_card_flags(name, flags & ~IFF_UP)
            try:
                fcntl.ioctl(control, SIOCSIFHWADDR, request)
            finally:
                set_card_flags(name, flags)


# rtnetlink(7), linux/rtnetlink.h
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR, RTM_NEWROUTE = 20, 21, 22, 24
NLM_REQUEST, NLM_ACK, NLM_DUMP, NLM_CREATE, NLM_REPLACE = 0x1, 0x4, 0x300, 0x400, 0x100
NLMSG_ERROR, NLMSG_DONE = 2, 3
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST = 1, 2, 4
RTA_OIF, RTA_GATEWAY, RTA_PREFSRC = 4, 5, 7
MAIN_TABLE, BY_ADMINISTRATOR, EVERYWHERE, UNICAST = 254, 4, 0, 1


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data  # all of ours are four bytes long


def netlink(kernel, kind, flags, body):
    """Sends one request; answers with the bodies of a dump, or nothing."""
    kernel.send(struct.pack("=IHHII", 16 + len(body), kind, flags | NLM_REQUEST, 1, 0) + body)
    bodies = []
    while True:
        data = kernel.recv(65536)
        while data:
            length, answer = struct.unpack_from("=IH", data)
            body, data = data[16:length], data[(length + 3) & ~3:]
            if answer == NLMSG_DONE:
                return bodies
            if answer == NLMSG_ERROR:
                code = -struct.unpack_from("=i", body)[0]
                if code:
                    raise OSError(code, os.strerror(code))
                return bodies
            bodies.append(body)


def set_address(index, address, gateway):
    """Makes it the card's only IPv4 address. Whoever configures the network (networkd notices the new MAC address and
    asks for a lease again) gets the same one from the host and adds nothing to it."""
    host, _, bits = address.partition("/")
    own, length = socket.inet_aton(host), int(bits or "24")
    mask = ~((1 << (32 - length)) - 1) & 0xFFFFFFFF
    broadcast = struct.pack("!I", struct.unpack("!I", own)[0] | (~mask & 0xFFFFFFFF))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.bind((0, 0))
        there = False
        for body in netlink(kernel, RTM_GETADDR, NLM_DUMP, struct.pack("=BBBBi", socket.AF_INET, 0, 0, 0, 0)):
            card = struct.unpack_from("=BBBBi", body)
            local = local_address(body)
            if card[4] != index or local is None:
                continue
            if local == own and card[1] == length:
                there = True
                continue
            # First the old ones: a second address in the same network goes with the first.
            request = struct.pack("=BBBBi", socket.AF_INET, card[1], 0, 0, index) + attribute(IFA_LOCAL, local)
            try:
                netlink(kernel, RTM_DELADDR, NLM_ACK, request)
            except OSError as error:
                # networkd has noticed the new MAC address and was quicker.
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
        if not there:
            request = struct.pack("=BBBBi", socket.AF_INET, length, 0, EVERYWHERE, index)
            request += attribute(IFA_LOCAL, own) + attribute(IFA_ADDRESS, own) + attribute(IFA_BROADCAST, broadcast)
            netlink(kernel, RTM_NEWADDR, NLM_ACK | NLM_CREATE | NLM_REPLACE, request)
        if gateway:
            request = struct.pack(
                "=BBBBBBBBI", socket.AF_INET, 0, 0, 0, MAIN_TABLE, BY_ADMINISTRATOR, EVERYWHERE, UNICAST, 0
            )
            request += attribute(RTA_GATEWAY, socket.inet_aton(gateway)) + attribute(RTA_OIF, struct.pack("=i", index))
            request += attribute(RTA_PREFSRC, own)
            netlink(kernel, RTM_NEWROUTE, NLM_ACK | NLM_CREATE | NLM_REPLACE, request)


def local_address(body):
    at = 8
    while at + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, at)
        if kind == IFA_LOCAL:
            return body[at + 4:at + length]
        at += (max(length, 4) + 3) & ~3
    return None
