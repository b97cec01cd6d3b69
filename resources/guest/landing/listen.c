// listen RUN: the listener in the container, started as its user by "prepare".
// RUN is the user's folder, /dev/.guesthouse/run/UID. It registers with the VM
// by the socket there, then gets two sockets for each connection, one to read
// from and one to write to, and starts the SSH server on them. Ends when the VM closes the channel; sessions go on.
#define _GNU_SOURCE
#include "settings.h"
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BIN "/dev/.guesthouse/bin/"

static const char *runFolder;
static char **settings;

static char *joined(const char *a, const char *b, const char *c) {
  char *whole = malloc(strlen(a) + strlen(b) + strlen(c) + 1);
  if (!whole)
    _exit(1);
  return strcat(strcat(strcpy(whole, a), b), c);
}

// A home folder that isn't there would cost each session a line of complaint;
// the session gets its name all the same.
static void checkHome(void) {
  for (char **entry = settings; *entry; entry++)
    if (strncmp(*entry, "HOME=", 5) == 0 && access(*entry + 5, X_OK))
      *entry = "HOME=/";
}

static int registerAtVm(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const int channel = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  char *path = joined(runFolder, "/", "landd.sock");
  if (channel < 0 || strlen(path) >= sizeof address.sun_path)
    return -1;
  strcpy(address.sun_path, path);
  return connect(channel, (void *)&address, sizeof address) ? -1 : channel;
}

// 1: two sockets, 0: the channel has ended, -1: nothing of use
// text: what landd wants, with its end
static int receiveSockets(int channel, int sockets[2], char *text, size_t size) {
  struct iovec data = {text, size - 1};
  union {
    struct cmsghdr align;
    char space[CMSG_SPACE(2 * sizeof(int))];
  } control = {0};
  struct msghdr message = {.msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control.space};
  const ssize_t n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
  if (n == 0)
    return 0;
  if (n < 0)
    return errno == EINTR ? -1 : 0;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(2 * sizeof(int)))
    return -1;
  memcpy(sockets, CMSG_DATA(header), 2 * sizeof(int));
  text[n] = 0;
  return 1;
}

static void serve(const int sockets[2], int errors) {
  char *command[] = {
      BIN "sshd",
      "-i",
      "-e",
      "-f",
      "/dev/.guesthouse/etc/sshd_config",
      "-o",
      joined("HostKey=", runFolder, "/host_key.pub"),
      "-o",
      joined("HostKeyAgent=", runFolder, "/agent.sock"),
      "-o",
      joined("AuthorizedKeysFile=", runFolder, "/authorized_keys"),
      NULL,
  };
  checkHome();
  setsid();
  signal(SIGCHLD, SIG_DFL);
  signal(SIGPIPE, SIG_DFL);
  // 0, 1 and 2 are in use, so that neither socket is one of them.
  if (dup2(sockets[0], 0) < 0 || dup2(sockets[1], 1) < 0 || dup2(errors, 2) < 0)
    _exit(1);
  execve(command[0], command, settings);
  _exit(127);
}

// Connects to HOST PORT as the container sees them: its loopback, its services'
// names. -1 when nobody listens.
static int reach(const char *where, const char *port) {
  struct addrinfo *all = NULL, hints = {.ai_socktype = SOCK_STREAM};
  if (getaddrinfo(where, port, &hints, &all))
    return -1;
  for (struct addrinfo *one = all; one; one = one->ai_next) {
    const int fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, one->ai_addr, one->ai_addrlen) == 0)
      return fd;
    if (fd >= 0)
      close(fd);
  }
  return -1;
}

static void pump(int from, int to) {
  static char bytes[1 << 16];
  for (;;) {
    const ssize_t n = read(from, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return;
    for (ssize_t at = 0, sent; at < n; at += sent) {
      sent = write(to, bytes + at, n - at);
      if (sent < 0 && errno == EINTR)
        sent = 0;
      else if (sent < 0)
        return;
    }
  }
}

// One process for each direction: neither waits for the other.
static void relay(const int sockets[2], char *where) {
  char *port = strchr(where, ' ');
  if (!port)
    _exit(1);
  *port++ = 0;
  alarm(30);
  int fd = reach(where, port);
  if (fd < 0 && strcmp(where, "127.0.0.1") == 0)
    fd = reach("::1", port); // servers that say "localhost" may mean that
  alarm(0);
  if (fd < 0)
    _exit(1);
  signal(SIGPIPE, SIG_DFL);
  if (fork() == 0) {
    close(sockets[0]);
    pump(fd, sockets[1]);
    _exit(0);
  }
  close(sockets[1]);
  pump(sockets[0], fd);
  shutdown(fd, SHUT_WR);
  _exit(0);
}

int main(int count, char **words) {
  if (count != 2)
    return 2;
  runFolder = words[1];
  int null;
  do // whatever the container's engine gave, three descriptors are taken
    null = open("/dev/null", O_RDWR);
  while (null >= 0 && null < 3);
  fcntl(null, F_SETFD, FD_CLOEXEC);
  settings = readSettings(runFolder, "settings");
  const int channel = registerAtVm();
  if (!settings || channel < 0)
    return 1;
  // What sessions leave behind is reaped here: a container's first process is
  // often a "sleep" that reaps nothing.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  signal(SIGCHLD, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  for (;;) {
    int sockets[2];
    char text[512];
    const int got = receiveSockets(channel, sockets, text, sizeof text);
    if (got == 0)
      return 0;
    if (got < 0)
      continue;
    if (fork() == 0)
      text[0] == 'r' ? relay(sockets, text + 1) : serve(sockets, null);
    close(sockets[0]);
    close(sockets[1]);
  }
}
