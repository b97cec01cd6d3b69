/** Longer answers are cut off. */
const maxCharacters = 4_096;

const removed = "(removed)";

/** What looks like a secret, and what is left of it. */
const secrets: readonly (readonly [RegExp, string])[] = [
  [
    /-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
    removed,
  ],
  // A product key of Windows.
  [/\b(?:[A-Z0-9]{5}-){4}[A-Z0-9]{5}\b/gi, removed],
  // A BitLocker recovery password.
  [/\b(?:\d{6}-){7}\d{6}\b/g, removed],
  [
    /\b([\w.-]*(?:password|passwd|passphrase|secret|token|api[-_]?key)[\w.-]*["']?\s*[:=]\s*)("[^"\n]*"|'[^'\n]*'|[^\s,;}]+)/gi,
    `$1${removed}`,
  ],
  // User and password in a URL.
  [/(\b[a-z][a-z0-9+.-]*:\/\/)[^/\s@]+@/gi, `$1${removed}@`],
];

/**
 * Something that a guest said, fit to be sent to others: without what looks like a secret, with other words in the
 * place of those that are nobody's business, and not too long. Pure. A net, not a proof: the questions are chosen so
 * that no answer holds a secret.
 */
export function shareable(
  text: string,
  hidden: readonly (readonly [word: string, standsFor: string])[] = [],
): string {
  let shown = text.trim();
  for (const [pattern, left] of secrets) shown = shown.replace(pattern, left);
  for (const [word, standsFor] of hidden)
    // A shorter one would be found in the midst of everything.
    if (word.length >= 3)
      shown = shown.replace(
        new RegExp(`(?<![A-Za-z0-9])${literal(word)}(?![A-Za-z0-9])`, "gi"),
        () => standsFor,
      );
  return shown.length <= maxCharacters
    ? shown
    : `${shown.slice(0, maxCharacters)}… (${String(shown.length)} characters)`;
}

const literal = (word: string): string =>
  word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
