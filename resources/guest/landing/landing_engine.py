"""The container engine's API over its socket: the few calls that the landing makes.

The command line's client would cost seconds on an emulated processor, and so would http.client.
"""

import json
import os
import socket

from landing_target import Failed

SOCKET = os.environ.get("GUESTHOUSE_LANDING_ENGINE", "/run/docker.sock")
MAX_ANSWER = 8 << 20
ANSWER_TAKES = 60  # seconds


class NotFound(Failed):
    pass


def call(method, path, body=None):
    """The answer's JSON (None when it has none). Raises Failed with the engine's own words."""
    text = b"" if body is None else json.dumps(body).encode()
    # HTTP/1.0: the answer comes in one piece and ends with the connection.
    head = "%s %s HTTP/1.0\r\nHost: engine\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    answer = exchange((head % (method, path, len(text))).encode() + text)
    first, _, rest = answer.partition(b"\r\n")
    try:
        code = int(first.split()[1])
        content = rest.partition(b"\r\n\r\n")[2]
        value = json.loads(content.decode()) if content.strip() else None
    except (IndexError, ValueError):
        raise Failed("The container engine answered something that isn't its API.")
    if code < 400:
        return value
    words = value.get("message") if isinstance(value, dict) else None
    kind = NotFound if code == 404 else Failed
    raise kind("The container engine refused: %s" % (words or "code %d" % code))


def exchange(request):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as engine:
        engine.settimeout(ANSWER_TAKES)
        try:
            engine.connect(SOCKET)
            engine.sendall(request)
            answer = b""
            while len(answer) <= MAX_ANSWER:
                part = engine.recv(65536)
                if not part:
                    return answer
                answer += part
        except OSError as error:
            raise Failed("The VM's container engine doesn't answer (%s). Is Docker running in the VM?" % error)
    raise Failed("The container engine's answer is too large.")


def inspect(container):
    try:
        return call("GET", "/containers/%s/json" % container)
    except NotFound:
        raise Failed("There is no container “%s” in the VM; it may have been rebuilt or removed." % container)


def start_in(container, user, command):
    """Starts a program in a container that nobody is attached to; the id of the execution."""
    made = call(
        "POST",
        "/containers/%s/exec" % container,
        {"User": user, "Cmd": command, "WorkingDir": "/", "Privileged": False, "Tty": False},
    )
    call("POST", "/exec/%s/start" % made["Id"], {"Detach": True, "Tty": False})
    return made["Id"]


def execution(identifier):
    """(is it running, its process id in the VM, its exit code)"""
    told = call("GET", "/exec/%s/json" % identifier)
    return told.get("Running") is True, told.get("Pid") or 0, told.get("ExitCode")
