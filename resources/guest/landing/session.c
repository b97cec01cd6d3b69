// session [-c COMMAND]: the login shell that the SSH server in the container
// starts. Gives the session the environment of the container and of its
// configuration, goes to the workspace folder, and becomes the user's own shell
// (bash, sh or busybox where that one is missing or lets nobody in). SFTP stays
// in the home folder and needs no shell. A command with GUESTHOUSE_COMMAND in
// its environment is run by sh: start-up files of the user's shell may print,
// read or end.
#define _GNU_SOURCE
#include "locales.h"
#include "settings.h"
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define ROOM "/dev/.guesthouse/"
#define SFTP ROOM "bin/sftp-server"

static bool startsWith(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

// What belongs to the connection stays as the SSH server set it.
static bool isOfConnection(const char *entry) {
  return startsWith(entry, "SSH_") || startsWith(entry, "TERM=");
}

static void takeEnvironment(const char *folder) {
  char **entries = readSettings(folder, "environment");
  for (; entries && *entries; entries++)
    if (strchr(*entries, '=') && !isOfConnection(*entries))
      putenv(*entries);
}

static const char *setting(char **entries, const char *name) {
  const size_t length = strlen(name);
  for (; entries && *entries; entries++)
    if (startsWith(*entries, name) && (*entries)[length] == '=')
      return *entries + length + 1;
  return NULL;
}

static bool letsIn(const char *shell) {
  const char *name = strrchr(shell, '/');
  name = name ? name + 1 : shell;
  return *shell == '/' && access(shell, X_OK) == 0 &&
         strcmp(name, "nologin") != 0 && strcmp(name, "false") != 0 &&
         strcmp(name, "true") != 0 && strcmp(name, "sync") != 0;
}

static const char *chooseShell(const char *wanted) {
  static const char *const others[] = {"/bin/bash", "/usr/bin/bash",
                                       "/usr/local/bin/bash", "/bin/sh"};
  if (wanted && letsIn(wanted))
    return wanted;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (letsIn(others[i]))
      return others[i];
  return ROOM "bin/sh";
}

// Images without a shell have no programs either: busybox's, behind their own.
static void addPrograms(void) {
  const char *path = getenv("PATH");
  char *whole = NULL;
  if (asprintf(&whole, "%s:" ROOM "applets",
               path && *path ? path : "/usr/bin:/bin") > 0)
    setenv("PATH", whole, 1);
}

int main(int count, char **words) {
  char folder[64];
  snprintf(folder, sizeof folder, ROOM "run/%u", (unsigned)getuid());
  char **settings = readSettings(folder, "settings");
  // What is the client's is looked at before the container's own comes to it.
  const bool lost = dropUnknownLocales();
  takeEnvironment(folder);
  if (lost && !getenv("LANG") && !getenv("LC_ALL") && hasLocale("C.UTF-8"))
    setenv("LANG", "C.UTF-8", 1);
  const bool command = count == 3 && strcmp(words[1], "-c") == 0;
  const bool plain = command && getenv("GUESTHOUSE_COMMAND");
  unsetenv("GUESTHOUSE_COMMAND");
  const char *home = setting(settings, "HOME");
  if (home && !setting(readSettings(folder, "environment"), "HOME"))
    setenv("HOME", home, 1);
  const char *shell = chooseShell(setting(settings, "GUESTHOUSE_SHELL"));
  setenv("SHELL", shell, 1);
  if (access("/bin/sh", X_OK))
    addPrograms();
  if (command && strcmp(words[2], SFTP) == 0) {
    execl(SFTP, SFTP, NULL);
    return 127;
  }
  const char *workspace = setting(settings, "GUESTHOUSE_WORKSPACE");
  if (workspace && *workspace)
    (void)!chdir(workspace); // else the home folder, where the server put it
  if (plain)
    shell = letsIn("/bin/sh") ? "/bin/sh" : ROOM "bin/sh";
  if (command) {
    execl(shell, shell, "-c", words[2], NULL);
  } else {
    // A dash in front makes it a login shell.
    char name[256];
    const char *last = strrchr(shell, '/');
    snprintf(name, sizeof name, "-%s", last ? last + 1 : shell);
    execl(shell, name, NULL);
  }
  perror(shell);
  return 127;
}
