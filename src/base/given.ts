/** What of `properties` is given: those that are undefined are left out, so that they overwrite nothing in a spread. */
export function given<T extends object>(
  properties: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept: { [K in keyof T]?: Exclude<T[K], undefined> } = {};
  // A loop, as lists of a thousand records pass through here.
  for (const key of Object.keys(properties) as (keyof T)[])
    if (properties[key] !== undefined)
      kept[key] = properties[key] as Exclude<T[keyof T], undefined>;
  return kept;
}
