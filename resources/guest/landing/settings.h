// Files that "prepare" writes for the programs in the container: entries
// NAME=VALUE, each ended by a NUL.
#ifndef SETTINGS_H
#define SETTINGS_H
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { maxEntries = 4096, maxSettings = 1 << 20 };

// The entries of folder/name with a NULL behind them; NULL when it can't be
// read. They are never freed.
static char **readSettings(const char *folder, const char *name) {
  char path[256];
  if (strlen(folder) + strlen(name) + 2 > sizeof path)
    return NULL;
  strcat(strcat(strcpy(path, folder), "/"), name);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  struct stat about;
  if (file < 0 || fstat(file, &about) || about.st_size > maxSettings)
    return NULL;
  char *text = calloc(about.st_size + 1, 1);
  char **entries = calloc(maxEntries + 1, sizeof *entries);
  ssize_t n, length = 0;
  while (text && (n = read(file, text + length, about.st_size - length)) > 0)
    length += n;
  close(file);
  size_t count = 0;
  for (char *at = text; entries && at < text + length && count < maxEntries;
       at += strlen(at) + 1)
    entries[count++] = at;
  return entries;
}
#endif
