"""Operations on names and attributes. Each gets the file system, the request's number, the inode and the request's body."""
import errno
import os
import stat
import time

from share.filesystem import FOREVER, name_in, names_in
from share.fuse import (
    FATTR_ATIME,
    FATTR_ATIME_NOW,
    FATTR_FH,
    FATTR_GID,
    FATTR_MODE,
    FATTR_MTIME,
    FATTR_MTIME_NOW,
    FATTR_SIZE,
    FATTR_UID,
    FUSE_GETATTR,
    FUSE_GETATTR_FH,
    FUSE_LINK,
    FUSE_LOOKUP,
    FUSE_MKDIR,
    FUSE_MKNOD,
    FUSE_READLINK,
    FUSE_RENAME,
    FUSE_RENAME2,
    FUSE_RMDIR,
    FUSE_SETATTR,
    FUSE_STATFS,
    FUSE_SYMLINK,
    FUSE_UNLINK,
    RENAME_NOREPLACE,
    fuse_getattr_in,
    fuse_link_in,
    fuse_mkdir_in,
    fuse_mknod_in,
    fuse_rename2_in,
    fuse_rename_in,
    fuse_setattr_in,
    fuse_statfs_out,
)

# Neither set-user-id bits nor sticky ones are set on the host.
PERMISSIONS = 0o777
NAME_MAX = 255
NANOSECONDS = 10**9


def lookup(share, unique, parent, body):
    name = name_in(body)

    def found(children, code):
        if code:
            return share.reply(unique, code=code)
        if name not in children:
            return share.reply(unique, share.no_entry(FOREVER if parent.children is not None else 0))
        attr = children[name]
        if attr is None:
            return ask()
        share.reply(unique, share.entry(parent, name, attr))

    def ask():
        epoch = parent.epoch

        def come(answer, _):
            if "e" in answer:
                return share.reply(unique, code=answer["e"])
            if parent.children is not None and name in parent.children and parent.epoch == epoch:
                parent.children[name] = answer["a"]
            share.reply(unique, share.entry(parent, name, answer["a"]))

        share.host.ask("stat", come, p=parent.path_of(name))

    if parent.watched:
        share.listing(parent, found)
    else:
        ask()


def get_attributes(share, unique, node, body):
    flags, _, fh = fuse_getattr_in.unpack_from(body)
    attr = share.tree.known(node)
    if attr is not None:
        return share.reply(unique, share.attr_out(node, attr))
    handle = share.handles.get(fh) if flags & FUSE_GETATTR_FH else None
    if handle is not None and handle.opened:
        return share.host.ask("stat", share.on_attr(unique, node), h=fh)
    share.host.ask("stat", share.on_attr(unique, node), p=node.path())


def set_attributes(share, unique, node, body):
    valid, _, fh, size, _, atime, mtime, _, atimens, mtimens, _, mode, _, uid, gid, _ = fuse_setattr_in.unpack_from(body)
    if (valid & FATTR_UID and uid != share.uid) or (valid & FATTR_GID and gid != share.gid):
        return share.reply(unique, code=errno.EPERM)
    wish = {}
    if valid & FATTR_MODE:
        wish["m"] = mode & PERMISSIONS
    if valid & FATTR_SIZE:
        wish["s"] = size
    now = divmod(time.time_ns(), NANOSECONDS)
    if valid & FATTR_ATIME:
        wish["at"] = now if valid & FATTR_ATIME_NOW else (atime, atimens)
    if valid & FATTR_MTIME:
        wish["mt"] = now if valid & FATTR_MTIME_NOW else (mtime, mtimens)
    if valid & FATTR_FH and fh in share.handles:
        wish["h"] = fh
    share.host.ask("set", share.on_attr(unique, node), p=node.path(), **wish)



def read_link(share, unique, node, body):
    def come(answer, _):
        share.reply(unique, answer.get("l", "").encode("latin-1"), answer.get("e", 0))

    share.host.ask("readlink", come, p=node.path())


def symlink(share, unique, parent, body):
    name, target = names_in(body)
    share.host.ask("symlink", share.on_entry(unique, parent, name), p=parent.path_of(name), t=target)


def make_node(share, unique, parent, body):
    mode = fuse_mknod_in.unpack_from(body)[0]
    if not stat.S_ISREG(mode):
        return share.reply(unique, code=errno.EPERM)
    name = name_in(body[fuse_mknod_in.size :])
    share.host.ask(
        "create", share.on_entry(unique, parent, name), p=parent.path_of(name), m=mode & PERMISSIONS, f=os.O_EXCL)


def make_folder(share, unique, parent, body):
    mode, name = fuse_mkdir_in.unpack_from(body)[0], name_in(body[fuse_mkdir_in.size :])
    share.host.ask("mkdir", share.on_entry(unique, parent, name), p=parent.path_of(name), m=mode & PERMISSIONS)


def unlink(share, unique, parent, body):
    name = name_in(body)
    share.host.ask("unlink", share.on_gone(unique, parent, name), p=parent.path_of(name))


def remove_folder(share, unique, parent, body):
    name = name_in(body)
    share.host.ask("rmdir", share.on_gone(unique, parent, name), p=parent.path_of(name))


def rename(share, unique, parent, body):
    rename_to(share, unique, parent, fuse_rename_in.unpack_from(body)[0], 0, body[fuse_rename_in.size :])


def rename2(share, unique, parent, body):
    folder, flags, _ = fuse_rename2_in.unpack_from(body)
    rename_to(share, unique, parent, folder, flags, body[fuse_rename2_in.size :])


def rename_to(share, unique, parent, id, flags, names):
    folder = share.tree.nodes.get(id)
    old, new = names_in(names)
    if folder is None:
        return share.reply(unique, code=errno.ESTALE)
    if flags & ~RENAME_NOREPLACE:
        return share.reply(unique, code=errno.EINVAL)

    def come(answer, _):
        if "e" not in answer:
            share.tree.moved(parent, old, folder, new, answer["a"])
        share.reply(unique, code=answer.get("e", 0))

    share.host.ask("rename", come, p=parent.path_of(old), t=folder.path_of(new), f=flags)


def link(share, unique, parent, body):
    old, name = share.tree.nodes.get(fuse_link_in.unpack_from(body)[0]), name_in(body[fuse_link_in.size :])
    if old is None:
        return share.reply(unique, code=errno.ESTALE)
    # It has one link more.
    share.tree.remember(old, None)
    share.host.ask("link", share.on_entry(unique, parent, name), p=parent.path_of(name), t=old.path())


def statfs(share, unique, node, body):
    def come(answer, _):
        if "e" in answer:
            return share.reply(unique, code=answer["e"])
        blocks, free, available, files, unused, size = answer["f"]
        share.reply(unique, fuse_statfs_out.pack(blocks, free, available, files, unused, size, NAME_MAX, size))

    share.host.ask("statfs", come)


OPERATIONS = {
    FUSE_LOOKUP: lookup,
    FUSE_GETATTR: get_attributes,
    FUSE_SETATTR: set_attributes,
    FUSE_READLINK: read_link,
    FUSE_SYMLINK: symlink,
    FUSE_MKNOD: make_node,
    FUSE_MKDIR: make_folder,
    FUSE_UNLINK: unlink,
    FUSE_RMDIR: remove_folder,
    FUSE_RENAME: rename,
    FUSE_RENAME2: rename2,
    FUSE_LINK: link,
    FUSE_STATFS: statfs,
}
