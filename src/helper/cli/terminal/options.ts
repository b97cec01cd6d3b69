import { InvalidArgumentError } from "commander";

export function integerOption(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) < 1)
    throw new InvalidArgumentError("A whole number above zero is needed.");
  return Number(text);
}

const mebibytesOf = { M: 1, G: 1024, T: 1024 ** 2 } as const;

/** `2G`, `1536M`, `1T`, `2048` (MiB) → MiB. */
export function mebibytesOption(text: string): number {
  const [, value, unit] = /^(\d+(?:\.\d+)?)\s*([TGM])?i?B?$/i.exec(text) ?? [];
  if (value === undefined)
    throw new InvalidArgumentError("A size such as 2G or 1536M is needed.");
  const of = (unit?.toUpperCase() ?? "M") as keyof typeof mebibytesOf;
  return Math.round(Number(value) * mebibytesOf[of]);
}

/** `20G`, `20` (GiB) → GiB. */
export function gibOption(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([GT])?i?B?$/i.exec(text);
  if (match === null)
    throw new InvalidArgumentError("A size such as 20G is needed.");
  const value = Number(match[1]);
  return match[2]?.toUpperCase() === "T" ? value * 1024 : value;
}

/** `8080:80` or `:80` (any free host port). */
export function forwardOption(
  text: string,
  before: readonly Forwarded[],
): Forwarded[] {
  const match = /^(\d*):(\d+)$/.exec(text);
  const hostPort = Number(match?.[1] ?? "x");
  const guestPort = Number(match?.[2] ?? "x");
  if (!(
    hostPort >= 0 &&
    hostPort < 65_536 &&
    guestPort > 0 &&
    guestPort < 65_536
  ))
    throw new InvalidArgumentError("Ports such as 8080:80 are needed.");
  return [...before, { hostPort, guestPort, protocol: "tcp" }];
}

interface Forwarded {
  readonly hostPort: number;
  readonly guestPort: number;
  readonly protocol: "tcp";
}
