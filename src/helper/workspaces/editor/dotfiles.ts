import type { ParsedParams } from "../../../protocol/contract.ts";
import type { Step } from "../devcontainer/lifecycleCommands.ts";

export type Dotfiles = NonNullable<ParsedParams<"workspaces.up">["dotfiles"]>;

/** A repository of dotfiles as the guest is to clone and install it. */
export interface DotfilesPlan {
  /** Empty where nobody has dotfiles. */
  readonly steps: readonly Step[];
  /** What must not be printed: a password that stands in the address. */
  readonly hidden: readonly string[];
}

/** The order of the reference implementation. */
const installers = [
  "install.sh",
  "install",
  "bootstrap.sh",
  "bootstrap",
  "script/bootstrap",
  "setup.sh",
  "setup",
  "script/setup",
];

/**
 * Clones unless the folder is there, then runs the command that is wanted, or the first installer that the repository
 * has, or links its dotfiles into the home folder. git asks nothing: nobody could answer.
 */
const install = `set -eu
repository=$1 target=$2 wanted=$3
shift 3
case $repository in '~/'*) repository=$HOME/\${repository#'~/'} ;; esac
case $target in
  '~') target=$HOME ;;
  '~/'*) target=$HOME/\${target#'~/'} ;;
  /*) ;;
  *) target=$HOME/$target ;;
esac
if [ ! -e "$target" ]; then
  command -v git > /dev/null || { echo 'There is no git in the guest.' >&2; exit 127; }
  GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND='ssh -o BatchMode=yes' git clone -q -- "$repository" "$target"
fi
cd -- "$target"
run() {
  [ -x "$1" ] || chmod +x -- "$1"
  echo "running $1 of the dotfiles"
  exec "$1"
}
if [ -n "$wanted" ]; then
  [ ! -f "./$wanted" ] || run "./$wanted"
  exec /bin/sh -c "$wanted"
fi
for name in "$@"; do
  [ ! -f "./$name" ] || run "./$name"
done
for path in .[!.]* ..?*; do
  { [ -e "$path" ] || [ -L "$path" ]; } && [ "$path" != .git ] || continue
  if [ -d "$HOME/$path" ] && [ ! -L "$HOME/$path" ]; then
    echo "$path is a folder already, it is not linked"
  else
    ln -sfn -- "$target/$path" "$HOME/$path"
    echo "linked $path"
  fi
done`;

/** What brings a person's dotfiles into a guest. Pure. */
export function planDotfiles(dotfiles: Dotfiles | undefined): DotfilesPlan {
  if (dotfiles === undefined) return { steps: [], hidden: [] };
  const { repository, targetPath, installCommand } = dotfiles;
  const address = addressOf(repository);
  const [, userInfo] = /^[a-z][a-z0-9+.-]*:\/\/([^/@]*)@/i.exec(address) ?? [];
  // The user's name before a colon is no secret; a word alone may be a token.
  const secret = userInfo?.replace(/^[^:]*:/, "");
  return {
    steps: [
      {
        name: undefined,
        argv: [
          ...["/bin/sh", "-c", install, "sh", address],
          ...[targetPath ?? "~/dotfiles", installCommand ?? "", ...installers],
        ],
      },
    ],
    hidden:
      secret === undefined || secret === ""
        ? []
        : [secret, decoded(secret)].filter((each) => each !== undefined),
  };
}

/** `owner/name` stands for a repository on GitHub; addresses and paths of the guest stand for themselves. */
function addressOf(repository: string): string {
  const wish = repository.trim();
  if (wish.includes(":") || /^[./~]/.test(wish)) return wish;
  return /^[^/]+\/[^/]+$/.test(wish)
    ? `https://github.com/${wish.replace(/\.git$/, "")}.git`
    : `https://${wish}`;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** What is told when they could not be installed: nothing else depends on them. */
export const dotfilesFailed = (code: number, logPath: string): string =>
  `The dotfiles were not installed: exit code ${String(code)}. ${logPath} has what was said. The next up tries again.`;
