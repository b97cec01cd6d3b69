/**
 * Commands of TPM 2.0 as hex, each authorised by an empty password; TCG, TPM 2.0 Library, part 3 (Commands) and
 * part 2 (Structures).
 */

/** PCR that nobody but a debugger uses. It is lost without power. */
export const debugRegister = 16;

/** Adds 32 bytes to what the register stands for. */
export const extendRegister = (digest: Buffer): string =>
  // One digest, of SHA-256 (0x000b).
  command("00000182", hex32(debugRegister), `00000001000b${digest.toString("hex")}`);

const index = "01500016";
const owner = "40000001";
const counterBytes = 8;

/** Makes a place of 8 bytes that the owner writes and reads; it is kept without power. */
export const definePlace = (): string =>
  // No password of its own; its public area: index, SHA-256, attributes, no policy, size.
  command("0000012a", owner, `0000000e${index}000b020600060000${hex16(counterBytes)}`);

export const writePlace = (content: Buffer): string =>
  command(
    "00000137",
    owner + index,
    `${hex16(content.length)}${content.toString("hex")}0000`,
  );

export const readPlace = (): string =>
  command("0000014e", owner + index, `${hex16(counterBytes)}0000`);

/** What `readPlace` was answered with: header (10 bytes), size of what follows (4), length (2), content. */
export const placeIn = (answer: string): string =>
  answer.slice(2 * 16, 2 * (16 + counterBytes));

/** 0 where the TPM did it. */
export const codeOf = (answer: string): number =>
  Number.parseInt(answer.slice(12, 20), 16);

const hex16 = (value: number): string => value.toString(16).padStart(4, "0");
const hex32 = (value: number): string => value.toString(16).padStart(8, "0");

function command(code: string, handles: string, parameters: string): string {
  const session = "40000009" + "0000" + "00" + "0000";
  const rest = `${code}${handles}${hex32(session.length / 2)}${session}${parameters}`;
  return `8002${hex32(2 + 4 + rest.length / 2)}${rest}`;
}

/** A line for the guest's shell that sends the command and prints the answer as hex. */
export const tpmLine = (hex: string): string =>
  `exec 3<>/dev/tpm0; printf '${octal(hex)}' >&3; dd bs=4096 count=1 <&3 2>/dev/null | od -An -v -tx1 | tr -d ' \\n'`;

const octal = (hex: string): string =>
  [...Buffer.from(hex, "hex")]
    .map((byte) => `\\${byte.toString(8).padStart(3, "0")}`)
    .join("");
