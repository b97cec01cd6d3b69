# The guest's half of a shared folder: a file system (FUSE, spoken with the kernel directly) whose files lie on the host.
# The helper sends this text over SSH, run by root with the standard library only; then the same connection carries frames
#   u32 length of the rest, u32 length of the JSON, JSON, bytes
# from here as requests, from there as answers and as notices of what changed. Names are bytes, one character each.
#
# What the kernel and this program remember of a folder is right for as long as the helper watches that folder: a change
# there comes as a notice behind every answer that was given before it. So nothing is asked twice, and nothing is stale.
# The connection may break (the helper was renewed, the VM suspended): requests wait, and the next connection is handed
# in through a socket. See docs/decisions/0014-shared-folders.md.
import errno, json, os, queue, select, signal, socket, stat, struct, subprocess, sys, threading, time, traceback

FOREVER = 86400
PATIENCE = 30
MOST = 256 * 1024
MOST_NEWS = 2000
ENTRY, ATTR, IN, OUT = struct.Struct("<QQQQII"), struct.Struct("<QQQQQQIIIIIIIIII"), struct.Struct("<IIQQIIII"), struct.Struct("<IiQ")
IDEMPOTENT = {"list", "stat", "open", "read", "write", "sync", "readlink", "statfs", "set"}
# Places in what the host tells of a file.
MODE, SIZE, INO, NLINK, MTIME, MTIMENS, CTIME, CTIMENS, ATIME, ATIMENS, BLOCKS, BORN = range(12)


class Node:
    """An inode that the kernel knows. `children` is a folder's content while the host watches it."""
    def __init__(self, id, parent, name):
        self.id, self.parent, self.name = id, parent, name
        self.lookups, self.epoch = 0, 0
        self.key = self.attr = self.children = self.cached = self.parsed = None
        self.watched, self.waiting = True, None

    def path(self):
        parts, node = [], self
        while node.parent is not None:
            parts.append(node.name)
            node = node.parent
        return "/".join(reversed(parts))


class Share:
    def __init__(self, target, uid, gid, readonly):
        self.target, self.uid, self.gid, self.readonly = target, uid, gid, readonly
        self.root = Node(1, None, "")
        self.nodes, self.keys, self.next_node = {1: self.root}, {}, 2
        self.handles, self.next_handle = {}, 1
        self.pending, self.next_request = {}, 1
        self.sink = self.source = self.life = None
        self.inbox, self.outbox = bytearray(), bytearray()
        self.lost_at = 0.0
        self.news, self.ghosts, self.raiser = queue.Queue(), {}, 0

    # The host's end

    def ask(self, op, then, payload=b"", **fields):
        """Sends a request; `then(answer, bytes)` gets what comes, `{"e": errno}` where it went wrong."""
        if self.sink is None and time.monotonic() - self.lost_at > PATIENCE:
            return then({"e": errno.EIO}, b"")
        fields["o"] = op
        fields["i"] = number = self.next_request
        self.next_request += 1
        frame = self.frame(fields, payload)
        self.pending[number] = (op, frame, then)
        self.send(frame)

    def tell(self, op, **fields):
        fields["o"] = op
        self.send(self.frame(fields, b""))

    def frame(self, fields, payload):
        text = json.dumps(fields, separators=(",", ":")).encode()
        return struct.pack("<II", 4 + len(text) + len(payload), len(text)) + text + bytes(payload)

    def send(self, frame):
        if self.sink is not None:
            self.outbox += frame
            self.push()

    def push(self):
        try:
            while self.outbox:
                del self.outbox[: os.write(self.sink, memoryview(self.outbox)[:65536])]
        except BlockingIOError:
            pass
        except OSError:
            self.lose()

    def connect(self, source, sink, life):
        self.lose()
        self.source, self.sink, self.life = source, sink, life
        for fd in (source, sink):
            os.set_blocking(fd, False)
        self.tell("hello")
        # A new host knows nothing of what the last one told, and whatever happened in between nobody told.
        for node in list(self.nodes.values()):
            node.children, node.watched, node.epoch, node.waiting = None, True, node.epoch + 1, None
            self.news.put(("inode", node.id, None))
            if node.parent is not None:
                self.news.put(("entry", node.parent.id, node.name))
        for handle in self.handles.values():
            if handle.get("opened"):
                self.tell("open", h=handle["id"], p=handle["node"].path(), f=handle["flags"])
        waiting, self.pending = self.pending, {}
        for number, (op, frame, then) in waiting.items():
            if op in IDEMPOTENT:
                self.pending[number] = (op, frame, then)
                self.send(frame)
            else:
                then({"e": errno.EIO}, b"")

    def lose(self):
        if self.sink is None:
            return
        for fd in {self.source, self.sink, self.life}:
            os.close(fd)
        self.source = self.sink = self.life = None
        self.inbox.clear()
        self.outbox.clear()
        self.lost_at = time.monotonic()

    def give_up(self):
        waiting, self.pending = self.pending, {}
        for _, _, then in waiting.values():
            then({"e": errno.EIO}, b"")

    def hear(self):
        try:
            data = os.read(self.source, 1 << 20)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            return self.lose()
        self.inbox += data
        at = 0
        while len(self.inbox) - at >= 8:
            length, text = struct.unpack_from("<II", self.inbox, at)
            if len(self.inbox) - at < 4 + length:
                break
            fields = json.loads(self.inbox[at + 8 : at + 8 + text])
            payload = bytes(self.inbox[at + 8 + text : at + 4 + length])
            at += 4 + length
            if "i" not in fields:
                for change in fields["n"]:
                    self.changed(*change)
            else:
                _, _, then = self.pending.pop(fields["i"], (None, None, None))
                try:
                    if then is not None:
                        then(fields, payload)
                except Exception:
                    traceback.print_exc()
        del self.inbox[:at]

    # What is known

    def find(self, path):
        """The node of a path, as far as the kernel knows it."""
        node = self.root
        for name in path.split("/") if path else ():
            node = (node.parsed or {}).get(name)
            if node is None:
                return None
        return node

    def changed(self, folder, name, kind, attr):
        """The host tells of a change: created, deleted, modified, attributes; `lost`: the folder is not watched any more."""
        parent = self.find(folder)
        if parent is None:
            return
        parent.epoch += 1
        if kind == "lost":
            parent.children = None
            for child in list((parent.parsed or {}).values()):
                self.news.put(("inode", child.id, None))
                self.news.put(("entry", parent.id, child.name))
            return
        if parent.children is not None:
            if kind == "d":
                parent.children.pop(name, None)
            else:
                parent.children[name] = attr
        child = (parent.parsed or {}).get(name)
        if child is not None:
            child.epoch += 1
            if kind in "cd" or (attr is not None and child.key != key_of(attr)):
                child.children = None
        if kind in "cd":
            self.stale(parent)
        # Who changes thousands of files at once looks at them anew; that nothing stale is kept is what must not be left out.
        if self.news.qsize() < MOST_NEWS:
            self.news.put(("raise", parent.id, (folder, name, kind, attr, child.id if child else None)))
        else:
            self.news.put(("entry", parent.id, name))

    def stale(self, folder):
        """A folder's own times changed with what is in it."""
        if folder.parent is not None and folder.parent.children and folder.name in folder.parent.children:
            folder.parent.children[folder.name] = None
        folder.attr = None
        self.news.put(("inode", folder.id, None))

    def touched(self, node, attr=None):
        """This guest changed a file; `attr` is what the host told of it then."""
        if node.parent is None:
            node.attr = attr
        elif node.parent.children is not None and node.name in node.parent.children:
            node.parent.children[node.name] = attr

    def entered(self, parent, name, attr):
        """This guest made (or with None removed) an entry."""
        parent.epoch += 1
        if parent.children is not None:
            if attr is None:
                parent.children.pop(name, None)
            else:
                parent.children[name] = attr
        # The kernel knows that the folder changed.
        if parent.parent is None:
            parent.attr = None
        elif parent.parent.children is not None and parent.name in parent.parent.children:
            parent.parent.children[parent.name] = None

    def known(self, node):
        if node.parent is None:
            return node.attr if node.children is not None else None
        children = node.parent.children
        return None if children is None else children.get(node.name)

    def node_for(self, parent, name, attr):
        key = key_of(attr)
        node = self.keys.get(key)
        if node is None:
            node = Node(self.next_node, parent, name)
            node.key = key
            self.next_node += 1
            self.nodes[node.id] = self.keys[key] = node
        else:
            self.detach(node)
        node.parent, node.name = parent, name
        parent.parsed = parent.parsed or {}
        parent.parsed[name] = node
        return node

    def detach(self, node):
        parsed = node.parent.parsed if node.parent else None
        if parsed and parsed.get(node.name) is node:
            del parsed[node.name]

    def forget(self, id, count):
        node = self.nodes.get(id)
        if node is None or id == 1:
            return
        node.lookups -= count
        if node.lookups <= 0:
            self.detach(node)
            self.nodes.pop(id, None)
            if self.keys.get(node.key) is node:
                del self.keys[node.key]

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

        self.ask("list", come, p=node.path())

    # The kernel's end

    def reply(self, unique, data=b"", code=0):
        try:
            os.write(self.fuse, OUT.pack(16 + len(data), -code, unique) + data)
        except OSError as error:
            # ENOENT: the process that asked is gone. It shall not wait for ever for an answer that the kernel refuses.
            if error.errno == errno.EINVAL and code == 0:
                self.reply(unique, code=errno.EIO)

    def attributes(self, attr):
        return ATTR.pack(
            attr[INO], attr[SIZE], attr[BLOCKS], max(0, attr[ATIME]), max(0, attr[MTIME]), max(0, attr[CTIME]),
            attr[ATIMENS], attr[MTIMENS], attr[CTIMENS], attr[MODE], attr[NLINK], self.uid, self.gid, 0, 4096, 0)

    def entry(self, parent, name, attr):
        node = self.node_for(parent, name, attr)
        node.lookups += 1
        valid = FOREVER if parent.children is not None and parent.children.get(name) is not None else 0
        return ENTRY.pack(node.id, 0, valid, valid, 0, 0) + self.attributes(attr)

    def attr_out(self, node, attr):
        valid = FOREVER if self.known(node) is not None else 0
        return struct.pack("<QII", valid, 0, 0) + self.attributes(attr)

    def on_attr(self, unique, node):
        """Answers a request whose answer from the host is a file's attributes."""
        epoch = node.epoch

        def come(answer, _):
            if "e" in answer:
                return self.reply(unique, code=answer["e"])
            if node.key not in (None, key_of(answer["a"])):
                # Another file by the same name: the kernel looks anew.
                return self.reply(unique, code=errno.ESTALE)
            self.touched(node, answer["a"] if node.epoch == epoch else None)
            self.reply(unique, self.attr_out(node, answer["a"]))

        return come

    def on_entry(self, unique, parent, name, after=lambda attr: b""):
        def come(answer, _):
            if "e" in answer:
                return self.reply(unique, code=answer["e"])
            self.entered(parent, name, answer["a"])
            self.reply(unique, self.entry(parent, name, answer["a"]) + after(answer["a"]))

        return come

    def on_gone(self, unique, parent, name):
        def come(answer, _):
            if "e" not in answer:
                self.entered(parent, name, None)
            self.reply(unique, code=answer.get("e", 0))

        return come

    def serve(self, view):
        length, op, unique, id, uid, gid, pid, _ = IN.unpack_from(view)
        body = view[40:length]
        if op == 26:
            return self.init(unique, body)
        if op in (2, 42):
            if op == 2:
                return self.forget(id, struct.unpack_from("<Q", body)[0])
            for at in range(struct.unpack_from("<I", body)[0]):
                self.forget(*struct.unpack_from("<QQ", body, 8 + 16 * at))
            return
        node, work = self.nodes.get(id), self.work.get(op)
        if work is None:
            return self.reply(unique, code=errno.ENOSYS)
        if node is None and op != 17:
            return self.reply(unique, code=errno.ESTALE)
        if pid == self.raiser and self.raised(op, unique, node, body):
            return
        if self.readonly and op in (4, 6, 8, 9, 10, 11, 12, 13, 16, 35, 45):
            return self.reply(unique, code=errno.EROFS)
        work(self, unique, node, body)

    def init(self, unique, body):
        major, minor, readahead, flags = struct.unpack_from("<IIII", body)
        # Asynchronous reads, atomic truncation at open, large writes, data dropped with a new size or time,
        # attributes with a folder's names, folders looked at in parallel, more pages, symbolic links kept.
        wanted = 1 | 1 << 3 | 1 << 5 | 1 << 12 | 1 << 13 | 1 << 18 | 1 << 22 | 1 << 23
        self.reply(unique, struct.pack("<IIIIHHIIHHI7I", 7, 31, readahead, flags & wanted, 32, 24, MOST, 1, MOST // 4096, 0, 0, *[0] * 7))

    def lookup(self, unique, parent, body):
        name = text(body)
        def found(children, code):
            if code:
                return self.reply(unique, code=code)
            attr = children.get(name, 0)
            if attr == 0:
                valid = FOREVER if parent.children is not None else 0
                return self.reply(unique, ENTRY.pack(0, 0, valid, 0, 0, 0) + bytes(88))
            if attr is None:
                return ask()
            self.reply(unique, self.entry(parent, name, attr))

        def ask():
            epoch = parent.epoch
            def come(answer, _):
                if "e" in answer:
                    return self.reply(unique, code=answer["e"])
                if parent.children is not None and name in parent.children and parent.epoch == epoch:
                    parent.children[name] = answer["a"]
                self.reply(unique, self.entry(parent, name, answer["a"]))
            self.ask("stat", come, p=join(parent, name))

        if parent.watched:
            self.listing(parent, found)
        else:
            ask()

    def getattr(self, unique, node, body):
        flags, _, fh = struct.unpack_from("<IIQ", body)
        attr = self.known(node)
        if attr is not None:
            return self.reply(unique, self.attr_out(node, attr))
        if flags & 1 and self.handles.get(fh, {}).get("opened"):
            return self.ask("stat", self.on_attr(unique, node), h=fh)
        self.ask("stat", self.on_attr(unique, node), p=node.path())

    def setattr(self, unique, node, body):
        valid, _, fh, size, _, atime, mtime, _, atimens, mtimens, _, mode, _, uid, gid, _ = struct.unpack_from("<IIQQQQQQIIIIIIII", body)
        if (valid & 2 and uid != self.uid) or (valid & 4 and gid != self.gid):
            return self.reply(unique, code=errno.EPERM)
        wish = {}
        if valid & 1:
            wish["m"] = mode & 0o777
        if valid & 8:
            wish["s"] = size
        now = time.time_ns()
        if valid & 16:
            wish["at"] = now if valid & 128 else atime * 10**9 + atimens
        if valid & 32:
            wish["mt"] = now if valid & 256 else mtime * 10**9 + mtimens
        for name in ("at", "mt"):
            if name in wish:
                wish[name] = [wish[name] // 10**9, wish[name] % 10**9]
        if valid & 64 and fh in self.handles:
            wish["h"] = fh
        self.ask("set", self.on_attr(unique, node), p=node.path(), **wish)

    def readlink(self, unique, node, body):
        def come(answer, _):
            self.reply(unique, answer.get("l", "").encode("latin-1"), answer.get("e", 0))
        self.ask("readlink", come, p=node.path())

    def symlink(self, unique, parent, body):
        name, target = bytes(body).split(b"\0")[:2]
        name = name.decode("latin-1")
        self.ask("symlink", self.on_entry(unique, parent, name), p=join(parent, name), t=target.decode("latin-1"))

    def mknod(self, unique, parent, body):
        mode = struct.unpack_from("<I", body)[0]
        if not stat.S_ISREG(mode):
            return self.reply(unique, code=errno.EPERM)
        name = text(body[16:])
        self.ask("create", self.on_entry(unique, parent, name), p=join(parent, name), m=mode & 0o777, f=os.O_EXCL)

    def mkdir(self, unique, parent, body):
        mode, name = struct.unpack_from("<I", body)[0], text(body[8:])
        self.ask("mkdir", self.on_entry(unique, parent, name), p=join(parent, name), m=mode & 0o777)

    def unlink(self, unique, parent, body):
        name = text(body)
        self.ask("unlink", self.on_gone(unique, parent, name), p=join(parent, name))

    def rmdir(self, unique, parent, body):
        name = text(body)
        self.ask("rmdir", self.on_gone(unique, parent, name), p=join(parent, name))

    def rename(self, unique, parent, body, head=8, flags=0):
        folder = self.nodes.get(struct.unpack_from("<Q", body)[0])
        old, new = (part.decode("latin-1") for part in bytes(body[head:]).split(b"\0")[:2])
        if folder is None or flags & ~1:
            return self.reply(unique, code=errno.ESTALE if folder is None else errno.EINVAL)

        def come(answer, _):
            if "e" not in answer:
                node = (parent.parsed or {}).get(old)
                self.entered(parent, old, None)
                self.entered(folder, new, answer["a"])
                if node is not None:
                    self.detach(node)
                    node.parent, node.name = folder, new
                    folder.parsed = folder.parsed or {}
                    folder.parsed[new] = node
                    self.moved(node)
            self.reply(unique, code=answer.get("e", 0))

        self.ask("rename", come, p=join(parent, old), t=join(folder, new), f=flags)

    def rename2(self, unique, parent, body):
        self.rename(unique, parent, body, 16, struct.unpack_from("<QI", body)[1])

    def moved(self, node):
        """The host watches folders by their paths: those below are looked at anew."""
        node.children, node.watched, node.epoch = None, True, node.epoch + 1
        for child in (node.parsed or {}).values():
            self.news.put(("inode", child.id, None))
            self.news.put(("entry", node.id, child.name))
            self.moved(child)

    def link(self, unique, parent, body):
        old, name = self.nodes.get(struct.unpack_from("<Q", body)[0]), text(body[8:])
        if old is None:
            return self.reply(unique, code=errno.ESTALE)
        self.touched(old)
        self.ask("link", self.on_entry(unique, parent, name), p=join(parent, name), t=old.path())

    def hold(self, node, flags, **more):
        handle = {"id": self.next_handle, "node": node, "flags": flags, **more}
        self.next_handle += 1
        self.handles[handle["id"]] = handle
        return handle["id"]

    def open(self, unique, node, body):
        flags = struct.unpack_from("<I", body)[0]
        if self.readonly and flags & 3:
            return self.reply(unique, code=errno.EROFS)
        plain = flags & (3 | os.O_APPEND | os.O_TRUNC)
        attr = self.known(node)
        if attr is not None and not plain & (3 | os.O_TRUNC) and attr[MODE] & 0o400:
            # What the kernel has of it may be all that is read: the host opens it when more is wanted.
            same = node.cached == attr[: CTIMENS + 1]
            node.cached = attr[: CTIMENS + 1]
            return self.reply(unique, struct.pack("<QII", self.hold(node, 0, lazy=True), 2 if same else 0, 0))
        fh = self.hold(node, flags & (3 | os.O_APPEND))

        def come(answer, _):
            if "e" in answer:
                self.handles.pop(fh, None)
                return self.reply(unique, code=answer["e"])
            attr = answer["a"]
            self.handles[fh]["opened"] = True
            if plain & os.O_TRUNC:
                self.touched(node, attr)
            # What the kernel has of the content is right where the file is what it was at the last open.
            same = node.cached == attr[: CTIMENS + 1] and self.known(node) is not None
            node.cached = attr[: CTIMENS + 1]
            self.reply(unique, struct.pack("<QII", fh, 2 if same else 0, 0))

        self.ask("open", come, p=node.path(), h=fh, f=plain)

    def create(self, unique, parent, body):
        flags, mode, name = *struct.unpack_from("<II", body), text(body[16:])
        fh = self.hold(None, flags & (3 | os.O_APPEND))

        def after(attr):
            self.handles[fh].update(node=self.keys[key_of(attr)], opened=True)
            return struct.pack("<QII", fh, 0, 0)

        def come(answer, payload):
            if "e" in answer:
                self.handles.pop(fh, None)
            self.on_entry(unique, parent, name, after)(answer, payload)

        self.ask("create", come, p=join(parent, name), h=fh, m=mode & 0o777, f=flags & (3 | os.O_APPEND | os.O_TRUNC | os.O_EXCL))

    def read(self, unique, node, body):
        fh, offset, size = struct.unpack_from("<QQI", body)
        handle = self.handles.get(fh, {})
        if handle.pop("lazy", False):
            def come(answer, _):
                handle["opened"] = "e" not in answer
            # Not waited for: the host takes what comes behind it in order.
            self.ask("open", come, p=handle["node"].path(), h=fh, f=0)
        self.ask("read", lambda answer, data: self.reply(unique, data, answer.get("e", 0)), h=fh, s=offset, c=size)

    def write(self, unique, node, body):
        fh, offset, size = struct.unpack_from("<QQI", body)

        def come(answer, _):
            if "e" in answer:
                return self.reply(unique, code=answer["e"])
            self.touched(node, answer["a"])
            self.reply(unique, struct.pack("<II", size, 0))

        self.touched(node)
        self.ask("write", come, body[40 : 40 + size], h=fh, s=offset)

    def fsync(self, unique, node, body):
        fh = struct.unpack_from("<Q", body)[0]
        if self.handles.get(fh, {}).get("lazy"):
            return self.reply(unique)
        self.ask("sync", lambda answer, _: self.reply(unique, code=answer.get("e", 0)), h=fh)

    def release(self, unique, node, body):
        handle = self.handles.pop(struct.unpack_from("<Q", body)[0], None)
        self.reply(unique)
        if handle is not None and handle["flags"] is not None and not handle.get("lazy"):
            self.tell("close", h=handle["id"])

    def opendir(self, unique, node, body):
        self.reply(unique, struct.pack("<QII", self.hold(node, None), 0, 0))

    def readdir(self, unique, node, body, plus=False):
        fh, offset, size = struct.unpack_from("<QQI", body)
        handle = self.handles.get(fh)
        if handle is None:
            return self.reply(unique, code=errno.EBADF)

        def give(children, code):
            if code:
                return self.reply(unique, code=code)
            if offset == 0 or "names" not in handle:
                handle["names"] = [(".", None), ("..", None), *list(children.items())]
            out, names = bytearray(), handle["names"]
            for at in range(offset, len(names)):
                name, attr = names[at]
                raw = name.encode("latin-1")
                room = -(-(24 + len(raw)) // 8) * 8
                if len(out) + room + (128 if plus else 0) > size:
                    break
                if plus:
                    out += bytes(128) if attr is None else self.entry(node, name, attr)
                known = (1, 4) if name in (".", "..") else (1, 0)
                ino, kind = known if attr is None else (attr[INO], attr[MODE] >> 12)
                out += (struct.pack("<QQII", ino, at + 1, len(raw), kind) + raw).ljust(room, b"\0")
            self.reply(unique, bytes(out))

        if offset > 0 and "names" in handle:
            return give(None, 0)
        self.listing(node, give)

    def readdirplus(self, unique, node, body):
        self.readdir(unique, node, body, True)

    def statfs(self, unique, node, body):
        def come(answer, _):
            if "e" in answer:
                return self.reply(unique, code=answer["e"])
            blocks, free, available, files, unused, size = answer["f"]
            self.reply(unique, struct.pack("<QQQQQIIII6I", blocks, free, available, files, unused, size, 255, size, 0, *[0] * 6))
        self.ask("statfs", come)

    def nothing(self, unique, node, body):
        self.reply(unique)

    work = {
        1: lookup, 3: getattr, 4: setattr, 5: readlink, 6: symlink, 8: mknod, 9: mkdir, 10: unlink, 11: rmdir, 12: rename,
        13: link, 14: open, 15: read, 16: write, 17: statfs, 18: release, 20: fsync, 27: opendir, 28: readdir, 29: release,
        30: nothing, 35: create, 44: readdirplus, 45: rename2,
    }

    # Telling the kernel, and by it whoever watches files

    def raised(self, op, unique, node, body):
        """
        Requests of our own thread: the change has happened, on the host; the kernel is only made to tell of it. Nothing
        of them goes to the host. True when answered.
        """
        ghost = self.ghosts.get("now")
        if op in (18, 29):
            return False
        if op == 14:
            self.reply(unique, struct.pack("<QII", self.hold(node, None), 2, 0))
            return True
        if op == 4 and ghost is not None and ghost["attr"] is not None:
            self.reply(unique, self.attr_out(node, ghost["attr"]))
            return True
        if ghost is None or op not in (1, 6, 9, 10, 11, 35):
            return op not in (1, 3, 27, 28, 44) and (self.reply(unique, code=errno.EPERM) or True)
        name = text(body[{9: 8, 35: 16}.get(op, 0):])
        if node.id != ghost["parent"] or name != ghost["name"]:
            return op != 1 and (self.reply(unique, code=errno.EPERM) or True)
        attr = ghost["attr"]
        if op == 1 and ghost["kind"] == "c":
            self.reply(unique, ENTRY.pack(0, 0, 0, 0, 0, 0) + bytes(88))
        elif op == 1 and ghost["kind"] == "d":
            child = self.nodes.get(ghost["child"])
            if child is None:
                self.reply(unique, code=errno.ENOENT)
            else:
                child.lookups += 1
                attr = [child.key[2] | 0o600, 0, child.key[0], 1] + [0] * 8
                self.reply(unique, ENTRY.pack(child.id, 0, 0, 0, 0, 0) + self.attributes(attr))
        elif op in (10, 11):
            self.reply(unique, code=0 if ghost["kind"] == "d" else errno.EPERM)
        elif op == 1:
            return False
        elif attr is None:
            self.reply(unique, code=errno.EPERM)
        else:
            entry = self.entry(node, name, attr)
            self.reply(unique, entry + (struct.pack("<QII", self.hold(None, None), 0, 0) if op == 35 else b""))
        return True

    def notify(self, code, data):
        try:
            os.write(self.fuse, OUT.pack(16 + len(data), code, 0) + data)
        except OSError:
            pass

    def inval(self, what, id, name):
        if what == "inode":
            self.notify(2, struct.pack("<Qqq", id, 0, 0))
        else:
            raw = name.encode("latin-1")
            self.notify(3, struct.pack("<QII", id, len(raw), 0) + raw + b"\0")

    def raise_events(self, device):
        """A thread of its own: to tell the kernel may wait for a request that the main one has yet to answer."""
        self.raiser = threading.get_native_id()
        while True:
            what, id, detail = self.news.get()
            try:
                if what == "raise":
                    # Not kept open, or the file system could never be unmounted.
                    root = os.open(self.target, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
                    try:
                        self.raise_event(root, device, id, *detail)
                    finally:
                        os.close(root)
                else:
                    self.inval(what, id, detail)
            except OSError:
                pass

    def raise_event(self, root, device, parent, folder, name, kind, attr, child):
        if kind != "d":
            self.inval("entry", parent, name) if kind == "c" else self.inval("inode", child, None) if child else None
        self.ghosts["now"] = {"parent": parent, "name": name, "kind": kind, "attr": attr, "child": child}
        fd = root
        try:
            # No symbolic link is followed: the user may have put one there, and this is root.
            for part in folder.split("/") if folder else ():
                below = os.open(part.encode("latin-1"), os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=fd)
                if fd != root:
                    os.close(fd)
                fd = below
            if os.fstat(fd).st_dev == device:
                self.act(fd, name.encode("latin-1"), kind, attr, child, device)
        finally:
            if fd != root:
                os.close(fd)
            self.ghosts.pop("now", None)
            if kind == "d":
                self.inval("entry", parent, name)

    def act(self, fd, name, kind, attr, child, device):
        if kind == "d":
            gone = self.nodes.get(child)
            if gone is not None:
                (os.rmdir if stat.S_ISDIR(gone.key[2]) else os.unlink)(name, dir_fd=fd)
        elif kind == "c" and stat.S_ISDIR(attr[MODE]):
            os.mkdir(name, dir_fd=fd)
        elif kind == "c" and stat.S_ISLNK(attr[MODE]):
            os.symlink(b"/", name, dir_fd=fd)
        elif kind == "c":
            try:
                os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600, dir_fd=fd))
            except FileExistsError:
                # Somebody looked between the change and this: the kernel has it.
                self.act(fd, name, "m", attr, child, device)
        elif stat.S_ISREG(attr[MODE]) and kind == "m":
            file = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=fd)
            try:
                if os.fstat(file).st_dev == device:
                    os.ftruncate(file, attr[SIZE])
            finally:
                os.close(file)
        elif not stat.S_ISLNK(attr[MODE]):
            file = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=fd)
            try:
                if os.fstat(file).st_dev == device:
                    os.chmod("/proc/self/fd/%d" % file, attr[MODE] & 0o777)
            finally:
                os.close(file)

    def run(self, listener):
        """Until the file system is unmounted."""
        room = bytearray(MOST + 65536)
        view = memoryview(room)
        poll = select.poll()
        poll.register(self.fuse, select.POLLIN)
        poll.register(listener, select.POLLIN)
        while True:
            fds = [] if self.source is None else [self.source]
            for fd in fds:
                poll.register(fd, select.POLLIN)
            if self.outbox and self.sink is not None:
                poll.register(self.sink, select.POLLOUT | (select.POLLIN if self.sink == self.source else 0))
                fds.append(self.sink)
            ready = dict(poll.poll(None if self.sink is not None else 1000))
            for fd in set(fds):
                poll.unregister(fd)
            if self.sink is not None and self.sink in ready and ready[self.sink] & (select.POLLOUT | select.POLLERR):
                self.push()
            if self.source is not None and self.source in ready:
                self.hear()
            if self.sink is None and self.pending and time.monotonic() - self.lost_at > PATIENCE:
                self.give_up()
            if listener.fileno() in ready:
                self.take(listener)
            if self.fuse in ready:
                for _ in range(16):
                    try:
                        os.readv(self.fuse, [room])
                    except BlockingIOError:
                        break
                    except OSError as error:
                        if error.errno == errno.ENODEV:
                            return
                        if error.errno not in (errno.EINTR, errno.ENOENT):
                            raise
                        continue
                    try:
                        self.serve(view)
                    except Exception:
                        # One request that nobody foresaw shall not take the folder away.
                        traceback.print_exc()
                        self.reply(IN.unpack_from(view)[2], code=errno.EIO)

    def take(self, listener):
        """Another connection to the host: its ends come as file descriptors."""
        peer, _ = listener.accept()
        with peer:
            peer.settimeout(5)
            try:
                mode, fds, _, _ = socket.recv_fds(peer, 1, 3)
            except OSError:
                return
        if len(fds) == 3:
            self.readonly = mode == b"r"
            self.connect(*fds)


def key_of(attr):
    """Numbers of files are used again: what was born then, and of what kind it is, tells them apart."""
    return attr[INO], attr[BORN], stat.S_IFMT(attr[MODE])


def text(body):
    return bytes(body).split(b"\0", 1)[0].decode("latin-1")


def join(parent, name):
    path = parent.path()
    return path + "/" + name if path else name


def mounted(target):
    return device_of(target) is not None


def device_of(target):
    """Of the mount there, without asking the file system for it."""
    with open("/proc/self/mountinfo") as mounts:
        for line in mounts:
            fields = line.split()
            if fields[4] == target.replace(" ", "\\040") and " - fuse.guesthouse " in line:
                return os.makedev(*map(int, fields[2].split(":")))
    return None


def unmount(target):
    while mounted(target):
        # Who waits there for a host that never comes again is let go first, umount itself included.
        try:
            with open("/sys/fs/fuse/connections/%d/abort" % os.minor(device_of(target)), "w") as abort:
                abort.write("1")
        except OSError:
            pass
        subprocess.run(["umount", "-l", "--", target], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def mount(target):
    fuse = os.open("/dev/fuse", os.O_RDWR | os.O_NONBLOCK)
    options = "fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other,nosuid,nodev,max_read=%d" % (fuse, MOST)
    subprocess.run(
        ["mount", "-i", "-t", "fuse.guesthouse", "-o", options, "guesthouse", target],
        check=True, pass_fds=[fuse], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return fuse


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


def main(settings):
    target, folder = settings["target"], settings["state"]
    if settings.get("unmount"):
        return unmount(target)
    os.makedirs(folder, 0o700, exist_ok=True)
    path = os.path.join(folder, settings["key"])
    life, held = os.pipe()
    if mounted(target):
        # Who waits there keeps the files open that programs have open, so they go on.
        try:
            with socket.socket(socket.AF_UNIX) as daemon:
                daemon.settimeout(5)
                daemon.connect(path)
                socket.send_fds(daemon, [b"r" if settings["readonly"] else b"w"], [0, 1, held])
        except OSError:
            unmount(target)
        else:
            return wait(life, held)
    os.makedirs(target, exist_ok=True)
    if not os.path.exists("/dev/fuse"):
        subprocess.run(["modprobe", "fuse"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    share = Share(target, settings["uid"], settings["gid"], settings["readonly"])
    share.fuse = mount(target)
    teach_git()
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(4)
    if os.fork() != 0:
        return wait(life, held)
    os.setsid()
    os.chdir("/")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    null = os.open("/dev/null", os.O_RDWR)
    ends = os.dup(0), os.dup(1), os.dup(held)
    for fd in (0, 1):
        os.dup2(null, fd)
    os.dup2(os.open(path + ".log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), 2)
    os.close(life)
    os.close(held)
    share.connect(*ends)

    threading.Thread(target=share.raise_events, args=[device_of(target)], daemon=True).start()
    share.run(listener)
    os.unlink(path)
    os._exit(0)


def wait(life, held):
    """The SSH session lives as long as this process; the other one says when by closing its end."""
    os.close(held)
    os.read(life, 1)


main(SETTINGS)
