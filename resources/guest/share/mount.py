"""The mount itself, and the guest's settings that fit it."""
import os
import subprocess

# The most that the kernel reads or writes at once.
MAX_TRANSFER_BYTES = 256 * 1024
TYPE = "fuse.guesthouse"


def device_of(target):
    """The device number of the mount there, without asking the file system for it; None: nothing of ours is mounted."""
    with open("/proc/self/mountinfo") as mounts:
        for line in mounts:
            fields = line.split()
            if fields[4] == target.replace(" ", "\\040") and " - %s " % TYPE in line:
                return os.makedev(*map(int, fields[2].split(":")))
    return None


def mounted(target):
    return device_of(target) is not None


def mount(target):
    """Mounts a new file system and returns the end of it that is served."""
    os.makedirs(target, exist_ok=True)
    if not os.path.exists("/dev/fuse"):
        subprocess.run(["modprobe", "fuse"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    fuse = os.open("/dev/fuse", os.O_RDWR | os.O_NONBLOCK)
    options = "fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other,nosuid,nodev,max_read=%d" % (
        fuse, MAX_TRANSFER_BYTES)
    subprocess.run(
        ["mount", "-i", "-t", TYPE, "-o", options, "guesthouse", target],
        check=True, pass_fds=[fuse], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return fuse


def unmount(target):
    while mounted(target):
        # Who waits there for a host that never comes again is let go first, umount itself included.
        try:
            with open("/sys/fs/fuse/connections/%d/abort" % os.minor(device_of(target)), "w") as abort:
                abort.write("1")
        except OSError:
            pass
        subprocess.run(["umount", "-l", "--", target], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def teach_git():
    """
    git's index says of each file whose it is, by number: the host's git and this one would each read every file again that
    the other has looked at. Time and size say as much.
    """
    git = ["git", "config", "--system"]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        if subprocess.run([*git, "--get", "core.checkStat"], **quiet).returncode != 0:
            subprocess.run([*git, "core.checkStat", "minimal"], **quiet)
    except OSError:
        # There is no git.
        pass
