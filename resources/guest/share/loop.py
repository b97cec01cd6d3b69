"""The main thread: takes the kernel's requests, the host's answers and the next connection, until the unmount."""
import errno
import os
import select
import socket
import traceback

from share.files import OPERATIONS as ON_FILES
from share.fuse import (
    FUSE_ASYNC_READ,
    FUSE_ATOMIC_O_TRUNC,
    FUSE_AUTO_INVAL_DATA,
    FUSE_BATCH_FORGET,
    FUSE_BIG_WRITES,
    FUSE_CACHE_SYMLINKS,
    FUSE_CREATE,
    FUSE_DO_READDIRPLUS,
    FUSE_FORGET,
    FUSE_INIT,
    FUSE_KERNEL_MINOR_VERSION,
    FUSE_KERNEL_VERSION,
    FUSE_LINK,
    FUSE_MAX_PAGES,
    FUSE_MKDIR,
    FUSE_MKNOD,
    FUSE_PARALLEL_DIROPS,
    FUSE_RENAME,
    FUSE_RENAME2,
    FUSE_RMDIR,
    FUSE_SETATTR,
    FUSE_STATFS,
    FUSE_SYMLINK,
    FUSE_UNLINK,
    FUSE_WRITE,
    fuse_batch_forget_in,
    fuse_forget_in,
    fuse_forget_one,
    fuse_in_header,
    fuse_init_in,
    fuse_init_out,
)
from share.mount import MAX_TRANSFER_BYTES
from share.names import OPERATIONS as ON_NAMES

OPERATIONS = {**ON_NAMES, **ON_FILES}
# Refused where the folder is shared for reading only.
CHANGING = frozenset((
    FUSE_SETATTR, FUSE_SYMLINK, FUSE_MKNOD, FUSE_MKDIR, FUSE_UNLINK, FUSE_RMDIR, FUSE_RENAME, FUSE_LINK, FUSE_WRITE,
    FUSE_CREATE, FUSE_RENAME2))
WANTED = (
    FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS
    | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS)
MAX_BACKGROUND, CONGESTION_THRESHOLD = 32, 24
TIME_GRANULARITY = 1
PAGE_BYTES = 4096
# A request's header and names, or a write's head.
REQUEST_HEAD_BYTES = 65536
# Of the kernel's requests, before the host is listened to again.
REQUESTS_IN_A_ROW = 16
# While nobody is connected, it is looked this often whether those who wait are to be let go.
LOOK_MS = 1000
TAKE_SECONDS = 5


class Loop:
    def __init__(self, share, events, listener):
        self.share, self.events, self.listener = share, events, listener
        self.host, self.fuse = share.host, share.kernel.fd

    def run(self):
        room = bytearray(MAX_TRANSFER_BYTES + REQUEST_HEAD_BYTES)
        view = memoryview(room)
        host = self.host
        poll = select.poll()
        poll.register(self.fuse, select.POLLIN)
        poll.register(self.listener, select.POLLIN)
        while True:
            ready = self.wait(poll)
            if host.sink is not None and ready.get(host.sink, 0) & (select.POLLOUT | select.POLLERR):
                host.push()
            if host.source is not None and host.source in ready:
                host.hear()
            host.give_up()
            if self.listener.fileno() in ready:
                self.take_connection()
            if self.fuse in ready and not self.take_requests(room, view):
                return

    def wait(self, poll):
        """What is ready, by file descriptor. The host's ends are others with each connection."""
        host = self.host
        ends = [] if host.source is None else [host.source]
        for fd in ends:
            poll.register(fd, select.POLLIN)
        if host.outbox and host.sink is not None:
            poll.register(host.sink, select.POLLOUT | (select.POLLIN if host.sink == host.source else 0))
            ends.append(host.sink)
        ready = dict(poll.poll(None if host.sink is not None else LOOK_MS))
        for fd in set(ends):
            poll.unregister(fd)
        return ready

    def take_requests(self, room, view):
        """False once the file system is unmounted."""
        for _ in range(REQUESTS_IN_A_ROW):
            try:
                os.readv(self.fuse, [room])
            except BlockingIOError:
                return True
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return False
                if error.errno not in (errno.EINTR, errno.ENOENT):
                    raise
                continue
            try:
                self.serve(view)
            except Exception:
                # One request that nobody foresaw must not take the folder away.
                traceback.print_exc()
                self.share.reply(fuse_in_header.unpack_from(view)[2], code=errno.EIO)
        return True

    def serve(self, view):
        length, op, unique, id, _, _, pid, _ = fuse_in_header.unpack_from(view)
        body = view[fuse_in_header.size : length]
        share = self.share
        work = OPERATIONS.get(op)
        if work is None:
            return self.serve_kernel(op, unique, id, body)
        node = share.tree.nodes.get(id)
        if node is None and op != FUSE_STATFS:
            return share.reply(unique, code=errno.ESTALE)
        if pid == self.events.thread and self.events.answer(op, unique, node, body):
            return
        if share.readonly and op in CHANGING:
            return share.reply(unique, code=errno.EROFS)
        work(share, unique, node, body)

    def serve_kernel(self, op, unique, id, body):
        """What the kernel wants for itself. It expects no answer to what it forgets."""
        tree = self.share.tree
        if op == FUSE_INIT:
            self.share.reply(unique, init(body))
        elif op == FUSE_FORGET:
            tree.forget(id, fuse_forget_in.unpack_from(body)[0])
        elif op == FUSE_BATCH_FORGET:
            for at in range(fuse_batch_forget_in.unpack_from(body)[0]):
                one = fuse_batch_forget_in.size + fuse_forget_one.size * at
                tree.forget(*fuse_forget_one.unpack_from(body, one))
        else:
            self.share.reply(unique, code=errno.ENOSYS)

    def take_connection(self):
        """Another connection to the host: its ends come as file descriptors."""
        peer, _ = self.listener.accept()
        with peer:
            peer.settimeout(TAKE_SECONDS)
            try:
                mode, fds, _, _ = socket.recv_fds(peer, 1, 3)
            except OSError:
                return
        if len(fds) == 3:
            self.share.readonly = mode == b"r"
            self.host.connect(*fds)


def init(body):
    _, _, readahead, flags = fuse_init_in.unpack_from(body)
    return fuse_init_out.pack(
        FUSE_KERNEL_VERSION, FUSE_KERNEL_MINOR_VERSION, readahead, flags & WANTED, MAX_BACKGROUND, CONGESTION_THRESHOLD,
        MAX_TRANSFER_BYTES, TIME_GRANULARITY, MAX_TRANSFER_BYTES // PAGE_BYTES, 0)
