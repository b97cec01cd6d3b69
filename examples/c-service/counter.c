/* Answers each connection to its socket with how many there were. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, "/run/counter/socket");
  int server = socket(AF_UNIX, SOCK_STREAM, 0);
  unlink(address.sun_path);
  if (server < 0 ||
      bind(server, (struct sockaddr *)&address, sizeof address) < 0 ||
      listen(server, 16) < 0) {
    perror(address.sun_path);
    return 1;
  }
  for (unsigned long count = 1;; count++) {
    int client = accept(server, NULL, NULL);
    if (client < 0) return 1;
    /* Unread, what was asked would break the connection. */
    char request[512];
    if (read(client, request, sizeof request) < 0) perror("read");
    dprintf(client, "%lu\n", count);
    close(client);
  }
}
