#!/bin/sh
# generate.sh FOLDER: makes a repository of 100 packages with 100 files each,
# which has no place in this one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?usage: generate.sh FOLDER}
[ ! -e "$target" ] || { echo "$target exists already" >&2; exit 1; }
mkdir -p "$target"
cp -R "$here/.devcontainer" "$here/Makefile" "$target/"
cd "$target"
printf 'index.txt\n' >.gitignore
awk 'BEGIN {
  for (p = 0; p < 100; p++) {
    folder = sprintf("packages/p%02d", p)
    system("mkdir -p " folder)
    for (f = 0; f < 100; f++) {
      file = sprintf("%s/f%02d.txt", folder, f)
      for (line = 0; line < 20; line++)
        printf "package %d, file %d, line %d\n", p, f, line > file
      close(file)
    }
  }
}'
git init -q
git add -A
git -c user.name=example -c user.email=example@example.com \
  -c gc.auto=0 commit -q -m "Ten thousand files"
