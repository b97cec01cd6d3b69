"""What all operations share: the tree, the open files, and how an answer of the host becomes one for the kernel."""
import errno

from share.frames import (
    ATIME,
    ATIMENS,
    BLOCKS,
    CTIME,
    CTIMENS,
    INO,
    MODE,
    MTIME,
    MTIMENS,
    NLINK,
    SIZE,
    key_of,
)
from share.fuse import fuse_attr, fuse_attr_out, fuse_entry_out
from share.host import Host
from share.tree import Tree

# Seconds for which the kernel may keep what it is told; until then it is told of every change.
FOREVER = 86400
BLOCK_BYTES = 4096


def name_in(body):
    return bytes(body).split(b"\0", 1)[0].decode("latin-1")


def names_in(body):
    """Two names, each with a zero behind it."""
    first, second = bytes(body).split(b"\0")[:2]
    return first.decode("latin-1"), second.decode("latin-1")


class Handle:
    """A file or folder that a program has open. `flags` is None where the host has nothing to close. `lazy`: the host isn't
    asked to open it before something is read. `opened`: the host has it open. `names`: what a folder's reader is given."""
    __slots__ = ("id", "node", "flags", "lazy", "opened", "names")

    def __init__(self, id, node, flags, lazy):
        self.id, self.node, self.flags, self.lazy = id, node, flags, lazy
        self.opened, self.names = False, None


class FileSystem:
    def __init__(self, kernel, uid, gid, readonly):
        self.kernel, self.reply = kernel, kernel.reply
        self.uid, self.gid, self.readonly = uid, gid, readonly
        self.tree = Tree()
        self.host = Host(self.on_connected, self.tree.changed)
        self.handles, self.next_handle = {}, 1

    def on_connected(self):
        self.tree.forget_all()
        for handle in self.handles.values():
            if handle.opened:
                self.host.tell("open", h=handle.id, p=handle.node.path(), f=handle.flags)

    def hold(self, node, flags, lazy=False):
        handle = Handle(self.next_handle, node, flags, lazy)
        self.next_handle += 1
        self.handles[handle.id] = handle
        return handle

    # What the kernel is told of a file

    def attributes(self, attr):
        return fuse_attr.pack(
            attr[INO], attr[SIZE], attr[BLOCKS], max(0, attr[ATIME]), max(0, attr[MTIME]), max(0, attr[CTIME]),
            attr[ATIMENS], attr[MTIMENS], attr[CTIMENS], attr[MODE], attr[NLINK], self.uid, self.gid, 0, BLOCK_BYTES, 0)

    def entry(self, parent, name, attr):
        """A name with its file; the kernel holds one reference more."""
        node = self.tree.node_for(parent, name, attr)
        node.lookups += 1
        valid = FOREVER if parent.children is not None and parent.children.get(name) is not None else 0
        return fuse_entry_out.pack(node.id, 0, valid, valid, 0, 0) + self.attributes(attr)

    def no_entry(self, valid):
        """A name that isn't there, which the kernel may remember as well."""
        return fuse_entry_out.pack(0, 0, valid, 0, 0, 0) + bytes(fuse_attr.size)

    def attr_out(self, node, attr):
        valid = FOREVER if self.tree.known(node) is not None else 0
        return fuse_attr_out.pack(valid, 0, 0) + self.attributes(attr)

    # Answers of the host

    def on_attr(self, unique, node):
        """Answers a request whose answer from the host is a file's attributes."""
        epoch = node.epoch

        def come(answer, _):
            if "e" in answer:
                return self.reply(unique, code=answer["e"])
            if node.key not in (None, key_of(answer["a"])):
                # Another file by the same name: the kernel looks again.
                return self.reply(unique, code=errno.ESTALE)
            self.tree.remember(node, answer["a"] if node.epoch == epoch else None)
            self.reply(unique, self.attr_out(node, answer["a"]))

        return come

    def on_entry(self, unique, parent, name, after=lambda attr: b""):
        """Answers a request that made an entry."""
        def come(answer, _):
            if "e" in answer:
                return self.reply(unique, code=answer["e"])
            self.tree.entered(parent, name, answer["a"])
            self.reply(unique, self.entry(parent, name, answer["a"]) + after(answer["a"]))

        return come

    def on_gone(self, unique, parent, name):
        """Answers a request that removed an entry."""
        def come(answer, _):
            if "e" not in answer:
                self.tree.entered(parent, name, None)
            self.reply(unique, code=answer.get("e", 0))

        return come

    def listing(self, node, then):
        """`then(children or None, errno)`, asked once however many wait."""
        if node.children is not None:
            return then(node.children, 0)
        if node.waiting is not None:
            return node.waiting.append(then)
        node.waiting, epoch = [then], node.epoch

        def come(answer, _):
            waiting, node.waiting = node.waiting or [], None
            code = answer.get("e", 0)
            children = None if code else {name: attr for name, attr in answer["n"]}
            if not code:
                node.watched = answer["w"] != 0
                if answer["w"] == 1 and node.epoch == epoch:
                    node.children = children
                    if node.parent is None:
                        node.attr = answer["a"]
            for each in waiting:
                each(children, code)

        self.host.ask("list", come, p=node.path())
