/**
 * What runs in the guest to see and to hand out what was made there, for `sh -c SCRIPT guesthouse VERB KEY FOLDER [ARGUMENT…]`. git does
 * the looking, with an index, objects and refs of its own in `~/.local/state/guesthouse/workspaces/KEY`: the
 * repository's work tree and refs are read, never written, nor is its index but by `base`, which notes there as which
 * files of the guest the host's have arrived. That folder lies on the disk that it speaks of, so forks, checkpoints and
 * roll backs find there what is true for them.
 *
 *     repo/   a bare repository that borrows the workspace's objects
 *     base    what the workspace was when it was copied in: `tree`, and a `tip` for each ref
 *     saved   what was brought back since: `tree`, `tip` and `work` lines
 *     sent-*  which files of the host were copied in (`../guestManifest.ts`)
 *
 * Repositories inside of this one (submodules, clones) are named, not looked into: each is asked about by a call of its own.
 * `status` with the argument `inner` answers for one that wasn't copied in, too: then all counts that no commit or remote has.
 *
 * Exit codes: 77 no git in the guest, 78 no such folder, 79 it was not copied in by us.
 */
export const guestScript = String.raw`
set -eu
umask 077
# Nothing of a login's says which repository is meant, or how it is shown.
for name in $(env | sed -n 's/^\(GIT_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
export LC_ALL=C GIT_OPTIONAL_LOCKS=0 GIT_TERMINAL_PROMPT=0
verb=$1 key=$2
store=$HOME/.local/state/guesthouse/workspaces/$key
command -v git >/dev/null || exit 77
cd -- "$3" 2>/dev/null || exit 78
folder=$(pwd -P)
shift 3
[ "$verb" = base ] || [ -f "$store/base" ] || [ "$verb $*" = "status inner" ] || [ "$verb" = inner ] || exit 79
mkdir -p "$store"
temp=$(mktemp -d "$store/tmp.XXXXXX")
: >"$temp/unfiltered"
trap 'rm -rf "$temp"' EXIT

kind=plain common= own=$store format=sha1
# One process for all three: under emulation each one started counts.
# Of another owner, too: a container may have taken the files over.
git() { command git -c safe.directory='*' -c core.splitIndex=false "$@"; }
if [ -e .git ] && facts=$(git rev-parse --absolute-git-dir --git-common-dir --show-object-format 2>/dev/null); then
  kind=git
  { read -r own; read -r common; read -r format; } <<END
$facts
END
  common=$(cd -- "$common" && pwd -P)
elif [ -e .git ] && [ "$verb" != base ] && ! grep -qx 'kind plain' "$store/base" 2>/dev/null; then
  # Commits, branches and stashes would be forgotten.
  echo "git doesn't read the repository any more: $(git rev-parse --git-dir 2>&1 | head -n 1)" >&2
  exit 1
fi
if [ ! -d "$store/repo" ]; then
  git init -q --bare --template= --object-format="$format" "$store/repo"
fi
mkdir -p "$store/repo/objects/info"
if [ $kind = git ]; then
  printf '%s\n' "$common/objects" >"$store/repo/objects/info/alternates"
  [ ! -f "$common/shallow" ] || cp "$common/shallow" "$store/repo/shallow"
fi

quiet() { git -c core.hooksPath=/dev/null -c core.fsmonitor=false "$@"; }
# What it prints is read here: the user's settings for showing differences don't count.
repo() { HOME=/dev/null XDG_CONFIG_HOME=/dev/null GIT_CONFIG_NOSYSTEM=1 quiet --git-dir="$store/repo" "$@"; }
# With an index and a place for objects of our own.
aside() (
  export GIT_INDEX_FILE="$temp/index" GIT_OBJECT_DIRECTORY="$store/repo/objects"
  if [ $kind = git ]; then
    export GIT_ALTERNATE_OBJECT_DIRECTORIES="$common/objects"
  else
    export GIT_DIR="$store/repo" GIT_WORK_TREE="$folder"
  fi
  quiet -c include.path="$temp/unfiltered" -c core.bare=false -c core.looseCompression=0 -c core.safecrlf=false "$@"
)
# git trusts an entry whose file is older than the index: so its time is kept.
take_index() { [ ! -f "$own/index" ] || cp -p "$own/index" "$temp/index"; }
# Whatever the user told git not to look at is looked at: files that are assumed to be unchanged, those beside a sparse checkout,
# and folders of submodules that are none (their repository isn't here).
lift_bits() {
  aside -c core.quotePath=false ls-files -v -s | grep '^[a-zS] \|^. 160000' >"$temp/bits" || return 0
  entries() { sed -n "s/^$1 $2 [0-9a-f]* [0-9].//p" "$temp/bits"; }
  # Names with a NUL after each; none is no reason for a process.
  lift() { cat >"$temp/lifted"; [ ! -s "$temp/lifted" ] || aside update-index "$1" -z --stdin <"$temp/lifted"; }
  if grep -q '^[a-z]' "$temp/bits"; then
    aside ls-files -z | lift --no-assume-unchanged
  fi
  entries '[Ss]' '[0-9]*' | while IFS= read -r path; do
    if [ -e "$path" ] || [ -L "$path" ]; then printf '%s\0' "$path"; fi
  done | lift --no-skip-worktree
  entries . 160000 | while IFS= read -r path; do
    if [ ! -e "$path/.git" ] && [ -d "$path" ] && [ -n "$(ls -A -- "$path" | head -n 1)" ]; then printf '%s\0' "$path"; fi
  done | lift --force-remove
}
links() { aside -c core.quotePath=false ls-files -s | sed -n 's/^160000 [0-9a-f]* [0-9].//p'; }
# git stops at the first folder whose repository has no commit yet, which is left out then, and at the first file whose required
# filter doesn't work here, as its program is the host's only: those are taken as they are.
add_all() {
  : >"$temp/unborn"
  : >"$temp/raw"
  lift_bits
  set -- .
  if [ "$(git config --bool core.sparseCheckout || :)" = true ] && git add -h 2>&1 | grep -q -e '--sparse'; then
    set -- --sparse .
  fi
  until aside -c advice.addEmbeddedRepo=false add -A "$@" 2>"$temp/words"; do
    path=$(sed -n "s|^error: '\(.*\)/' does not have a commit checked out\$|\1|p" "$temp/words" | head -n 1)
    name=$(sed -n "s/^fatal: .*: clean filter '\(.*\)' failed\$/\1/p" "$temp/words" | head -n 1)
    if [ -n "$path" ] && ! grep -qxF -e "$path" "$temp/unborn"; then
      printf '%s\n' "$path" >>"$temp/unborn"
      set -- "$@" ":(exclude,literal)$path"
    elif [ -n "$name" ] && ! grep -qxF -e "$name" "$temp/raw"; then
      printf '%s\n' "$name" >>"$temp/raw"
      for key in clean process; do git config -f "$temp/unfiltered" "filter.$name.$key" ''; done
      git config -f "$temp/unfiltered" "filter.$name.required" false
    else
      cat "$temp/words" >&2
      exit 1
    fi
  done
}
snapshot() {
  take_index
  add_all
  tree=$(aside write-tree)
  if [ $kind = plain ]; then cp -p "$temp/index" "$store/index"; fi
}
# Also one in a folder whose files are tracked, which has no entry of its own. A name in quotes is one that a line can't hold.
inner() {
  {
    links
    cat "$temp/unborn"
    find . \( -name node_modules -o -path ./.git \) -prune -o -name .git -print 2>/dev/null |
      sed -n 's|^\./\(.*\)/\.git$|\1|p' | while IFS= read -r path; do
      [ $kind = git ] && git check-ignore -q -- "$path" || printf '%s\n' "$path"
    done
  } | sort -u >"$temp/found"
  : >"$temp/inner"
  while IFS= read -r path; do
    case $path in '"'*) ;; *) [ -e "$path/.git" ] || continue ;; esac
    while IFS= read -r outer; do
      case $path in "$outer"/*) continue 2 ;; esac
    done <"$temp/inner"
    printf '%s\n' "$path" >>"$temp/inner"
    printf '%s\0' "$path"
  done <"$temp/found"
}
# Folders that git may not look into, so that what is in them isn't known.
unseen() { sed -n "s/^warning: could not open directory '\(.*\)': .*/\1/p" "$temp/words" | tr '\n' '\0'; }
refs() { if [ $kind = git ]; then git for-each-ref --format='%(objectname) %(refname)' "$@"; fi; }
stashes() {
  if [ -f "$common/logs/refs/stash" ]; then git log -g --format=%H refs/stash -- 2>/dev/null || :; fi
  # Put aside by a rebase or a merge that isn't finished.
  for file in rebase-merge/autostash rebase-apply/autostash MERGE_AUTOSTASH; do
    [ ! -f "$own/$file" ] || git rev-parse -q --verify "$(cat "$own/$file")^{commit}" || :
  done
}
# Repositories of submodules: the tips of all, or the new commits of those that aren't checked out, which no other look covers.
modules() {
  [ $kind = git ] && [ -d "$common/modules" ] || return 0
  find "$common/modules" -name HEAD -not -path '*/logs/*' -not -path '*/refs/*' | while IFS= read -r file; do
    module=${"$"}{file%/HEAD}
    [ -d "$module/objects" ] || continue
    if [ "$1" = tips ]; then
      git --git-dir="$module" for-each-ref --format='%(objectname)' || :
      git --git-dir="$module" rev-parse -q --verify 'HEAD^{commit}' || :
      continue
    fi
    tree=$(git config -f "$module/config" core.worktree || :)
    [ -z "$tree" ] || [ ! -e "$module/$tree/.git" ] || continue
    known | sort -u | sed 's/^/^/' |
      git --git-dir="$module" -c log.showSignature=false log -n 1000 -z --format="%h %s (${"$"}{module##*/modules/})" --ignore-missing --stdin --all --not --remotes || :
    printf '\0'
  done
}
head_commit() { if [ $kind = git ]; then git rev-parse -q --verify 'HEAD^{commit}' || :; fi; }
known() { sed -n 's/^tip //p' "$store/base" "$store/saved" 2>/dev/null || :; }
known_trees() { sed -n 's/^tree //p' "$store/base" "$store/saved" 2>/dev/null || :; }
last() { sed -n "s/^$1 //p" "$store/saved" 2>/dev/null | tail -n 1; }
base_tree() {
  sed -n 's/^tree //p' "$store/base" 2>/dev/null || repo mktree </dev/null
}
# Subjects of commits that are neither the host's nor at a remote.
new_commits() {
  { printf '%s\n' "$@"; stashes; known | sort -u | sed 's/^/^/'; } | grep . |
    git -c log.showSignature=false log -n 1000 -z --format='%h %s' --ignore-missing --stdin --all --not --remotes
}

case $verb in
base)
  # Beside an index in a place of its own (of a worktree) are other files.
  if [ $# -gt 0 ] && [ "$own" = "$folder/.git" ] && command -v python3 >/dev/null; then
    python3 -IS -c "$1" "$own" $format 2>/dev/null || :
  fi
  take_index
  before=$(aside write-tree 2>/dev/null || :)
  snapshot
  # Freshly written files make git read every one of them once. That is done now, so the first status need not.
  if [ $kind = git ] && [ "$tree" = "$before" ]; then
    cp -p "$temp/index" "$own/guesthouse.index"
    chmod 644 "$own/guesthouse.index"
    mv "$own/guesthouse.index" "$own/index"
  fi
  {
    printf 'kind %s\ntree %s\n' $kind "$tree"
    { modules tips; head_commit; refs | cut -d' ' -f1; stashes; } | sort -u | sed 's/^/tip /'
  } >"$temp/base"
  rm -f "$store/saved"
  mv "$temp/base" "$store/base"
  inner
  ;;
status)
  snapshot
  head=$(head_commit)
  printf '/saved\0'
  if ! known_trees | grep -qx "$tree"; then
    from=$(last tree)
    [ -n "$from" ] || from=$(base_tree)
    repo diff-tree -r -z --no-renames --name-only "$from" "$tree"
  fi
  unseen
  printf '/head\0'
  unseen
  [ -z "$head" ] || repo diff-tree -r -z --no-renames --name-only "$head^{tree}" "$tree"
  printf '/born\0%s\0' "$head"
  printf '/commits\0'
  if [ $kind = git ] && { refs; printf '%s\n' "$head"; } | grep -q .; then
    new_commits $head
    printf '\0'
  fi
  modules commits
  printf '/inner\0'
  inner
  printf '/end\0'
  ;;
inner)
  snapshot
  inner
  ;;
prepare)
  snapshot
  head=$(head_commit)
  before=$(last work)
  if [ -n "$before" ] && ! repo cat-file -e "$before^{commit}" 2>/dev/null; then before=; fi
  behind() { [ -n "$1" ] && [ -n "$2" ] && repo merge-base --is-ancestor "$1" "$2"; }
  tree_of() { repo rev-parse -q --verify "$1^{tree}"; }
  work=
  if [ -n "$head" ] && [ "$tree" = "$(tree_of "$head")" ] && { [ -z "$before" ] || behind "$before" "$head"; }; then
    work=$head
  elif [ -n "$before" ] && [ "$tree" = "$(tree_of "$before")" ] && { [ -z "$head" ] || behind "$head" "$before"; }; then
    work=$before
  else
    parents=
    if [ -n "$head" ] && ! behind "$head" "$before"; then parents="-p $head"; fi
    if [ -n "$before" ] && ! behind "$before" "$head"; then parents="$parents -p $before"; fi
    name=$(git config user.name || echo Guesthouse)
    email=$(git config user.email || echo guesthouse@localhost)
    export GIT_AUTHOR_NAME="$name" GIT_AUTHOR_EMAIL="$email" GIT_COMMITTER_NAME="$name" GIT_COMMITTER_EMAIL="$email"
    work=$(repo -c commit.gpgSign=false commit-tree "$tree" $parents -m "$1")
  fi
  printf 'kind %s\ntree %s\nwork %s\nbase %s\n' $kind "$tree" "$work" "$(sed -n 's/^tree //p' "$store/base")"
  [ -z "$head" ] || printf 'head %s\n' "$head"
  sed 's/^/raw /' "$temp/raw"
  known | sort -u | sed 's/^/tip /'
  known | sort -u >"$temp/known"
  # Of a tag, its commit, where no branch has it.
  tags() {
    [ $kind = git ] || return 0
    git for-each-ref --format='%(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end) tag-%(refname:strip=2)' refs/tags | while read -r commit ref; do
      ! grep -qx "$commit" "$temp/known" || continue
      [ -z "$(git rev-list -n 1 "$commit" --not --branches --remotes $head 2>/dev/null)" ] || printf '%s %s\n' "$commit" "$ref"
    done
  }
  { refs refs/heads; tags; stashes | sed 's/$/ refs\/stash/'; } | while read -r commit ref; do
    if [ "$ref" = refs/stash ]; then ref=stash-$(printf %.10s "$commit"); fi
    if grep -qx "$commit" "$temp/known" || [ "$commit" = "$head" ]; then continue; fi
    printf 'ref %s %s\n' "$commit" "$ref"
  done
  ;;
pack) repo pack-objects -q --revs --thin --stdout --delta-base-offset ;;
diff) repo diff --binary --full-index --no-color --no-ext-diff --no-textconv -M "$1" "$2" ;;
changed) repo diff-tree -r -z --no-renames --name-status "$1" "$2" ;;
tar) tar -c -f - --null --no-recursion -T - ;;
saved) sed -n '/^\(tree\|tip\|work\) [0-9a-f]*$/p' >>"$store/saved" ;;
*) exit 64 ;;
esac
`;
