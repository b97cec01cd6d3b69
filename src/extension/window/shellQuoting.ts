/*
 * Quoting for the shell of the user's terminal, which may be any: what is shown, copied or typed there reads as a person
 * would write it. What our own programs hand to a POSIX shell is quoted by the helper (ssh/quote.ts).
 */

/**
 * A command as a person would type it: POSIX shells take single quotes literally (POSIX Shell 2.2.2), PowerShell does
 * too, with `''` for a quote.
 */
export function quoted(
  command: readonly string[],
  platform: NodeJS.Platform,
): string {
  return command.map((word) => quotedWord(word, platform)).join(" ");
}

function quotedWord(word: string, platform: NodeJS.Platform): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  // Windows paths without spaces need no quotes in any of its shells.
  if (platform === "win32")
    return /^[\w@%+=:,./\\-]+$/.test(word)
      ? word
      : `"${word.replaceAll('"', '""')}"`;
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
