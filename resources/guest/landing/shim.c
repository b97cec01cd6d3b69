// A library in front of libc for the relocated SSH server and SFTP server,
// which run as an ordinary user of any container. The server takes the user
// from the environment (an image may have no passwd file), never believes to be
// root (as root it wants users and privileges that containers lack), and its
// changes of owner and user do nothing. With -DSFTP only the user is answered.
// Bound to no version of libc: nothing is linked, libc's names are left open.
#define _GNU_SOURCE
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define SHOW __attribute__((visibility("default")))

extern long syscall(long number, ...);
#include <sys/syscall.h>

static uid_t realUid;

// Early: the server's sandbox may forbid the call later on.
__attribute__((constructor)) static void remember(void) {
  realUid = syscall(SYS_getuid);
}

static const char *variable(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value && *value ? value : otherwise;
}

#ifdef SFTP
static uid_t uid(void) { return realUid; }
#else
static uid_t uid(void) { return realUid ? realUid : 4242; }
#endif

static struct passwd *user(void) {
  static struct passwd entry;
  static gid_t gid;
  if (!entry.pw_name)
    gid = syscall(SYS_getgid);
  entry.pw_name =
      (char *)variable("GUESTHOUSE_USER", variable("USER", "root"));
  entry.pw_passwd = "*";
  entry.pw_gecos = "";
  entry.pw_uid = uid();
  entry.pw_gid = gid;
  entry.pw_dir = (char *)variable("HOME", "/");
  entry.pw_shell = "/dev/.guesthouse/bin/session";
  return &entry;
}

SHOW struct passwd *getpwuid(uid_t id) {
  return id == uid() ? user() : NULL;
}
SHOW struct passwd *getpwnam(const char *name) {
  struct passwd *entry = user();
  return strcmp(name, entry->pw_name) ? NULL : entry;
}

#ifndef SFTP
SHOW uid_t getuid(void) { return uid(); }
SHOW uid_t geteuid(void) { return uid(); }
SHOW int setgroups(size_t n, const gid_t *list) { return 0; }
SHOW int initgroups(const char *name, gid_t id) { return 0; }
SHOW int chown(const char *path, uid_t u, gid_t g) { return 0; }
SHOW int fchown(int file, uid_t u, gid_t g) { return 0; }
SHOW int lchown(const char *path, uid_t u, gid_t g) { return 0; }
SHOW int setuid(uid_t u) { return 0; }
SHOW int setgid(gid_t g) { return 0; }
SHOW int seteuid(uid_t u) { return 0; }
SHOW int setegid(gid_t g) { return 0; }
SHOW int setreuid(uid_t r, uid_t e) { return 0; }
SHOW int setregid(gid_t r, gid_t e) { return 0; }
SHOW int setresuid(uid_t r, uid_t e, uid_t s) { return 0; }
SHOW int setresgid(gid_t r, gid_t e, gid_t s) { return 0; }
#endif
