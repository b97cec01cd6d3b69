/** One word for a POSIX shell, whatever it holds. */
export const shellQuote = (word: string): string =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(word)
    ? word
    : `'${word.replaceAll("'", `'\\''`)}'`;

/** A command line for the guest's POSIX shell: SSH carries one string, not an argument array (RFC 4254, section 6.5). */
export const shellCommand = (argv: readonly string[]): string =>
  argv.map(shellQuote).join(" ");
