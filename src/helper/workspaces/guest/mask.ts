/** Shorter ones would take pieces out of everything that is printed. */
const fewestCharacters = 4;
const mask = "***";

/**
 * Takes secrets out of a stream of text that comes in pieces: an end that may be the beginning of a secret waits for the
 * next piece. A secret of several lines is also hidden line by line, as a program may print it.
 */
export class Masker {
  readonly #secrets: readonly string[];
  #held = "";

  constructor(secrets: readonly string[]) {
    const all = secrets.flatMap((secret) => [
      secret,
      ...secret.split(/\r?\n/).map((line) => line.trim()),
    ]);
    // The longest first: one may hold another.
    this.#secrets = [...new Set(all)]
      .filter(({ length }) => length >= fewestCharacters)
      .sort((a, b) => b.length - a.length);
  }

  /** What may be shown by now. */
  take(text: string): string {
    if (this.#secrets.length === 0) return text;
    const whole = `${this.#held}${text}`;
    let shown = "";
    let at = 0;
    while (at < whole.length) {
      const found = this.#secrets.find((each) => whole.startsWith(each, at));
      if (found !== undefined && !this.#mayGrow(whole, at, found.length)) {
        shown += mask;
        at += found.length;
      } else if (this.#mayGrow(whole, at, found?.length ?? 0)) break;
      else shown += whole.charAt(at++);
    }
    this.#held = whole.slice(at);
    return shown;
  }

  /** The rest, once nothing more comes. */
  end(): string {
    const rest = this.#held;
    this.#held = "";
    return this.#secrets.reduce(
      (text, secret) => text.replaceAll(secret, mask),
      rest,
    );
  }

  /** Whether the text from here to its end is the beginning of a secret longer than what was found already. */
  #mayGrow(text: string, at: number, found: number): boolean {
    const rest = text.length - at;
    return this.#secrets.some(
      (each) =>
        each.length > rest &&
        each.length > found &&
        text.startsWith(each.slice(0, rest), at),
    );
  }
}
