/** Control characters, and those that turn the direction of a line around. */
const hidden = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/**
 * Text that somebody else wrote, safe to show: on a terminal, control characters could hide a part of it or put another
 * text in its place. They come out as escapes (`\u001b`).
 */
export const visible = (text: string): string =>
  text.replace(
    hidden,
    (character) =>
      `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
