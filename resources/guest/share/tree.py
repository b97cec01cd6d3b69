"""The inodes that the kernel knows, and what is remembered of them and of what is in them.

What is remembered of a folder is right for as long as the host watches that folder: a change there comes as a notice
behind every answer that was given before it. So nothing is asked twice, and nothing is stale. Whatever the kernel must
be told of such a change goes into `news`, for the thread in events.py.
"""
import queue

from share.frames import CREATED, DELETED, LOST, key_of
from share.fuse import FUSE_ROOT_ID

# With more waiting, a change is not raised as an event; the kernel still forgets what it knew.
MOST_NEWS = 2000

# Kinds of news.
FORGET_INODE, FORGET_ENTRY, RAISE_EVENT = "inode", "entry", "raise"


class Node:
    """An inode that the kernel knows. `children` is a folder's content while the host watches it, `parsed` the inodes in it
    that the kernel knows, `waiting` who waits for its content, `cached` the file that the kernel has the content of.
    `epoch` grows with each change, so that an answer from before one is not kept."""
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

    def path_of(self, name):
        path = self.path()
        return path + "/" + name if path else name


class Tree:
    def __init__(self):
        self.root = Node(FUSE_ROOT_ID, None, "")
        self.nodes, self.keys, self.next_node = {FUSE_ROOT_ID: self.root}, {}, FUSE_ROOT_ID + 1
        self.news = queue.Queue()

    # Inodes

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
        self.attach(node, parent, name)
        return node

    def attach(self, node, parent, name):
        node.parent, node.name = parent, name
        parent.parsed = parent.parsed or {}
        parent.parsed[name] = node

    def detach(self, node):
        parsed = node.parent.parsed if node.parent else None
        if parsed and parsed.get(node.name) is node:
            del parsed[node.name]

    def forget(self, id, count):
        """The kernel has let go of so many of its references."""
        node = self.nodes.get(id)
        if node is None or id == FUSE_ROOT_ID:
            return
        node.lookups -= count
        if node.lookups <= 0:
            self.detach(node)
            self.nodes.pop(id, None)
            if self.keys.get(node.key) is node:
                del self.keys[node.key]

    def find(self, path):
        """The node of a path, as far as the kernel knows it."""
        node = self.root
        for name in path.split("/") if path else ():
            node = (node.parsed or {}).get(name)
            if node is None:
                return None
        return node

    # What is remembered

    def known(self, node):
        """A file's attributes, where they are known for certain."""
        if node.parent is None:
            return node.attr if node.children is not None else None
        children = node.parent.children
        return None if children is None else children.get(node.name)

    def remember(self, node, attr):
        """What is known of a file from now on; None: the host must be asked again."""
        if node.parent is None:
            node.attr = attr
        elif node.parent.children is not None and node.name in node.parent.children:
            node.parent.children[node.name] = attr

    def forget_all(self):
        """A new host knows nothing of what the last one told, and nobody told what happened in between."""
        for node in list(self.nodes.values()):
            node.children, node.watched, node.epoch, node.waiting = None, True, node.epoch + 1, None
            self.news.put((FORGET_INODE, node.id, None))
            if node.parent is not None:
                self.news.put((FORGET_ENTRY, node.parent.id, node.name))

    def forget_children(self, folder):
        """Makes the kernel look again at what it knows in a folder."""
        for child in list((folder.parsed or {}).values()):
            self.news.put((FORGET_INODE, child.id, None))
            self.news.put((FORGET_ENTRY, folder.id, child.name))

    # This guest's changes

    def entered(self, parent, name, attr):
        """This guest made (or with None removed) an entry."""
        parent.epoch += 1
        if parent.children is not None:
            if attr is None:
                parent.children.pop(name, None)
            else:
                parent.children[name] = attr
        # The kernel knows that the folder changed.
        self.remember(parent, None)

    def moved(self, parent, old, folder, new, attr):
        """This guest renamed an entry."""
        node = (parent.parsed or {}).get(old)
        self.entered(parent, old, None)
        self.entered(folder, new, attr)
        if node is not None:
            self.detach(node)
            self.attach(node, folder, new)
            self.look_again(node)

    def look_again(self, node):
        """The host watches folders by their paths, so all below a moved one is looked at again."""
        node.children, node.watched, node.epoch = None, True, node.epoch + 1
        self.forget_children(node)
        for child in (node.parsed or {}).values():
            self.look_again(child)

    # The host's changes

    def changed(self, folder, name, kind, attr):
        """The host tells of a change."""
        parent = self.find(folder)
        if parent is None:
            return
        parent.epoch += 1
        if kind == LOST:
            parent.children = None
            return self.forget_children(parent)
        if parent.children is not None:
            if kind == DELETED:
                parent.children.pop(name, None)
            else:
                parent.children[name] = attr
        child = (parent.parsed or {}).get(name)
        replaced = kind in (CREATED, DELETED)
        if child is not None:
            child.epoch += 1
            if replaced or (attr is not None and child.key != key_of(attr)):
                child.children = None
        if replaced:
            # The folder's own times changed with what is in it.
            if parent.parent is not None:
                self.remember(parent, None)
            parent.attr = None
            self.news.put((FORGET_INODE, parent.id, None))
        if self.news.qsize() < MOST_NEWS:
            self.news.put((RAISE_EVENT, parent.id, (folder, name, kind, attr, child.id if child else None)))
        else:
            self.news.put((FORGET_ENTRY, parent.id, name))
