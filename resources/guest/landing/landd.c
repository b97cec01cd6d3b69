// landd: ends SSH connections to the VM's landing port inside its dev container.
// A root daemon of the VM. It holds the port, relays each connection to the
// listener in the container (listen.c), and has one made by "prepare" when
// there is none. It lives in an empty network of its own, so that no socket of
// it gives a container anything of the VM's network.
#define _GNU_SOURCE
#include "landd.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct folders folders = {.lib = "/usr/lib/guesthouse/landing",
                                 .run = "/run/guesthouse/landing"};
static int channel = -1; // to the listener in the container
static char about[maxMessage] = "null"; // what "prepare" told, JSON
static char failure[maxMessage];
static int64_t failedMs;
static bool askedAgain; // a command came while "prepare" was running

// Ports of the VM that lead into the container. Their sockets come from
// guesthouse-landing, which is in the VM's network.
static struct relay {
  int fd; // 0: unused
  char target[maxTarget];
} relays[maxRelays];

// Commands of guesthouse-landing: one word in, one line of JSON out.
static struct control {
  int fd; // 0: unused
  bool waits;
} controls[maxControls];

int64_t nowMs(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void forgetChannel(void) {
  if (channel >= 0)
    close(channel); // the listener ends, its sessions go on
  channel = -1;
  strcpy(about, "null");
}

static void answer(struct control *control, const char *line) {
  (void)!send(control->fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);
  close(control->fd);
  *control = (struct control){0};
}

static void answerStatus(struct control *control) {
  int inUse = 0, wait = 0;
  for (int i = 0; i < maxConnections; i++) {
    wait += connections[i].state == waiting;
    inUse += connections[i].state == opening || connections[i].state == open_;
  }
  char line[maxMessage + 256];
  snprintf(line, sizeof line,
           "{\"listener\": %s, \"connections\": %d, \"waiting\": %d, "
           "\"preparing\": %s}\n",
           about, inUse, wait, preparing() ? "true" : "false");
  answer(control, line);
}

static void closeAll(void) {
  for (int i = 0; i < maxConnections; i++)
    if (connections[i].state != unused)
      closeConnection(&connections[i]);
}

static void closeRelays(void) {
  for (int i = 0; i < maxRelays; i++)
    if (relays[i].fd > 0) {
      close(relays[i].fd);
      relays[i] = (struct relay){0};
    }
}

static bool addRelay(int fd, const char *target) {
  for (int i = 0; i < maxRelays && fd >= 0 && strlen(target) < maxTarget; i++)
    if (relays[i].fd == 0) {
      relays[i].fd = fd;
      fcntl(fd, F_SETFL, O_NONBLOCK);
      strcpy(relays[i].target, target);
      return true;
    }
  if (fd >= 0)
    close(fd);
  return false;
}

// A command and the descriptor that may come with it, or -1.
static ssize_t receiveCommand(int from, char *word, size_t size, int *passed) {
  struct iovec data = {word, size - 1};
  union {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {.msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control.space};
  const ssize_t n = recvmsg(from, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
  *passed = -1;
  if (header && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN(sizeof(int)))
    memcpy(passed, CMSG_DATA(header), sizeof(int));
  return n;
}

static void obey(struct control *control) {
  char word[maxTarget + 8];
  int passed;
  const ssize_t n = receiveCommand(control->fd, word, sizeof word, &passed);
  if (n < 0 && errno == EAGAIN)
    return;
  word[n > 0 ? n : 0] = 0;
  word[strcspn(word, "\n")] = 0;
  if (strncmp(word, "relay ", 6) == 0) {
    answer(control, addRelay(passed, word + 6) ? "{\"ok\": true}\n"
                                               : "{\"ok\": false}\n");
    return;
  }
  if (passed >= 0)
    close(passed);
  if (strcmp(word, "status") == 0) {
    answerStatus(control);
  } else if (strcmp(word, "clear") == 0) {
    forgetChannel();
    closeRelays();
    closeAll();
    answer(control, "{\"ok\": true}\n");
  } else if (strcmp(word, "norelays") == 0) {
    closeRelays();
    answer(control, "{\"ok\": true}\n");
  } else if (strcmp(word, "prepare") == 0 && !control->waits) {
    control->waits = true;
    if (preparing())
      askedAgain = true; // what runs may have read the target of before
    else
      startPreparing(&folders);
  } else {
    answer(control, "{\"ok\": false}\n");
  }
}

static void acceptControl(int listener) {
  const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0)
    return;
  for (int i = 0; i < maxControls; i++)
    if (controls[i].fd == 0) {
      controls[i].fd = fd;
      return;
    }
  close(fd);
}

static void takeOutcome(const struct outcome *outcome) {
  if (askedAgain) {
    askedAgain = false;
    if (outcome->channel >= 0)
      close(outcome->channel);
    startPreparing(&folders);
    return;
  }
  const char *json = strchr(outcome->text, '\n');
  json = json ? json + 1 : "{}";
  forgetChannel();
  if (outcome->ok) {
    channel = outcome->channel;
    snprintf(about, sizeof about, "%s", json);
    failedMs = 0;
  } else {
    snprintf(failure, sizeof failure, "%s", outcome->text);
    failedMs = nowMs();
    say("%.*s", (int)strcspn(failure, "\n"), failure);
  }
  for (int i = 0; i < maxControls; i++)
    if (controls[i].fd > 0 && controls[i].waits) {
      char line[maxMessage + 2];
      snprintf(line, sizeof line, "%s\n", json);
      answer(&controls[i], line);
    }
}

// Hands over who waits, or has a listener made, or says why there is none.
static void admit(struct connection *c) {
  if (channel >= 0) {
    if (handOver(c, channel))
      return;
    forgetChannel(); // restarted, rebuilt or stopped
    if (c->retried) {
      turnAway(c, "The dev container ended while the connection was made.");
      return;
    }
    c->retried = true;
  }
  if (preparing())
    return;
  if (failedMs > 0 && nowMs() - failedMs < againMs)
    turnAway(c, failure);
  else
    startPreparing(&folders);
}

// The folder that containers see has a file system of its own: nothing else of
// the VM's /run can be reached through it, and it can't fill the VM's memory.
static void makeFolders(void) {
  char shown[256];
  snprintf(shown, sizeof shown, "%s/shown", folders.run);
  mkdir(folders.run, 0700);
  mkdir(shown, 0700);
  struct stat above, here;
  if (stat(folders.run, &above) || stat(shown, &here)) {
    say("can't use %s: %s", shown, strerror(errno));
    exit(1);
  }
  if (above.st_dev == here.st_dev &&
      mount("guesthouse-landing", shown, "tmpfs",
            MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4m,nr_inodes=512,mode=0700")) {
    say("can't mount %s: %s", shown, strerror(errno));
    exit(1);
  }
}

// The sockets that systemd holds: TCP is the landing port, the rest takes
// commands.
static size_t inherited(struct pollfd *polls, size_t max, size_t *tcps) {
  const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
  const int n = count ? atoi(count) : 0;
  size_t found = 0;
  if (pid && atoi(pid) != getpid())
    return 0;
  for (int pass = 0; pass < 2; pass++) {
    for (int fd = 3; fd < 3 + n && found < max; fd++) {
      int domain = 0;
      socklen_t size = sizeof domain;
      if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size))
        continue;
      if ((domain == AF_UNIX) != (pass == 1))
        continue;
      fcntl(fd, F_SETFD, FD_CLOEXEC);
      fcntl(fd, F_SETFL, O_NONBLOCK);
      polls[found++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    if (pass == 0)
      *tcps = found;
  }
  unsetenv("LISTEN_PID");
  unsetenv("LISTEN_FDS");
  return found;
}

static int timeoutMs(void) {
  int64_t first = preparing() ? preparingDeadlineMs() : INT64_MAX;
  for (int i = 0; i < maxConnections; i++) {
    const struct connection *c = &connections[i];
    if (c->state != unused && c->deadlineMs > 0 && c->deadlineMs < first)
      first = c->deadlineMs;
  }
  if (first == INT64_MAX)
    return -1;
  const int64_t left = first - nowMs() + 1;
  return left < 0 ? 0 : (int)left;
}

static struct pollfd
    polls[16 + maxControls + maxRelays + 3 * maxConnections];

static void serve(size_t fixed, size_t listeners, size_t tcps) {
  size_t n = fixed;
  polls[listeners + 1] = (struct pollfd){.fd = preparingSocket(), .events = POLLIN};
  polls[listeners + 2] = (struct pollfd){.fd = channel, .events = POLLIN};
  for (int i = 0; i < maxControls; i++)
    polls[n++] = (struct pollfd){
        .fd = controls[i].fd > 0 ? controls[i].fd : -1, .events = POLLIN};
  const size_t relaysAt = n;
  for (int i = 0; i < maxRelays; i++)
    polls[n++] = (struct pollfd){
        .fd = relays[i].fd > 0 ? relays[i].fd : -1, .events = POLLIN};
  size_t at[maxConnections], count[maxConnections];
  for (int i = 0; i < maxConnections; i++) {
    at[i] = n;
    n += count[i] = watchConnection(&connections[i], polls + n);
  }
  if (poll(polls, n, timeoutMs()) < 0)
    return;
  for (int i = 0; i < maxConnections; i++)
    serveConnection(&connections[i], polls + at[i], count[i]);
  // The listener says nothing: whatever comes is its end, or isn't it.
  if (channel >= 0 && polls[listeners + 2].revents)
    forgetChannel();
  struct outcome outcome;
  if (prepared(&outcome, polls[listeners + 1].revents != 0))
    takeOutcome(&outcome);
  for (int i = 0; i < maxControls; i++)
    if (polls[fixed + i].revents && controls[i].fd == polls[fixed + i].fd)
      obey(&controls[i]);
  for (size_t i = 0; i < listeners; i++)
    if (polls[i].revents)
      i < tcps ? acceptClient(polls[i].fd, "") : acceptControl(polls[i].fd);
  for (int i = 0; i < maxRelays; i++)
    if (polls[relaysAt + i].revents && relays[i].fd == polls[relaysAt + i].fd)
      acceptClient(relays[i].fd, relays[i].target);
  for (int i = 0; i < maxConnections; i++)
    if (connections[i].state == waiting)
      admit(&connections[i]);
}

int main(void) {
  const char *lib = getenv("GUESTHOUSE_LANDING_LIB");
  const char *run = getenv("GUESTHOUSE_LANDING_RUN");
  folders.lib = lib ? lib : folders.lib;
  folders.run = run ? run : folders.run;
  signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, NULL);
  size_t tcps = 0;
  const size_t listeners = inherited(polls, 8, &tcps);
  if (tcps == 0) {
    say("landd needs the landing port from guesthouse-landing.socket");
    return 1;
  }
  if (unshare(CLONE_NEWNET)) {
    say("landd can't have a network of its own: %s", strerror(errno));
    return 1;
  }
  makeFolders();
  const int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  polls[listeners] = (struct pollfd){.fd = signals, .events = POLLIN};
  // Ports that lead into the container are there again before anybody asks.
  startPreparing(&folders);
  for (;;) {
    // A gate that was started again has another socket than the container sees.
    if (keepKeys(&folders))
      forgetChannel();
    serve(listeners + 3, listeners, tcps);
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == sizeof info)
      if (info.ssi_signo != SIGCHLD) {
        endChildren();
        return 0;
      }
    reapChildren();
  }
}
