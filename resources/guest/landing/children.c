// The programs that landd starts: the agent that holds the host key with the
// gate before it, and "prepare", which leads to a listener in the container.
// "prepare" answers with one message on a socket pair: '+' or '-', a sentence,
// a line feed, JSON; and with '+' the channel to the listener.
#define _GNU_SOURCE
#include "landd.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t agent, gate, prepare;
static int answers = -1;
static int64_t deadlineMs, keysTriedMs;

int64_t preparingDeadlineMs(void) { return answers < 0 ? 0 : deadlineMs; }
bool preparing(void) { return answers >= 0; }
int preparingSocket(void) { return answers; }

// keep: a descriptor that the program gets as its 3, or -1
static pid_t start(char *const command[], int keep) {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0)
    return pid;
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent)
    _exit(1);
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  setpgid(0, 0); // ended together with what it starts itself
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null >= 0 && (dup2(null, 0) < 0 || dup2(null, 1) < 0))
    _exit(1);
  if (keep >= 0 && (keep == 3 ? fcntl(3, F_SETFD, 0) : dup2(keep, 3)) < 0)
    _exit(1);
  execv(command[0], command);
  say("can't start %s: %s", command[0], strerror(errno));
  _exit(127);
}

static char *path(const char *folder, const char *name) {
  char *whole = NULL;
  if (asprintf(&whole, "%s/%s", folder, name) < 0)
    abort();
  return whole;
}

bool keepKeys(const struct folders *folders) {
  if ((agent > 0 && gate > 0) || nowMs() - keysTriedMs < 1000)
    return false;
  keysTriedMs = nowMs();
  char *keys = path(folders->run, "keys.sock");
  char *shown = path(folders->run, "shown/agent.sock");
  char *program = path(folders->lib, "gate");
  if (agent <= 0) {
    unlink(keys);
    agent = start(
        (char *[]){"/usr/bin/ssh-agent", "-D", "-a", keys, NULL}, -1);
  }
  if (gate <= 0)
    gate = start((char *[]){program, shown, keys, NULL}, -1);
  free(keys);
  free(shown);
  free(program);
  return true;
}

void startPreparing(const struct folders *folders) {
  int pair[2];
  deadlineMs = nowMs() + prepareMs;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return;
  char *program = path(folders->lib, "guesthouse-landing");
  prepare = start((char *[]){program, "prepare", NULL}, pair[1]);
  free(program);
  close(pair[1]);
  answers = pair[0];
}

static void receive(struct outcome *outcome) {
  struct iovec data = {outcome->text, maxMessage - 1};
  union {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {.msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control.space};
  const ssize_t n = recvmsg(answers, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
  if (header && header->cmsg_type == SCM_RIGHTS)
    memcpy(&outcome->channel, CMSG_DATA(header), sizeof(int));
  if (n <= 1)
    return; // it ended without a word: the text that is there stays
  outcome->ok = outcome->text[0] == '+' && outcome->channel >= 0;
  outcome->text[n] = 0;
  memmove(outcome->text, outcome->text + 1, n);
}

bool prepared(struct outcome *outcome, bool readable) {
  const bool late = nowMs() >= deadlineMs;
  if (answers < 0 || (!readable && !late))
    return false;
  *outcome = (struct outcome){.channel = -1};
  const char *why =
      readable ? "The connection to the dev container couldn't be prepared."
               : "Preparing the connection to the dev container took too long.";
  snprintf(outcome->text, maxMessage,
           "%s\n{\"ok\": false, \"message\": \"%s\"}", why, why);
  if (readable)
    receive(outcome);
  if (!outcome->ok && outcome->channel >= 0) {
    close(outcome->channel);
    outcome->channel = -1;
  }
  close(answers);
  answers = -1;
  if (prepare > 0 && !readable)
    kill(-prepare, SIGKILL);
  return true;
}

void reapChildren(void) {
  pid_t pid;
  while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
    if (pid == agent)
      agent = 0;
    else if (pid == gate)
      gate = 0;
    else if (pid == prepare)
      prepare = 0;
  }
}

void endChildren(void) {
  const pid_t all[] = {agent, gate, prepare};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (all[i] > 0)
      kill(-all[i], SIGTERM);
}
