// Which locales a container has, without its C library: a client's LANG that it
// doesn't know makes bash and perl complain in every command.
#ifndef LOCALES_H
#define LOCALES_H
#include <ctype.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum { longestLocale = 64 };

// As glibc's archive spells it: "en_US.UTF-8" is "en_US.utf8". False for what
// is no name.
static bool spellLocale(const char *name, char spelt[longestLocale]) {
  size_t length = 0;
  bool codeset = false;
  for (; *name && length + 1 < longestLocale; name++) {
    if (*name == '/')
      return false;
    if (*name == '.' || *name == '@')
      codeset = *name == '.';
    else if (codeset && !isalnum((unsigned char)*name))
      continue;
    spelt[length++] =
        codeset ? (char)tolower((unsigned char)*name) : *name;
  }
  spelt[length] = 0;
  return *name == 0 && length > 0;
}

// In glibc's archive, names end with NULs: struct locarhead of its locarchive.h.
static bool isInArchive(const char *spelt) {
  const int file =
      open("/usr/lib/locale/locale-archive", O_RDONLY | O_CLOEXEC);
  struct stat about;
  bool found = false;
  if (file >= 0 && !fstat(file, &about) && about.st_size > 32) {
    void *map = mmap(NULL, about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (map != MAP_FAILED) {
      const uint32_t *head = map; // magic, serial, names at/used/size, texts
      const uint64_t start = head[5], used = head[6];
      if (head[0] == 0xde020109 && start + used <= (uint64_t)about.st_size)
        found = memmem((char *)map + start, used, spelt, strlen(spelt) + 1);
      munmap(map, about.st_size);
    }
  }
  if (file >= 0)
    close(file);
  return found;
}

static bool hasLocale(const char *name) {
  char spelt[longestLocale], path[128];
  if (!*name || !strcmp(name, "C") || !strcmp(name, "POSIX"))
    return true;
  glob_t musl;
  const bool isMusl = glob("/lib/ld-musl-*", GLOB_NOSORT, NULL, &musl) == 0;
  globfree(&musl);
  if (isMusl)
    return true; // it takes every name
  if (!spellLocale(name, spelt))
    return false;
  // As it was given, too: C.UTF-8 was a folder by that name.
  snprintf(path, sizeof path, "/usr/lib/locale/%s/LC_CTYPE", name);
  if (access(path, R_OK) == 0)
    return true;
  snprintf(path, sizeof path, "/usr/lib/locale/%s/LC_CTYPE", spelt);
  return access(path, R_OK) == 0 || isInArchive(spelt);
}

// Takes LANG and LC_* out of the environment where they name no locale of the
// container; true when there was one.
static bool dropUnknownLocales(void) {
  bool dropped = false;
  for (char **entry = environ; *entry;) {
    const char *value = strchr(*entry, '=');
    char name[32];
    if (value && value - *entry < (long)sizeof name &&
        (!strncmp(*entry, "LANG=", 5) || !strncmp(*entry, "LC_", 3)) &&
        !hasLocale(value + 1)) {
      memcpy(name, *entry, value - *entry);
      name[value - *entry] = 0;
      unsetenv(name);
      dropped = true;
      entry = environ; // it has moved
    } else
      entry++;
  }
  return dropped;
}
#endif
