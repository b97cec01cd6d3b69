"""Brings a network card back that passes nothing any more. Copies of copies of a machine have been seen with a card
that is up, has its address, and never sends.

Asleep until the kernel tells of a change of cards or addresses: a resumed copy's own identity is one. Then it looks a few
times, further and further apart, and sleeps again. It judges by traffic and not by what the card says: a card whose
gateway answers is healthy and never touched, so that connections live on. Python 3.6 or newer."""

import os
import select
import socket
import struct
import time

from network import (
    IFF_RUNNING,
    IFF_UP,
    card_flags,
    content,
    mac_address,
    master_of,
    network_card,
    own_address,
    set_card_flags,
)

LOOKS = (3, 6, 12, 24, 48, 96)  # seconds after a change, each since the one before
SICK_TWICE = 4  # seconds until a sick card is looked at again, before anything is done to it
PAUSES = (8, 30, 120, 600)  # seconds after an attempt to heal, the last one for ever
ANSWER_WITHIN, QUESTIONS = 1, 3

RTMGRP_LINK, RTMGRP_IPV4_IFADDR = 0x1, 0x10
ARP, IPV4, REQUEST, REPLY = 0x0806, 0x0800, 1, 2


def watch(log, parent):
    """Never returns while `parent` lives."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.bind((0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR))
        kernel.setblocking(False)
        waits, sick, attempts = list(LOOKS), 0, 0
        known = set()
        while True:
            if not rest(kernel, waits.pop(0) if waits else None, ends_at_change=not sick):
                waits = list(LOOKS)
                continue
            if os.getppid() != parent:
                return
            trouble = judge(known)
            if trouble is None:
                if attempts:
                    log("the network card is well again")
                if sick:
                    waits = list(LOOKS)
                sick = attempts = 0
                continue
            sick += 1
            if sick == 1:
                waits = [SICK_TWICE]
                continue
            log("the network card {}: {}".format(trouble, mend(attempts)))
            waits = [PAUSES[min(attempts, len(PAUSES) - 1)]]
            attempts += 1


def rest(kernel, seconds, ends_at_change):
    """Sleeps; False when a change ended it. While a card is sick the changes are those that mending makes."""
    until = None if seconds is None else time.monotonic() + seconds
    while True:
        left = None if until is None else max(0, until - time.monotonic())
        if not select.select([kernel], [], [], left)[0]:
            return True
        try:
            while kernel.recv(65536):
                pass
        except OSError:
            pass  # nothing more; or the kernel dropped some, which tells as much
        if ends_at_change:
            return False


def judge(known):
    """What is wrong with the card, or None. `known` gets the gateways that have answered: one that never did may be of
    the kind that doesn't, and its silence says nothing."""
    try:
        name, _ = network_card()
        flags = card_flags(name)
    except (LookupError, OSError):
        return None
    if not flags & IFF_UP:
        return "is down"
    # Without a carrier it is the host that took the cable out.
    if not flags & IFF_RUNNING:
        return None
    # A bridge's port has no address: whoever made the bridge (LXC, libvirt) looks after it.
    if master_of(name) is not None:
        return None
    own, gateway = addresses(name)
    if gateway is None and leads_elsewhere(name):
        return None
    if own is None or gateway is None:
        # Before the first answer somebody still asks for a lease; later on a card that sends nothing gets none.
        return "has no way out" if known else None
    if answers(name, own, gateway):
        known.add(gateway)
        return None
    return "gets no answer from its gateway" if gateway in known else None


def default_routes():
    """Device, gateway and flags of each."""
    for line in content("/proc/net/route").splitlines()[1:]:
        fields = line.split()
        if fields[1] == fields[7] == "00000000":
            yield fields[0], struct.pack("=I", int(fields[2], 16)), int(fields[3], 16)


def leads_elsewhere(name):
    """A VPN may take over the way out; taking the card down would only cut its tunnel."""
    return any(device != name for device, _, _ in default_routes())


def addresses(name):
    gateway = None
    for device, router, flags in default_routes():
        if device == name and flags & 2:
            gateway = router
    try:
        return own_address(name), gateway
    except OSError:
        return None, gateway


def answers(name, own, gateway):
    """Asks the gateway for its MAC address (RFC 826)."""
    mac = mac_address(name)
    question = struct.pack("!6s6sHHHBBH6s4s6s4s", b"\xff" * 6, mac, ARP, 1, IPV4, 6, 4, REQUEST, mac, own, b"", gateway)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP)) as card:
        card.bind((name, ARP))
        for _ in range(QUESTIONS):
            try:
                card.send(question)
            except OSError:
                return False
            until = time.monotonic() + ANSWER_WITHIN
            while select.select([card], [], [], max(0, until - time.monotonic()))[0]:
                frame = card.recv(2048)
                if frame[20:22] == struct.pack("!H", REPLY) and frame[28:32] == gateway:
                    return True
    return False


def mend(attempts):
    """Down and up at first; when that did not help, the driver lets the card go and takes it again. Whoever configures
    the network notices either and asks for a lease."""
    try:
        name, _ = network_card()
        flags = card_flags(name)
        device = os.path.basename(os.path.realpath("/sys/class/net/{}/device".format(name)))
        driver = "/sys/class/net/{}/device/driver".format(name)
        if flags & IFF_UP and attempts > 0 and device.startswith("virtio") and os.path.exists(driver):
            driver = os.path.realpath(driver)
            for verb in ("unbind", "bind"):
                with open(driver + "/" + verb, "w") as file:
                    file.write(device)
            return "its driver took it anew"
        if flags & IFF_UP:
            set_card_flags(name, flags & ~IFF_UP)
        set_card_flags(name, flags | IFF_UP)
        return "taken down and up" if flags & IFF_UP else "taken up"
    except (LookupError, OSError) as error:
        return "can't be mended, {}".format(error)
