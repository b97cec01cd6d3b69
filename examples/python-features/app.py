"""Answers with the greeting of the feature and the name of the machine."""

import os
import socket

from bottle import route, run


@route("/")
def hello() -> str:
    return f"{os.environ.get('GREETING', 'Hello')} on {socket.gethostname()}\n"


# All addresses: the VM's forwarded ports arrive from outside of its loopback.
run(host="0.0.0.0", port=8000, quiet=True)
