const escape = "\x1b";
const bell = "\x07";

/**
 * Control sequences of a serial console (ECMA-48): CSI with parameters, OSC up to BEL or ST, character set choices and
 * other two-byte sequences.
 */
const sequence = new RegExp(
  `${escape}(?:\\[[0-?]*[ -/]*[@-~]|\\][^${bell}${escape}]*(?:${bell}|${escape}\\\\)|[ -/][0-~]|[0-Z\\\\^-~])`,
  "g",
);
/** The beginning of a sequence whose rest comes with the next piece of text; an OSC may be long, but not endless. */
const cut = new RegExp(
  `${escape}(?:\\[[0-?]*[ -/]*|\\][^${bell}${escape}]{0,256}${escape}?|[ -/])?$`,
);
/** C0 controls but tab, line feed and carriage return. */
const controls = /[^\P{Cc}\t\n\r]/gu;

/**
 * Turns a console's bytes into plain lines, piece by piece: no control sequences, `\n` at line ends. A carriage
 * return that rewrites a line begins a new one instead, so that nothing is lost.
 */
export function createConsoleCleaner(): (piece: string) => string {
  let held = "";
  let atLineStart = true;
  return (piece) => {
    let text = held + piece;
    held = cut.exec(text)?.[0] ?? "";
    text = text.slice(0, text.length - held.length).replaceAll(sequence, "");
    // A return at the end may belong to a line feed that is still to come.
    const returns = /\r+$/.exec(text)?.[0] ?? "";
    if (held === "") held = returns;
    else if (returns !== "") held = returns + held;
    text = text
      .slice(0, text.length - returns.length)
      .replaceAll(/\r+\n/g, "\n")
      .replaceAll(/\r+/g, "\r")
      .replaceAll(controls, "");
    let clean = "";
    for (const part of text.split(/(\r|\n)/)) {
      if (part === "") continue;
      if (part === "\r") {
        if (atLineStart) continue;
        clean += "\n";
        atLineStart = true;
      } else {
        clean += part;
        atLineStart = part === "\n";
      }
    }
    return clean;
  };
}
