/*
 * The one place where words are quoted for a POSIX shell that runs them: a guest's, the launcher's, the one that ssh gives
 * its ProxyCommand to. What the user's own terminal is typed is another thing, by platform, and has its place in the
 * extension (window/shellQuoting.ts).
 */

/** One word for a POSIX shell, whatever it holds: between single quotes everything stands for itself. */
export const singleQuoted = (text: string): string =>
  `'${text.replaceAll("'", `'\\''`)}'`;

/** The same for readers that know double quotes only; between them a shell still looks for four characters. */
export const doubleQuoted = (text: string): string =>
  `"${text.replace(/["$`\\]/g, "\\$&")}"`;

/** Does it stand for itself in a shell without any quotes? */
export const isPlainWord = (word: string): boolean =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(word);

/** Quoted by `singleQuoted` only where that changes something, so that people can read it. */
export const shellQuote = (word: string): string =>
  isPlainWord(word) ? word : singleQuoted(word);

/** A command line for the guest's POSIX shell: SSH carries one string, not an argument array (RFC 4254, section 6.5). */
export const shellCommand = (argv: readonly string[]): string =>
  argv.map(shellQuote).join(" ");
