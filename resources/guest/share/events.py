"""Makes the kernel tell the guest's programs (inotify) what the host changed.

A thread does through the mount what has happened on the host already. Its requests are known by the thread's number and
answered here: nothing of them goes to the host. It is a thread because what it does waits for requests that the main
thread has yet to answer. It runs as root, so it follows no symbolic link: a user may have put one there.
"""
import errno
import os
import stat
import threading

from share.filesystem import name_in
from share.files import opened
from share.frames import BORN, CREATED, DELETED, MODE, MODIFIED, SIZE
from share.fuse import (
    FUSE_CREATE,
    FUSE_GETATTR,
    FUSE_LOOKUP,
    FUSE_MKDIR,
    FUSE_OPEN,
    FUSE_OPENDIR,
    FUSE_READDIR,
    FUSE_READDIRPLUS,
    FUSE_RELEASE,
    FUSE_RELEASEDIR,
    FUSE_RMDIR,
    FUSE_SETATTR,
    FUSE_SYMLINK,
    FUSE_UNLINK,
    fuse_create_in,
    fuse_entry_out,
    fuse_mkdir_in,
)
from share.tree import FORGET_ENTRY, FORGET_INODE

NAME_AT = {FUSE_MKDIR: fuse_mkdir_in.size, FUSE_CREATE: fuse_create_in.size}
ON_NAMES = frozenset((FUSE_LOOKUP, FUSE_SYMLINK, FUSE_MKDIR, FUSE_UNLINK, FUSE_RMDIR, FUSE_CREATE))
# Answered like anybody's.
ORDINARY = frozenset((FUSE_LOOKUP, FUSE_GETATTR, FUSE_OPENDIR, FUSE_READDIR, FUSE_READDIRPLUS))
WRITE = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK
OWNER_ONLY = 0o600
PERMISSIONS = 0o777


class Event:
    """A change of the host's that is being raised; `child` is the number of the inode that the kernel had by that name."""
    __slots__ = ("parent", "folder", "name", "kind", "attr", "child")

    def __init__(self, parent, folder, name, kind, attr, child):
        self.parent, self.folder, self.name, self.kind, self.attr, self.child = parent, folder, name, kind, attr, child


class Events:
    def __init__(self, share, target, device):
        self.share, self.target, self.device = share, target, device
        self.event, self.thread = None, 0

    def start(self):
        threading.Thread(target=self.run, daemon=True).start()

    # The main thread: the requests of the other one

    def answer(self, op, unique, node, body):
        """True when it is answered; else it is answered like anybody's request."""
        share, event = self.share, self.event
        if op in (FUSE_RELEASE, FUSE_RELEASEDIR):
            return False
        if op == FUSE_OPEN:
            return self.say(unique, opened(share.hold(node, None).id, keep_cache=True))
        if op == FUSE_SETATTR and event is not None and event.attr is not None:
            return self.say(unique, share.attr_out(node, event.attr))
        if event is None or op not in ON_NAMES:
            return op not in ORDINARY and self.refuse(unique)
        if node.id != event.parent or name_in(body[NAME_AT.get(op, 0) :]) != event.name:
            return op != FUSE_LOOKUP and self.refuse(unique)
        if op == FUSE_LOOKUP:
            return self.look_up(unique, event)
        if op in (FUSE_UNLINK, FUSE_RMDIR):
            return self.say(unique) if event.kind == DELETED else self.refuse(unique)
        if event.attr is None:
            return self.refuse(unique)
        entry = share.entry(node, event.name, event.attr)
        return self.say(unique, entry + (opened(share.hold(None, None).id) if op == FUSE_CREATE else b""))

    def look_up(self, unique, event):
        """What is created isn't there yet, and what is deleted still is."""
        if event.kind == CREATED:
            return self.say(unique, self.share.no_entry(0))
        if event.kind != DELETED:
            return False
        child = self.share.tree.nodes.get(event.child)
        if child is None:
            return self.say(unique, code=errno.ENOENT)
        child.lookups += 1
        ino, _, kind = child.key
        attr = [kind | OWNER_ONLY, 0, ino, 1] + [0] * (BORN - 3)
        return self.say(unique, fuse_entry_out.pack(child.id, 0, 0, 0, 0, 0) + self.share.attributes(attr))

    def say(self, unique, data=b"", code=0):
        self.share.reply(unique, data, code)
        return True

    def refuse(self, unique):
        return self.say(unique, code=errno.EPERM)

    # The thread

    def run(self):
        self.thread = threading.get_native_id()
        kernel, news = self.share.kernel, self.share.tree.news
        while True:
            what, id, detail = news.get()
            try:
                if what == FORGET_INODE:
                    kernel.forget_inode(id)
                elif what == FORGET_ENTRY:
                    kernel.forget_entry(id, detail)
                else:
                    self.raise_event(Event(id, *detail))
            except OSError:
                pass

    def raise_event(self, event):
        # Not kept open, or the file system could never be unmounted.
        fd = os.open(self.target, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        kernel = self.share.kernel
        try:
            if event.kind == CREATED:
                kernel.forget_entry(event.parent, event.name)
            elif event.kind != DELETED and event.child:
                kernel.forget_inode(event.child)
            self.event = event
            try:
                for part in event.folder.split("/") if event.folder else ():
                    above, fd = fd, below(fd, part)
                    os.close(above)
                if os.fstat(fd).st_dev == self.device:
                    self.act(fd, event, event.kind)
            finally:
                self.event = None
                if event.kind == DELETED:
                    kernel.forget_entry(event.parent, event.name)
        finally:
            os.close(fd)

    def act(self, folder, event, kind):
        name, attr = event.name.encode("latin-1"), event.attr
        if kind == DELETED:
            gone = self.share.tree.nodes.get(event.child)
            if gone is not None:
                (os.rmdir if stat.S_ISDIR(gone.key[2]) else os.unlink)(name, dir_fd=folder)
        elif kind == CREATED and stat.S_ISDIR(attr[MODE]):
            os.mkdir(name, dir_fd=folder)
        elif kind == CREATED and stat.S_ISLNK(attr[MODE]):
            os.symlink(b"/", name, dir_fd=folder)
        elif kind == CREATED:
            try:
                os.close(os.open(name, WRITE | os.O_CREAT | os.O_EXCL, OWNER_ONLY, dir_fd=folder))
            except FileExistsError:
                # Somebody looked between the change and this, so the kernel has it already.
                self.act(folder, event, MODIFIED)
        elif kind == MODIFIED and stat.S_ISREG(attr[MODE]):
            self.with_file(name, folder, WRITE, lambda file: os.ftruncate(file, attr[SIZE]))
        elif not stat.S_ISLNK(attr[MODE]):
            mode = attr[MODE] & PERMISSIONS
            self.with_file(
                name, folder, os.O_PATH | os.O_NOFOLLOW, lambda file: os.chmod("/proc/self/fd/%d" % file, mode))

    def with_file(self, name, folder, flags, work):
        """Only on what is of this file system: something else may be mounted on it."""
        file = os.open(name, flags, dir_fd=folder)
        try:
            if os.fstat(file).st_dev == self.device:
                work(file)
        finally:
            os.close(file)


def below(folder, name):
    return os.open(name.encode("latin-1"), os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=folder)
