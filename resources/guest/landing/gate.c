// gate SOCKET AGENT: what the container sees of the agent with the host key.
// It answers two requests of ssh-agent's protocol: list the keys, and sign what
// an SSH server signs: the hash of a key exchange, or the proof that it has the
// key (clients that keep their known hosts up to date ask). Whatever else a container asks for (remove the key,
// lock the agent, sign longer texts) gets a failure. One connection per SSH
// session lives as long as the session, since re-keying signs again.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
  maxClients = 192,
  maxRequest = 1024, // an ed25519 key and a hash need 130 bytes
  maxReply = 8192,
  failureReply = 5,
  listRequest = 11,
  signRequest = 13,
};

static struct client {
  int fd; // -1: unused
  size_t length;
  uint8_t request[4 + maxRequest];
} clients[maxClients];
static struct pollfd polls[1 + maxClients];
static const char *agentPath;
static int agent = -1;

static uint32_t number(const uint8_t *b) {
  return (uint32_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

static int unixSocket(const char *path, struct sockaddr_un *address) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address->sun_path)
    return -1;
  strcpy(address->sun_path, path);
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

// The agent is the VM's own and answers at once; two seconds are its limit.
static bool askAgent(const uint8_t *request, size_t length, uint8_t *reply,
                     size_t *replied) {
  if (agent < 0) {
    struct sockaddr_un address;
    const struct timeval limit = {.tv_sec = 2};
    agent = unixSocket(agentPath, &address);
    if (agent < 0)
      return false;
    setsockopt(agent, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(agent, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(agent, (struct sockaddr *)&address, sizeof address))
      goto lost;
  }
  if (send(agent, request, length, MSG_NOSIGNAL) != (ssize_t)length)
    goto lost;
  *replied = 0;
  while (*replied < 4 || *replied < 4 + number(reply)) {
    if (*replied >= 4 && number(reply) > maxReply - 4)
      goto lost;
    const ssize_t n =
        recv(agent, reply + *replied, maxReply - *replied, 0);
    if (n <= 0)
      goto lost;
    *replied += n;
  }
  return true;
lost:
  close(agent);
  agent = -1;
  return false;
}

static bool isForHost(const uint8_t *data, size_t length) {
  static const char proof[] = "hostkeys-prove-00@openssh.com";
  const size_t known = sizeof proof - 1;
  if (length == 32 || length == 48 || length == 64) // SHA-256, -384, -512
    return true;
  return length > 4 + known && length <= 512 && number(data) == known &&
         memcmp(data + 4, proof, known) == 0;
}

// byte type, string key, string data, uint32 flags
static bool isAllowed(const uint8_t *body, size_t length) {
  if (length == 1)
    return body[0] == listRequest;
  if (length < 1 + 4 || body[0] != signRequest)
    return false;
  const size_t key = number(body + 1);
  if (key > length || 1 + 4 + key + 4 > length)
    return false;
  const size_t data = number(body + 1 + 4 + key);
  return 1 + 4 + key + 4 + data + 4 == length &&
         isForHost(body + 1 + 4 + key + 4, data);
}

static bool serveRequest(struct client *c, size_t whole) {
  static const uint8_t refusal[] = {0, 0, 0, 1, failureReply};
  uint8_t reply[maxReply];
  size_t length = 0;
  // A second try: the agent may have been started again in between.
  if (!isAllowed(c->request + 4, whole - 4) ||
      (!askAgent(c->request, whole, reply, &length) &&
       !askAgent(c->request, whole, reply, &length))) {
    memcpy(reply, refusal, sizeof refusal);
    length = sizeof refusal;
  }
  return send(c->fd, reply, length, MSG_DONTWAIT | MSG_NOSIGNAL) ==
         (ssize_t)length;
}

// False: the connection is of no more use.
static bool serveClient(struct client *c) {
  const ssize_t n = recv(c->fd, c->request + c->length,
                         sizeof c->request - c->length, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return true;
  if (n <= 0)
    return false;
  c->length += n;
  while (c->length >= 4) {
    const size_t body = number(c->request);
    if (body == 0 || body > maxRequest)
      return false;
    if (c->length < 4 + body)
      return true;
    if (!serveRequest(c, 4 + body))
      return false;
    c->length -= 4 + body;
    memmove(c->request, c->request + 4 + body, c->length);
  }
  return true;
}

static void takeClient(int listener) {
  const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0)
    return;
  for (int i = 0; i < maxClients; i++)
    if (clients[i].fd < 0) {
      clients[i].fd = fd;
      clients[i].length = 0;
      return;
    }
  close(fd);
}

int main(int count, char **words) {
  struct sockaddr_un address;
  if (count != 3)
    return 2;
  signal(SIGPIPE, SIG_IGN);
  agentPath = words[2];
  const int listener = unixSocket(words[1], &address);
  unlink(words[1]);
  // Anybody who sees it may connect: only the user's folder in the container
  // shows it, by a link that "prepare" makes.
  umask(0);
  if (listener < 0 ||
      bind(listener, (struct sockaddr *)&address, sizeof address) ||
      listen(listener, 64)) {
    perror("gate");
    return 1;
  }
  for (int i = 0; i < maxClients; i++)
    clients[i].fd = -1;
  polls[0] = (struct pollfd){.fd = listener, .events = POLLIN};
  for (;;) {
    for (int i = 0; i < maxClients; i++)
      polls[1 + i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
    if (poll(polls, 1 + maxClients, -1) < 0)
      continue;
    for (int i = 0; i < maxClients; i++)
      if (polls[1 + i].revents && !serveClient(&clients[i])) {
        close(clients[i].fd);
        clients[i].fd = -1;
      }
    if (polls[0].revents)
      takeClient(listener);
  }
}
