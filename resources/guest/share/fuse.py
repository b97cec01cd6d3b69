"""The kernel's side of the protocol, by its own names: include/uapi/linux/fuse.h, as of protocol 7.31.

Structs are named like the kernel's, without `struct`; what this program doesn't use of one is still in its format.
"""
import os
from struct import Struct

FUSE_KERNEL_VERSION = 7
FUSE_KERNEL_MINOR_VERSION = 31
FUSE_ROOT_ID = 1

# enum fuse_opcode
FUSE_LOOKUP = 1
FUSE_FORGET = 2
FUSE_GETATTR = 3
FUSE_SETATTR = 4
FUSE_READLINK = 5
FUSE_SYMLINK = 6
FUSE_MKNOD = 8
FUSE_MKDIR = 9
FUSE_UNLINK = 10
FUSE_RMDIR = 11
FUSE_RENAME = 12
FUSE_LINK = 13
FUSE_OPEN = 14
FUSE_READ = 15
FUSE_WRITE = 16
FUSE_STATFS = 17
FUSE_RELEASE = 18
FUSE_FSYNC = 20
FUSE_INIT = 26
FUSE_OPENDIR = 27
FUSE_READDIR = 28
FUSE_RELEASEDIR = 29
FUSE_FSYNCDIR = 30
FUSE_CREATE = 35
FUSE_BATCH_FORGET = 42
FUSE_READDIRPLUS = 44
FUSE_RENAME2 = 45

# Flags of fuse_init_in and fuse_init_out
FUSE_ASYNC_READ = 1 << 0
FUSE_ATOMIC_O_TRUNC = 1 << 3
FUSE_BIG_WRITES = 1 << 5
FUSE_AUTO_INVAL_DATA = 1 << 12
FUSE_DO_READDIRPLUS = 1 << 13
FUSE_PARALLEL_DIROPS = 1 << 18
FUSE_MAX_PAGES = 1 << 22
FUSE_CACHE_SYMLINKS = 1 << 23

# Bits of fuse_setattr_in.valid
FATTR_MODE = 1 << 0
FATTR_UID = 1 << 1
FATTR_GID = 1 << 2
FATTR_SIZE = 1 << 3
FATTR_ATIME = 1 << 4
FATTR_MTIME = 1 << 5
FATTR_FH = 1 << 6
FATTR_ATIME_NOW = 1 << 7
FATTR_MTIME_NOW = 1 << 8

FUSE_GETATTR_FH = 1 << 0
FOPEN_KEEP_CACHE = 1 << 1

# enum fuse_notify_code
FUSE_NOTIFY_INVAL_INODE = 2
FUSE_NOTIFY_INVAL_ENTRY = 3

# linux/fs.h, fcntl.h and dirent.h: Python's modules don't have these.
RENAME_NOREPLACE = 1 << 0
O_ACCMODE = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
DT_UNKNOWN = 0
DT_DIR = 4

# len, opcode, unique, nodeid, uid, gid, pid, padding
fuse_in_header = Struct("<IIQQIIII")
# len, error, unique
fuse_out_header = Struct("<IiQ")
# ino, size, blocks, atime, mtime, ctime, atimensec, mtimensec, ctimensec, mode, nlink, uid, gid, rdev, blksize, flags
fuse_attr = Struct("<QQQQQQIIIIIIIIII")
# nodeid, generation, entry_valid, attr_valid, entry_valid_nsec, attr_valid_nsec; then a fuse_attr
fuse_entry_out = Struct("<QQQQII")
# attr_valid, attr_valid_nsec, dummy; then a fuse_attr
fuse_attr_out = Struct("<QII")
# major, minor, max_readahead, flags
fuse_init_in = Struct("<IIII")
# major, minor, max_readahead, flags, max_background, congestion_threshold, max_write, time_gran, max_pages,
# map_alignment, unused
fuse_init_out = Struct("<IIIIHHIIHH32x")
# nlookup
fuse_forget_in = Struct("<Q")
# count, dummy; then so many fuse_forget_one
fuse_batch_forget_in = Struct("<II")
# nodeid, nlookup
fuse_forget_one = Struct("<QQ")
# getattr_flags, dummy, fh
fuse_getattr_in = Struct("<IIQ")
# valid, padding, fh, size, lock_owner, atime, mtime, ctime, atimensec, mtimensec, ctimensec, mode, unused4, uid, gid,
# unused5. The kernel's times are unsigned here, but mean signed ones: before 1970 there were files, too.
fuse_setattr_in = Struct("<IIQQQqqqIIIIIIII")
# mode, rdev, umask, padding; then the name
fuse_mknod_in = Struct("<IIII")
# mode, umask; then the name
fuse_mkdir_in = Struct("<II")
# newdir; then both names
fuse_rename_in = Struct("<Q")
# newdir, flags, padding; then both names
fuse_rename2_in = Struct("<QII")
# oldnodeid; then the name
fuse_link_in = Struct("<Q")
# flags, open_flags
fuse_open_in = Struct("<II")
# fh, open_flags, padding
fuse_open_out = Struct("<QII")
# flags, mode, umask, open_flags; then the name
fuse_create_in = Struct("<IIII")
# fh, offset, size, read_flags, lock_owner, flags, padding
fuse_read_in = Struct("<QQIIQII")
# fh, offset, size, write_flags, lock_owner, flags, padding; then the data
fuse_write_in = Struct("<QQIIQII")
# size, padding
fuse_write_out = Struct("<II")
# fh, fsync_flags, padding
fuse_fsync_in = Struct("<QII")
# fh, flags, release_flags, lock_owner
fuse_release_in = Struct("<QIIQ")
# blocks, bfree, bavail, files, ffree, bsize, namelen, frsize, padding, spare
fuse_statfs_out = Struct("<QQQQQIII28x")
# ino, off, namelen, type; then the name, filled up to eight bytes
fuse_dirent = Struct("<QQII")
# ino, off, len
fuse_notify_inval_inode_out = Struct("<Qqq")
# parent, namelen, flags; then the name and a zero
fuse_notify_inval_entry_out = Struct("<QII")
