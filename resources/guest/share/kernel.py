"""What is written to /dev/fuse: answers to the kernel's requests, and word of what it must forget."""
import errno
import os

from share.fuse import (
    FUSE_NOTIFY_INVAL_ENTRY,
    FUSE_NOTIFY_INVAL_INODE,
    fuse_notify_inval_entry_out,
    fuse_notify_inval_inode_out,
    fuse_out_header,
)


class Kernel:
    def __init__(self, fd):
        self.fd = fd

    def reply(self, unique, data=b"", code=0):
        try:
            os.write(self.fd, fuse_out_header.pack(fuse_out_header.size + len(data), -code, unique) + data)
        except OSError as error:
            # ENOENT: the process that asked is gone. EINVAL: the kernel refuses the answer; the process must not wait for
            # one forever.
            if error.errno == errno.EINVAL and code == 0:
                self.reply(unique, code=errno.EIO)

    def forget_inode(self, id):
        self.notify(FUSE_NOTIFY_INVAL_INODE, fuse_notify_inval_inode_out.pack(id, 0, 0))

    def forget_entry(self, parent, name):
        raw = name.encode("latin-1")
        self.notify(FUSE_NOTIFY_INVAL_ENTRY, fuse_notify_inval_entry_out.pack(parent, len(raw), 0) + raw + b"\0")

    def notify(self, code, data):
        try:
            os.write(self.fd, fuse_out_header.pack(fuse_out_header.size + len(data), code, 0) + data)
        except OSError:
            pass
