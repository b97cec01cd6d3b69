// show PIDFD TOOLS SHOWN: shows the tool folder at /dev/.guesthouse of the
// container whose init PIDFD refers to, and the folder SHOWN at its run/, both
// read-only. Runs as the VM's root, so: static (nothing of the container is
// loaded), no path of the container is followed through a link, and the trees
// are detached from the VM's mounts before the container sees them. Does
// nothing where they are shown already.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

// linux/mount.h and sys/mount.h don't agree with each other everywhere.
enum { openTree = 428, moveMount = 429, setMountAttributes = 442 };
enum { cloneTree = 1, fromIsEmpty = 0x04, toIsEmpty = 0x40 };
enum { readOnly = 1, noSetuid = 2, noDevices = 4, noPrograms = 8 };
struct attributes {
  uint64_t set, clear, propagation, userns;
};

struct tree {
  int fd;
  dev_t device;
  ino_t inode;
};

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

// A copy of the mount that is in no peer group: what a container mounts on it
// must not appear in the VM.
static struct tree copyOf(const char *folder, uint64_t set) {
  struct tree tree = {0};
  struct attributes attributes = {.set = set, .propagation = MS_PRIVATE};
  struct stat here;
  tree.fd = syscall(openTree, AT_FDCWD, folder, cloneTree | O_CLOEXEC);
  if (tree.fd < 0 || fstat(tree.fd, &here))
    fail(folder);
  if (syscall(setMountAttributes, tree.fd, "", AT_EMPTY_PATH, &attributes,
              sizeof attributes))
    fail("can't make the tool folder read-only");
  tree.device = here.st_dev;
  tree.inode = here.st_ino;
  return tree;
}

static int folderAt(int at, const char *name) {
  return openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool isShown(int at, const struct tree *tree) {
  struct stat here;
  struct statvfs about;
  return !fstat(at, &here) && here.st_dev == tree->device &&
         here.st_ino == tree->inode && !fstatvfs(at, &about) &&
         (about.f_flag & ST_RDONLY);
}

// The folder NAME with the tree on it; what was there stays below.
static int showAt(int at, const char *name, const struct tree *tree) {
  int folder = folderAt(at, name);
  if (folder < 0)
    fail("there is no folder to show the tools in");
  if (isShown(folder, tree))
    return folder;
  int moved = syscall(moveMount, tree->fd, "", folder, "", fromIsEmpty | toIsEmpty);
  if (moved && errno == ENOENT && !fchdir(at) &&
      !umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW)) {
    // Nothing can be put on what an update of the VM has deleted since.
    close(folder);
    folder = folderAt(at, name);
    moved = syscall(moveMount, tree->fd, "", folder, "", fromIsEmpty | toIsEmpty);
  }
  if (moved)
    fail("can't show the tools");
  close(folder);
  folder = folderAt(at, name);
  if (folder < 0 || !isShown(folder, tree)) {
    errno = EBUSY;
    fail("the container covered the tools with something else");
  }
  return folder;
}

int main(int count, char **words) {
  static const char name[] = ".guesthouse";
  if (count != 4)
    return 2;
  const struct tree tools =
      copyOf(words[2], readOnly | noSetuid | noDevices);
  const struct tree shown =
      copyOf(words[3], readOnly | noSetuid | noDevices | noPrograms);
  if (setns(atoi(words[1]), CLONE_NEWNS))
    fail("can't enter the container");
  const int dev = folderAt(AT_FDCWD, "/dev");
  if (dev < 0)
    fail("the container's /dev isn't a folder");
  umask(0);
  if (mkdirat(dev, name, 0755) && errno != EEXIST)
    fail("can't make /dev/.guesthouse in the container");
  const int target = folderAt(dev, name);
  if (target < 0) { // a link or a file of the container's under our name
    unlinkat(dev, name, 0);
    mkdirat(dev, name, 0755);
  } else {
    close(target);
  }
  showAt(showAt(dev, name, &tools), "run", &shown);
  return 0;
}
