const maxLength = 63;

/** `web-fork`, then `web-fork-2`: the first that no machine has, short enough for a hostname (RFC 1123). */
export function freeName(
  base: string,
  suffix: string,
  taken: ReadonlySet<string>,
): string {
  for (let number = 1; ; number++) {
    const end = number === 1 ? `-${suffix}` : `-${suffix}-${String(number)}`;
    const name = base.slice(0, maxLength - end.length).replace(/-+$/, "") + end;
    if (!taken.has(name)) return name;
  }
}
