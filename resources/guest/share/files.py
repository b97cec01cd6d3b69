"""Operations on open files and folders. Each gets the file system, the request's number, the inode and the request's body."""
import errno
import os

from share.filesystem import name_in
from share.frames import INO, MODE, content_of, key_of
from share.fuse import (
    DT_DIR,
    DT_UNKNOWN,
    FOPEN_KEEP_CACHE,
    FUSE_CREATE,
    FUSE_FSYNC,
    FUSE_FSYNCDIR,
    FUSE_OPEN,
    FUSE_OPENDIR,
    FUSE_READ,
    FUSE_READDIR,
    FUSE_READDIRPLUS,
    FUSE_RELEASE,
    FUSE_RELEASEDIR,
    FUSE_WRITE,
    O_ACCMODE,
    fuse_attr,
    fuse_create_in,
    fuse_dirent,
    fuse_entry_out,
    fuse_fsync_in,
    fuse_open_in,
    fuse_open_out,
    fuse_read_in,
    fuse_release_in,
    fuse_write_in,
    fuse_write_out,
)

PERMISSIONS = 0o777
OWNER_READS = 0o400
# What of a file's flags counts for as long as it is open.
KEPT_FLAGS = O_ACCMODE | os.O_APPEND
DIRENT_ALIGNMENT = 8
ENTRY_BYTES = fuse_entry_out.size + fuse_attr.size


def opened(fh, keep_cache=False):
    return fuse_open_out.pack(fh, FOPEN_KEEP_CACHE if keep_cache else 0, 0)


def open_file(share, unique, node, body):
    flags = fuse_open_in.unpack_from(body)[0]
    if share.readonly and flags & O_ACCMODE:
        return share.reply(unique, code=errno.EROFS)
    flags &= KEPT_FLAGS | os.O_TRUNC
    attr = share.tree.known(node)
    if attr is not None and not flags & (O_ACCMODE | os.O_TRUNC) and attr[MODE] & OWNER_READS:
        # What the kernel has of it may be all that is read: the host opens it when more is wanted.
        same = node.cached == content_of(attr)
        node.cached = content_of(attr)
        return share.reply(unique, opened(share.hold(node, 0, lazy=True).id, same))
    handle = share.hold(node, flags & KEPT_FLAGS)

    def come(answer, _):
        if "e" in answer:
            share.handles.pop(handle.id, None)
            return share.reply(unique, code=answer["e"])
        attr = answer["a"]
        handle.opened = True
        if flags & os.O_TRUNC:
            share.tree.remember(node, attr)
        # What the kernel has of the content is right where the file is what it was at the last open.
        same = node.cached == content_of(attr) and share.tree.known(node) is not None
        node.cached = content_of(attr)
        share.reply(unique, opened(handle.id, same))

    share.host.ask("open", come, p=node.path(), h=handle.id, f=flags)


def create(share, unique, parent, body):
    flags, mode, _, _ = fuse_create_in.unpack_from(body)
    name = name_in(body[fuse_create_in.size :])
    handle = share.hold(None, flags & KEPT_FLAGS)

    def after(attr):
        handle.node, handle.opened = share.tree.keys[key_of(attr)], True
        return opened(handle.id)

    answered = share.on_entry(unique, parent, name, after)

    def come(answer, payload):
        if "e" in answer:
            share.handles.pop(handle.id, None)
        answered(answer, payload)

    share.host.ask(
        "create", come, p=parent.path_of(name), h=handle.id, m=mode & PERMISSIONS,
        f=flags & (KEPT_FLAGS | os.O_TRUNC | os.O_EXCL))


def read(share, unique, node, body):
    fh, offset, size, _, _, _, _ = fuse_read_in.unpack_from(body)
    handle = share.handles.get(fh)
    if handle is not None and handle.lazy:
        handle.lazy = False

        def come(answer, _):
            handle.opened = "e" not in answer

        # Not waited for: the host takes what comes behind it in order.
        share.host.ask("open", come, p=handle.node.path(), h=fh, f=0)
    share.host.ask("read", lambda answer, data: share.reply(unique, data, answer.get("e", 0)), h=fh, s=offset, c=size)


def write(share, unique, node, body):
    fh, offset, size, _, _, _, _ = fuse_write_in.unpack_from(body)

    def come(answer, _):
        if "e" in answer:
            return share.reply(unique, code=answer["e"])
        share.tree.remember(node, answer["a"])
        share.reply(unique, fuse_write_out.pack(size, 0))

    share.tree.remember(node, None)
    data = body[fuse_write_in.size : fuse_write_in.size + size]
    share.host.ask("write", come, data, h=fh, s=offset)


def sync(share, unique, node, body):
    fh = fuse_fsync_in.unpack_from(body)[0]
    handle = share.handles.get(fh)
    if handle is not None and handle.lazy:
        return share.reply(unique)
    share.host.ask("sync", lambda answer, _: share.reply(unique, code=answer.get("e", 0)), h=fh)


def release(share, unique, node, body):
    handle = share.handles.pop(fuse_release_in.unpack_from(body)[0], None)
    share.reply(unique)
    if handle is not None and handle.flags is not None and not handle.lazy:
        share.host.tell("close", h=handle.id)


def open_folder(share, unique, node, body):
    share.reply(unique, opened(share.hold(node, None).id))


def read_folder(share, unique, node, body, plus=False):
    fh, offset, size, _, _, _, _ = fuse_read_in.unpack_from(body)
    handle = share.handles.get(fh)
    if handle is None:
        return share.reply(unique, code=errno.EBADF)

    def give(children, code):
        if code:
            return share.reply(unique, code=code)
        # Kept for the reader, whose place is a number in this list.
        if offset == 0 or handle.names is None:
            handle.names = [(".", None), ("..", None), *list(children.items())]
        share.reply(unique, page_of(share, node, handle.names, offset, size, plus))

    if offset > 0 and handle.names is not None:
        return give(None, 0)
    share.listing(node, give)


def page_of(share, node, names, offset, size, plus):
    """As many names as the reader has room for, with their files for a `plus`."""
    page = bytearray()
    for at in range(offset, len(names)):
        name, attr = names[at]
        raw = name.encode("latin-1")
        room = -(-(fuse_dirent.size + len(raw)) // DIRENT_ALIGNMENT) * DIRENT_ALIGNMENT
        if len(page) + room + (ENTRY_BYTES if plus else 0) > size:
            break
        if plus:
            page += bytes(ENTRY_BYTES) if attr is None else share.entry(node, name, attr)
        if attr is not None:
            ino, kind = attr[INO], attr[MODE] >> 12
        else:
            # The kernel wants a number that isn't zero.
            ino, kind = 1, DT_DIR if name in (".", "..") else DT_UNKNOWN
        page += (fuse_dirent.pack(ino, at + 1, len(raw), kind) + raw).ljust(room, b"\0")
    return bytes(page)


def read_folder_plus(share, unique, node, body):
    read_folder(share, unique, node, body, True)


def nothing(share, unique, node, body):
    share.reply(unique)


OPERATIONS = {
    FUSE_OPEN: open_file,
    FUSE_CREATE: create,
    FUSE_READ: read,
    FUSE_WRITE: write,
    FUSE_FSYNC: sync,
    FUSE_RELEASE: release,
    FUSE_OPENDIR: open_folder,
    FUSE_READDIR: read_folder,
    FUSE_READDIRPLUS: read_folder_plus,
    FUSE_RELEASEDIR: release,
    FUSE_FSYNCDIR: nothing,
}
