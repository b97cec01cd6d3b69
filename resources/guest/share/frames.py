"""What the host and this program say to each other: src/helper/workspaces/share/frames.ts has the other end.

A frame is `u32 length of the rest, u32 length of the JSON, JSON, payload`, little-endian. Names are bytes, which JSON
carries as one character each (Latin-1).
"""
import json
import stat
from struct import Struct

HEAD = Struct("<II")
LENGTH_BYTES = 4

# Requests that may be sent again over the next connection: a second time they change nothing.
REPEATABLE = frozenset(("list", "stat", "open", "read", "write", "sync", "readlink", "statfs", "set"))

# Places in what the host tells of a file.
MODE, SIZE, INO, NLINK, MTIME, MTIMENS, CTIME, CTIMENS, ATIME, ATIMENS, BLOCKS, BORN = range(12)

# Kinds of change. LOST: the host doesn't watch the folder any more.
CREATED, DELETED, MODIFIED, LOST = "c", "d", "m", "lost"


def pack_frame(fields, payload=b""):
    text = json.dumps(fields, separators=(",", ":")).encode()
    return HEAD.pack(LENGTH_BYTES + len(text) + len(payload), len(text)) + text + bytes(payload)


def take_frames(inbox):
    """Takes the whole frames out of a bytearray, each as (fields, payload)."""
    frames, at = [], 0
    while len(inbox) - at >= HEAD.size:
        length, text = HEAD.unpack_from(inbox, at)
        end = at + LENGTH_BYTES + length
        if len(inbox) < end:
            break
        start = at + HEAD.size
        frames.append((json.loads(inbox[start : start + text]), bytes(inbox[start + text : end])))
        at = end
    del inbox[:at]
    return frames


def key_of(attr):
    """Tells a file from any other: inode numbers are used again, so the time of birth and the type count as well."""
    return attr[INO], attr[BORN], stat.S_IFMT(attr[MODE])


def content_of(attr):
    """Equal as long as a file's content is the same."""
    return attr[: CTIMENS + 1]
