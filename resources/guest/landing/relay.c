// The bytes of landd's connections: from the client's TCP socket to the
// container's sshd and back. Every wait has an end, and nothing that the
// container does blocks the loop.
#define _GNU_SOURCE
#include "landd.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection connections[maxConnections];

static void closeFd(int *fd) {
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
}

static void drop(struct rest *rest) {
  free(rest->bytes);
  *rest = (struct rest){0};
}

static void closeTo(struct connection *c) {
  closeFd(&c->to);
  drop(&c->forTo);
}

static void closeFrom(struct connection *c) {
  closeFd(&c->from);
  drop(&c->forTcp);
}

void closeConnection(struct connection *c) {
  closeFd(&c->tcp);
  closeTo(c);
  closeFrom(c);
  c->state = unused;
}

// A line before the SSH banner (RFC 4253, 4.2); "ssh -v" shows it. The end
// waits for the client's bytes: a close with unread input would reset the
// connection and take the line with it.
void turnAway(struct connection *c, const char *why) {
  if (c->target[0]) { // not SSH: the client would take a line for an answer
    say("connection to %s closed: %.*s", c->target, (int)strcspn(why, "\r\n"),
        why);
    closeConnection(c);
    return;
  }
  char line[512];
  int length = snprintf(line, sizeof line, "Guesthouse: %.*s\r\n",
                        (int)strcspn(why, "\r\n"), why);
  if (length >= (int)sizeof line)
    length = sizeof line - 1;
  say("connection turned away: %.*s", (int)strcspn(why, "\r\n"), why);
  closeTo(c);
  closeFrom(c);
  (void)!send(c->tcp, line, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  shutdown(c->tcp, SHUT_WR);
  c->state = lingering;
  c->deadlineMs = nowMs() + lingerMs;
}

static void addressOf(const struct sockaddr_storage *from, uint8_t out[16]) {
  memset(out, 0, 16);
  if (from->ss_family == AF_INET6)
    memcpy(out, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
  else if (from->ss_family == AF_INET)
    memcpy(out, &((const struct sockaddr_in *)from)->sin_addr, 4);
}

static void keepAlive(int tcp) {
  const int on = 1, idle = 60, interval = 20, count = 6;
  setsockopt(tcp, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(tcp, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(tcp, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(tcp, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
  setsockopt(tcp, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// A connection without a place is closed at once: a line would need a place.
void acceptClient(int listener, const char *target) {
  struct sockaddr_storage from = {0};
  socklen_t length = sizeof from;
  const int tcp = accept4(listener, (struct sockaddr *)&from, &length,
                          SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (tcp < 0)
    return;
  uint8_t source[16];
  addressOf(&from, source);
  struct connection *place = NULL;
  int same = 0;
  for (struct connection *c = connections; c < connections + maxConnections;
       c++) {
    if (c->state == unused)
      place = place ? place : c;
    else if (memcmp(c->source, source, 16) == 0)
      same++;
  }
  if (!place || same >= maxPerSource) {
    say("connection closed: there are too many");
    close(tcp);
    return;
  }
  keepAlive(tcp);
  *place = (struct connection){
      .state = waiting, .tcp = tcp, .to = -1, .from = -1};
  memcpy(place->source, source, 16);
  snprintf(place->target, maxTarget, "%s", target);
}

// One message: 'c' for SSH or 'r' and a relay's target, with the two sockets.
static bool sendSockets(int channel, const int fds[2], const char *target) {
  char text[maxTarget + 1];
  const int length =
      snprintf(text, sizeof text, "%c%s", target[0] ? 'r' : 'c', target);
  struct iovec data = {text, length};
  union {
    struct cmsghdr align;
    char space[CMSG_SPACE(2 * sizeof(int))];
  } control = {0};
  struct msghdr message = {.msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control.space};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(2 * sizeof(int));
  memcpy(CMSG_DATA(header), fds, 2 * sizeof(int));
  return sendmsg(channel, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == length;
}

// Two pairs, each for one direction: sshd's input and output end on their own.
static bool makeSockets(int in[2], int out[2]) {
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0)
    return false;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out) < 0) {
    close(in[0]);
    close(in[1]);
    return false;
  }
  shutdown(in[1], SHUT_RD);
  shutdown(out[0], SHUT_WR);
  return true;
}

bool handOver(struct connection *c, int channel) {
  int in[2], out[2]; // theirs to read and ours to write, ours to read and theirs
  if (!makeSockets(in, out)) {
    turnAway(c, "The VM has no files left to open.");
    return true;
  }
  const bool sent = sendSockets(channel, (int[]){in[0], out[1]}, c->target);
  const int error = errno;
  close(in[0]);
  close(out[1]);
  c->to = in[1];
  c->from = out[0];
  if (sent) {
    // Only an SSH server speaks first for sure.
    c->state = c->target[0] ? open_ : opening;
    c->deadlineMs = c->target[0] ? 0 : nowMs() + bannerMs;
    return true;
  }
  if (error == EAGAIN || error == ETOOMANYREFS) {
    turnAway(c, "The dev container doesn't take connections; is it paused?");
    return true;
  }
  closeTo(c);
  closeFrom(c);
  return false;
}

static void endSoon(struct connection *c) {
  const int64_t end = nowMs() + endMs;
  if (c->deadlineMs == 0 || c->deadlineMs > end)
    c->deadlineMs = end;
}

enum moved { some, nothing, ended };

// Keeps what the receiver has no room for; it is sent before anything else.
static bool keep(struct rest *rest, const char *bytes, size_t size) {
  rest->bytes = malloc(size);
  if (!rest->bytes)
    return false;
  memcpy(rest->bytes, bytes, size);
  rest->at = 0;
  rest->size = size;
  return true;
}

// As much as there is room for; -1: the receiver is gone.
static ssize_t give(int to, const char *bytes, size_t size) {
  const ssize_t n = send(to, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
}

static enum moved giveRest(int to, struct rest *rest) {
  const ssize_t n = give(to, rest->bytes + rest->at, rest->size - rest->at);
  if (n < 0)
    return ended;
  rest->at += n;
  if (rest->at == rest->size)
    drop(rest);
  return some;
}

static enum moved move(int from, int to, struct rest *rest) {
  static char bytes[1 << 17];
  const ssize_t n = recv(from, bytes, sizeof bytes, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return nothing;
  const ssize_t given = n > 0 ? give(to, bytes, n) : -1;
  if (given < 0 || (given < n && !keep(rest, bytes + given, n - given)))
    return ended;
  return some;
}

// What each poll waits for; serveConnection() reads the answers in this order.
size_t watchConnection(struct connection *c, struct pollfd *polls) {
  if (c->state == unused)
    return 0;
  short tcp = 0;
  if (c->state == waiting)
    tcp = POLLRDHUP; // its bytes wait, too
  if (c->state == lingering || (c->to >= 0 && !c->forTo.bytes))
    tcp |= POLLIN;
  if (c->forTcp.bytes)
    tcp |= POLLOUT;
  polls[0] = (struct pollfd){.fd = c->tcp, .events = tcp};
  polls[1] = (struct pollfd){.fd = c->to,
                             .events = c->forTo.bytes ? POLLOUT : 0};
  polls[2] = (struct pollfd){.fd = c->forTcp.bytes ? -1 : c->from,
                             .events = POLLIN};
  return 3;
}

static void fromClient(struct connection *c, short tcp, short to) {
  enum moved moved = nothing;
  if (to & (POLLERR | POLLHUP)) // the container's side no longer reads
    moved = ended;
  else if (c->forTo.bytes && (to & POLLOUT))
    moved = giveRest(c->to, &c->forTo);
  else if (!c->forTo.bytes && (tcp & POLLIN))
    moved = move(c->tcp, c->to, &c->forTo);
  if (moved == ended) {
    closeTo(c);
    endSoon(c);
  }
}

static void toClient(struct connection *c, short tcp, short from) {
  enum moved moved = nothing;
  if (c->forTcp.bytes && (tcp & POLLOUT))
    moved = giveRest(c->tcp, &c->forTcp);
  else if (!c->forTcp.bytes && (from & (POLLIN | POLLHUP | POLLERR)))
    moved = move(c->from, c->tcp, &c->forTcp);
  if (moved == some && c->state == opening) {
    c->state = open_;
    if (c->to >= 0)
      c->deadlineMs = 0;
  }
  if (moved != ended)
    return;
  if (c->state == opening) {
    turnAway(c, "The dev container closed the connection before the SSH "
                "server answered.");
    return;
  }
  closeTo(c);
  closeFrom(c);
  shutdown(c->tcp, SHUT_WR);
  c->state = lingering;
  c->deadlineMs = nowMs() + lingerMs;
}

static void discard(struct connection *c, short tcp) {
  char bytes[4096];
  if (!(tcp & (POLLIN | POLLHUP | POLLERR)))
    return;
  const ssize_t n = recv(c->tcp, bytes, sizeof bytes, MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
    closeConnection(c);
}

void serveConnection(struct connection *c, const struct pollfd *polls,
                     size_t count) {
  if (count == 3) {
    const short tcp = polls[0].revents;
    if (c->state == lingering) {
      discard(c, tcp);
    } else if (tcp & (POLLERR | POLLHUP)) {
      closeConnection(c); // reset, or both directions are closed
    } else if (c->state == waiting) {
      if (tcp & POLLRDHUP)
        closeConnection(c);
    } else {
      if (c->to >= 0)
        fromClient(c, tcp, polls[1].revents);
      if (c->from >= 0)
        toClient(c, tcp, polls[2].revents);
    }
  }
  if (c->state == unused || c->deadlineMs == 0 || nowMs() < c->deadlineMs)
    return;
  if (c->state == opening)
    turnAway(c, "The SSH server in the dev container didn't answer in time; "
                "is the container paused?");
  else
    closeConnection(c);
}
