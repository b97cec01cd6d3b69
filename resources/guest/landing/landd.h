// What landd's files share: the table of connections, and who may call whom.
// landd.c owns the loop, relay.c the connections' bytes, children.c the
// programs that landd starts.
#ifndef LANDD_H
#define LANDD_H
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum {
  maxConnections = 128, // of all clients
  maxPerSource = 64,    // of one address, so that one can't take every place
  maxControls = 8,      // commands that wait for an answer
  maxRelays = 64,       // ports of the VM that lead into the container
  maxTarget = 280,      // of a relay: "HOST PORT" with its end
  maxMessage = 4096,    // what "prepare" says, with its end
};

enum {
  prepareMs = 90000, // an emulated guest needs ten seconds and more
  bannerMs = 30000,  // from the hand-over to the first byte of the SSH server
  lingerMs = 3000,   // for the client to read why it is turned away
  endMs = 10000,     // for the last bytes, once one side has ended
  againMs = 2000,    // how long a failure answers the connections that follow
};

enum state { unused, waiting, opening, open_, lingering };

// Bytes that were read, and that the other side has no room for yet.
struct rest {
  char *bytes; // NULL: none
  size_t at, size;
};

// One SSH client. "to" and "from" are sockets whose peers the container's sshd
// has as its standard input and output. Pipes won't do: who holds the other end
// of a pipe can hold the lock of both, by a splice() from a socket that says
// nothing, and whoever reads then waits where no signal reaches it. The sockets
// belong to landd's network, which is empty.
struct connection {
  enum state state;
  bool retried; // handed to a listener that turned out to be gone
  int tcp, to, from;
  struct rest forTo, forTcp; // while there is one, nothing more is read for it
  int64_t deadlineMs; // 0: none
  uint8_t source[16];
  char target[maxTarget]; // where a relay leads in the container; "": SSH
};

int64_t nowMs(void);
#define say(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr))

// relay.c
extern struct connection connections[maxConnections];
// target: "" for SSH
void acceptClient(int listener, const char *target);
// Hands the connection to the container; false: the listener is gone.
bool handOver(struct connection *c, int channel);
void turnAway(struct connection *c, const char *why);
void closeConnection(struct connection *c);
size_t watchConnection(struct connection *c, struct pollfd *polls);
void serveConnection(struct connection *c, const struct pollfd *polls,
                     size_t count);

// children.c
struct folders {
  const char *lib, *run;
};
struct outcome {
  bool ok;
  int channel;           // -1 unless ok
  char text[maxMessage]; // a sentence, a line feed, JSON
};
// Starts the agent with the host key and the gate before it; again when one of
// them has ended. True when something was started.
bool keepKeys(const struct folders *folders);
bool preparing(void);
int preparingSocket(void);
void startPreparing(const struct folders *folders);
// True when preparing has come to an end, which is then in *outcome.
bool prepared(struct outcome *outcome, bool readable);
int64_t preparingDeadlineMs(void);
void reapChildren(void);
void endChildren(void);
#endif
