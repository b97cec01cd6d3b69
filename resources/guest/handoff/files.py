"""Files of the guest, read and replaced without starting a program. Used by the other
parts of `handoff`. Python 3.6 or newer."""

import errno
import os
import sys

root = ""  # below which all files are (handoff --root); then nothing in the kernel is changed


def place(path):
    return root + path


def content(path):
    try:
        with open(place(path), "rb") as file:
            return file.read().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""


def replace(path, text, mode=None, owner=None, label_of=None):
    """Whole or not at all, without waiting for the disk. Mode, owner and SELinux label stay those of the old file, or of
    `label_of`, unless given."""
    path = place(path)
    label = None
    try:
        old = os.stat(place(label_of) if label_of else path)
        mode = old.st_mode & 0o7777 if mode is None else mode
        owner = (old.st_uid, old.st_gid) if owner is None else owner
        if os.path.exists("/sys/fs/selinux/enforce"):
            label = os.getxattr(place(label_of) if label_of else path, "security.selinux")
    except OSError:
        pass
    data = text.encode("utf-8", "surrogateescape")
    folder, name = os.path.split(path)
    # The last folder may be a user's: a link there must not lead root elsewhere.
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    temporary = "." + name + ".guesthouse"
    try:
        try:
            os.unlink(temporary, dir_fd=at)
        except FileNotFoundError:
            pass
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=at)
        try:
            os.write(file, data)
            if owner is not None and os.geteuid() == 0:
                os.fchown(file, *owner)
            os.fchmod(file, 0o644 if mode is None else mode)
            if label is not None:
                try:
                    os.setxattr(file, "security.selinux", label)
                except OSError:
                    pass
        finally:
            os.close(file)
        # A rename over a file makes ext4 write the new one out at once, which a clone would wait for; serve() does that
        # after the answer.
        try:
            os.unlink(name, dir_fd=at)
        except OSError:
            pass
        try:
            os.rename(temporary, name, src_dir_fd=at, dst_dir_fd=at)
        except OSError as error:
            # A machine id that systemd made in memory is mounted over the file.
            os.unlink(temporary, dir_fd=at)
            if error.errno != errno.EBUSY:
                raise
            with open(path, "wb") as mounted:
                mounted.write(data)
    finally:
        os.close(at)


def log(text):
    """To the service's journal."""
    print(text, file=sys.stderr, flush=True)
