import { shellQuote } from "../../ssh/quote.ts";

export type Environment = Readonly<Record<string, string>>;

/** `NAME=value` with NUL after each, as `env -0` and /proc/self/environ have it. Values may hold newlines. */
export function parseEnvironment(text: string): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const entry of text.split("\0")) {
    const [, name, value] =
      /^([A-Za-z_][A-Za-z0-9_]*)=([^]*)$/.exec(entry) ?? [];
    if (name !== undefined && value !== undefined) environment[name] = value;
  }
  return environment;
}

/** Where a guest's /etc/environment says nothing, as in containers. */
export const usualPath =
  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The lines of /etc/environment, as pam_env reads them. Pure. */
export function parseLogins(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const [, name, value = ""] =
      /^\s*(?:export\s+)?([A-Za-z_]\w*)=(.*)$/.exec(line) ?? [];
    if (name === undefined) continue;
    found[name] = value.trim().replace(/^(["'])(.*)\1$/, "$2");
  }
  return found;
}

/**
 * What `${containerEnv:NAME}` means in `containerEnv` itself: the guest's own variables, without those that an earlier `up`
 * has put into /etc/environment, `ours`. Pure.
 */
export function ownEnvironment(
  session: Environment,
  logins: string,
  { begin, end }: { readonly begin: string; readonly end: string },
): Record<string, string> {
  const [before = "", rest] = logins.split(`${begin}\n`);
  const [ours = "", ...after] = rest?.split(`${end}\n`) ?? [];
  const set = new Set(Object.keys(parseLogins(ours)));
  const others = Object.entries(session).filter(
    ([name]) => name !== "PATH" && !set.has(name) && !fleeting.test(name),
  );
  return {
    PATH: usualPath,
    ...Object.fromEntries(others),
    ...parseLogins(before + after.join("")),
  };
}

/** The two halves of the probe's output; `probed` is undefined when there was no probe or it gave no answer. */
export function parseProbe(
  output: string,
  mark: string,
): {
  readonly base: Record<string, string>;
  readonly probed: Record<string, string> | undefined;
} {
  const [base = "", ...rest] = output.split(mark);
  // One mark before the shell starts, one on each side of its answer; what its start-up files print lies between.
  const [, answer, after] = rest;
  return {
    base: parseEnvironment(base),
    probed:
      answer === undefined || after === undefined
        ? undefined
        : parseEnvironment(answer),
  };
}

/** What belongs to one connection or one shell, not to the user. */
const fleeting =
  /^(?:_|GUESTHOUSE_PROBE|PWD|OLDPWD|SHLVL|TERM|SSH_.*|XDG_SESSION_.*|XDG_RUNTIME_DIR|DBUS_SESSION_BUS_ADDRESS)$/;

/**
 * The file that every command's shell reads first: what the user's shell sets, then `containerEnv`, then `remoteEnv`,
 * where null takes a variable away. A probed PATH goes before the one of `containerEnv` it was made from. Pure.
 */
export function environmentFile(
  probed: Environment,
  containerEnv: Environment,
  remoteEnv: Readonly<Record<string, string | null>>,
): string {
  const user = Object.entries(probed).filter(([name]) => !fleeting.test(name));
  const container = Object.entries(containerEnv).filter(
    ([name]) => !(name in probed),
  );
  return [...user, ...container, ...Object.entries(remoteEnv)]
    .map(([name, value]) =>
      value === null
        ? `unset ${name}\n`
        : `export ${name}=${shellQuote(value)}\n`,
    )
    .join("");
}

/**
 * Lines for /etc/environment, which pam_env reads: it knows neither newlines nor escapes, and takes `#` for a comment.
 * Variables that can't be told in it are left out and named.
 */
export function loginEnvironment(containerEnv: Environment): {
  readonly lines: string;
  readonly leftOut: readonly string[];
} {
  const plain = /^[^\n\r#"'\\]*$/;
  const entries = Object.entries(containerEnv);
  return {
    lines: entries
      .filter(([, value]) => plain.test(value))
      .map(([name, value]) => `${name}="${value}"\n`)
      .join(""),
    leftOut: entries
      .filter(([, value]) => !plain.test(value))
      .map(([name]) => name),
  };
}
