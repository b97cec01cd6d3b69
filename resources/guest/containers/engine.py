"""What the host asks of a VM's container engine, over its socket: the engine's own client costs a second more under
emulation. Sent by the host and run by `python3 -IS -c`, as the VM's user (src/helper/workspaces/container/engine.ts).

  list LINES             all containers, one JSON line; of those that don't run well the last lines of their logs, too
  start CONTAINER WHEN LINES [MOUNTED...]
                         starts the dev container (`-`: whichever it is) with its Compose project: `boot`, if the VM's last
                         shutdown ended it; `always`, also if it ended since. What runs and doesn't see the file systems at
                         MOUNTED, as the engine started it before them, is started again first. Prints {"startedAt"}, or {}
                         where it isn't there; with LINES other than `-` also "containers", as `list` prints them
  logs CONTAINER LINES once|follow   its log on both streams; ends when the input does, so that nothing stays behind

Fails with exit code 1 and a sentence on stderr.
"""

import calendar
import json
import os
import re
import select
import socket
import subprocess
import sys
import time

SOCKET = os.environ.get("GUESTHOUSE_ENGINE", "/run/docker.sock")
ANSWER_TAKES = 60  # seconds
MAX_ANSWER = 8 << 20
TAIL_BYTES = 16 << 10
PROJECT = "com.docker.compose.project"
DEPENDS_ON = "com.docker.compose.depends_on"
LABELS = (PROJECT, "com.docker.compose.service", "com.docker.compose.oneoff", "devcontainer.local_folder")


class Failed(Exception):
    pass


class NotFound(Failed):
    pass


def request(method, path):
    """A connection on which the engine has answered, and the answer's first line, header and what came of its body."""
    engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    engine.settimeout(ANSWER_TAKES)
    try:
        engine.connect(SOCKET)
        # HTTP/1.0: the answer comes in one piece and ends with the connection.
        engine.sendall(("%s %s HTTP/1.0\r\nHost: engine\r\nContent-Length: 0\r\n\r\n" % (method, path)).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            part = engine.recv(65536)
            if not part:
                raise Failed("the container engine answered something that isn't its API")
            answer += part
    except OSError as error:
        raise Failed("the container engine doesn't answer (%s)" % error)
    head, _, body = answer.partition(b"\r\n\r\n")
    return engine, int(head.split()[1]), head.lower(), body


def rest_of(engine, body, limit):
    while len(body) <= limit:
        part = engine.recv(65536)
        if not part:
            break
        body += part
    engine.close()
    return body[:limit]


def call(method, path):
    """The answer's JSON, None where it has none."""
    engine, code, _, body = request(method, path)
    body = rest_of(engine, body, MAX_ANSWER)
    value = json.loads(body.decode()) if body.strip() else None
    if code < 400:
        return value
    words = value.get("message") if isinstance(value, dict) else None
    raise (NotFound if code == 404 else Failed)(words or "the container engine answered with code %d" % code)


def frames(head, body, read):
    """(is it stderr, bytes) of a log; `read` gives what comes next, b"" at the end. A terminal's log has no frames.

    Engines before 23 don't say which it is; a frame begins with its stream's number and three zeros.
    """
    while len(body) < 4:
        part = read()
        if not part:
            break
        body += part
    if b"application/vnd.docker.raw-stream" in head or body[1:4] != b"\0\0\0":
        while body:
            yield False, body
            body = read()
        return
    while True:
        while len(body) < 8 or len(body) < 8 + int.from_bytes(body[4:8], "big"):
            part = read()
            if not part:
                return
            body += part
        end = 8 + int.from_bytes(body[4:8], "big")
        yield body[0] == 2, body[8:end]
        body = body[end:]


def log_path(container, lines, follow):
    return "/containers/%s/logs?stdout=1&stderr=1&tail=%s&follow=%d" % (container, lines, follow)


def tail(container, lines):
    try:
        engine, code, head, body = request("GET", log_path(container, lines, False))
        body = rest_of(engine, body, 1 << 20)
        if code >= 400:
            return []
        text = b"".join(part for _, part in frames(head, body, lambda: b""))
        return text[-TAIL_BYTES:].decode(errors="replace").splitlines()[-lines:]
    except (Failed, OSError, ValueError):
        return []


def runs_well(container):
    return container["State"] == "running" and "(unhealthy)" not in container["Status"]


def told(container, lines):
    labels = container.get("Labels") or {}
    about = {
        "id": container["Id"],
        "name": (container.get("Names") or [""])[0].lstrip("/"),
        "image": container.get("Image", ""),
        "state": container["State"],
        "status": container["Status"],
        "labels": {name: labels[name] for name in LABELS if name in labels},
    }
    if lines > 0 and not runs_well(container):
        about["tail"] = tail(container["Id"], lines)
    return about


def listed(lines):
    return [told(each, int(lines)) for each in call("GET", "/containers/json?all=1")]


def list_all(lines):
    print(json.dumps(listed(lines)))


def booted_at():
    with open("/proc/uptime") as file:
        return time.time() - float(file.read().split()[0])


def seconds_of(text):
    """2026-12-01T10:11:12.123456789Z; 0 for what never was."""
    found = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)", text or "")
    return calendar.timegm(time.strptime(found.group(1), "%Y-%m-%dT%H:%M:%S")) if found else 0


def has_ended(about):
    return about["State"]["Status"] in ("exited", "created")


def ended_before_boot(about):
    """A clock that was set meanwhile may be a little off; nobody stops a container within seconds of a boot."""
    state = about["State"]
    return state["Status"] == "exited" and 0 < seconds_of(state["FinishedAt"]) < booted_at() + 5


def dev_container():
    """The one that the reference implementation has labelled as such."""
    found = [each["Id"] for each in call("GET", "/containers/json?all=1") if LABELS[-1] in (each.get("Labels") or {})]
    if not found:
        raise NotFound("there is no dev container")
    return found[0]


def is_in(folder, path):
    return path == folder or path.startswith(folder + "/")


def mounted_at(pid, place):
    """The type of the file system that a process has at a place; None where that can't be read."""
    path = "/proc/%d/mountinfo" % pid
    command = ["cat", path] if os.geteuid() == 0 else ["sudo", "-n", "cat", path]
    text = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL).stdout
    kind = None
    for line in text.decode(errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        name = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), before.split()[4])
        if name == place:
            kind = after.split()[0]  # the last one lies on top
    return kind


def start_blind_again(mounted):
    for each in call("GET", "/containers/json"):
        binds = [bind for bind in each.get("Mounts") or [] if any(is_in(one, bind.get("Source") or "") for one in mounted)]
        if not binds:
            continue
        pid = call("GET", "/containers/%s/json" % each["Id"])["State"]["Pid"]
        kinds = [mounted_at(pid, bind["Destination"]) for bind in binds]
        if any(kind and not kind.startswith("fuse") for kind in kinds):
            call("POST", "/containers/%s/restart" % each["Id"])


def start(container, when, lines, *mounted):
    try:
        if mounted:
            start_blind_again(mounted)
    except Failed:
        pass  # the dev container matters more
    try:
        about = call("GET", "/containers/%s/json" % (dev_container() if container == "-" else container))
    except NotFound:
        print("{}")
        return
    is_wanted = ended_before_boot if when == "boot" else has_ended
    if is_wanted(about):
        for each in before(about):
            # What ended well and by itself has done its work, as a migration does.
            if is_wanted(each) and not (each["State"]["ExitCode"] == 0 and ended_early(each, about)):
                try:
                    call("POST", "/containers/%s/start" % each["Id"])
                except Failed:
                    pass  # it is told of where the services are
        call("POST", "/containers/%s/start" % about["Id"])
        about = call("GET", "/containers/%s/json" % about["Id"])
    state = about["State"]
    answer = {"startedAt": state["StartedAt"] if state["Running"] else ""}
    if lines != "-":
        answer["containers"] = listed(lines)
    print(json.dumps(answer))


def ended_early(each, about):
    """Long before the dev container, which ended with the VM."""
    return seconds_of(each["State"]["FinishedAt"]) < seconds_of(about["State"]["FinishedAt"]) - 60


def before(about):
    """The other containers of its Compose project, those first that others depend on."""
    project = (about["Config"].get("Labels") or {}).get(PROJECT)
    if not project:
        return []
    ids = [
        each["Id"]
        for each in call("GET", "/containers/json?all=1")
        if (each.get("Labels") or {}).get(PROJECT) == project
        and each["Labels"].get("com.docker.compose.oneoff") != "True"
        and each["Id"] != about["Id"]
    ]
    others = [call("GET", "/containers/%s/json" % each) for each in ids]
    labels = {each["Id"]: each["Config"].get("Labels") or {} for each in others}
    name = lambda each: labels[each["Id"]].get("com.docker.compose.service")
    needs = lambda each: {one.split(":")[0] for one in labels[each["Id"]].get(DEPENDS_ON, "").split(",")}
    ordered = []
    while others:
        left = {name(each) for each in others}
        ready = [each for each in others if not needs(each) & left] or others[:1]
        ordered += ready
        others = [each for each in others if each not in ready]
    return ordered


def logs(container, lines, how):
    engine, code, head, body = request("GET", log_path(container, lines, how == "follow"))
    if code >= 400:
        raise Failed(json.loads(rest_of(engine, body, MAX_ANSWER).decode()).get("message"))
    engine.settimeout(None)
    # Who follows holds the input open.
    listening = [engine, 0] if how == "follow" else [engine]

    def read():
        while True:
            ready = select.select(listening, [], [])[0]
            # Whoever asked is gone.
            if 0 in ready and not os.read(0, 4096):
                os._exit(0)
            if engine in ready:
                return engine.recv(65536)

    for is_error, part in frames(head, body, read):
        while part:
            part = part[os.write(2 if is_error else 1, part) :]


try:
    {"list": list_all, "start": start, "logs": logs}[sys.argv[1]](*sys.argv[2:])
except BrokenPipeError:
    os._exit(0)
except (Failed, OSError, ValueError, KeyError) as error:
    sys.stderr.write("%s\n" % error)
    sys.exit(1)
