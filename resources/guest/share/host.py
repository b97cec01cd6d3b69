"""The connection to the host: sends requests and hands out their answers.

The connection may break (the helper was renewed, the VM was suspended). Then requests wait for the next one for as long
as PATIENCE, and are sent again where that is safe.
"""
import errno
import os
import time
import traceback

from share.frames import REPEATABLE, pack_frame, take_frames

PATIENCE = 30
READ_BYTES = 1 << 20
WRITE_BYTES = 65536


class Host:
    def __init__(self, on_connected, on_change):
        self.on_connected, self.on_change = on_connected, on_change
        self.pending, self.next_request = {}, 1
        # `life` is the end of a pipe whose other end the SSH session's process waits at.
        self.source = self.sink = self.life = None
        self.inbox, self.outbox = bytearray(), bytearray()
        self.lost_at = 0.0

    def ask(self, op, then, payload=b"", **fields):
        """Sends a request; `then(answer, bytes)` gets what comes, `{"e": errno}` where it went wrong."""
        if self.gone():
            return then({"e": errno.EIO}, b"")
        fields["o"] = op
        fields["i"] = number = self.next_request
        self.next_request += 1
        frame = pack_frame(fields, payload)
        self.pending[number] = (op, frame, then)
        self.send(frame)

    def tell(self, op, **fields):
        fields["o"] = op
        self.send(pack_frame(fields))

    def gone(self):
        return self.sink is None and time.monotonic() - self.lost_at > PATIENCE

    def send(self, frame):
        if self.sink is not None:
            self.outbox += frame
            self.push()

    def push(self):
        try:
            while self.outbox:
                del self.outbox[: os.write(self.sink, memoryview(self.outbox)[:WRITE_BYTES])]
        except BlockingIOError:
            pass
        except OSError:
            self.lose()

    def connect(self, source, sink, life):
        self.lose()
        self.source, self.sink, self.life = source, sink, life
        for fd in (source, sink):
            os.set_blocking(fd, False)
        self.tell("hello")
        self.on_connected()
        waiting, self.pending = self.pending, {}
        for number, (op, frame, then) in waiting.items():
            if op in REPEATABLE:
                self.pending[number] = (op, frame, then)
                self.send(frame)
            else:
                then({"e": errno.EIO}, b"")

    def lose(self):
        if self.sink is None:
            return
        for fd in {self.source, self.sink, self.life}:
            os.close(fd)
        self.source = self.sink = self.life = None
        self.inbox.clear()
        self.outbox.clear()
        self.lost_at = time.monotonic()

    def give_up(self):
        """Lets those go who wait for a host that is gone."""
        if not self.pending or not self.gone():
            return
        waiting, self.pending = self.pending, {}
        for _, _, then in waiting.values():
            then({"e": errno.EIO}, b"")

    def hear(self):
        try:
            data = os.read(self.source, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            return self.lose()
        self.inbox += data
        for fields, payload in take_frames(self.inbox):
            if "i" not in fields:
                for change in fields["n"]:
                    self.on_change(*change)
                continue
            _, _, then = self.pending.pop(fields["i"], (None, None, None))
            try:
                if then is not None:
                    then(fields, payload)
            except Exception:
                traceback.print_exc()
