/** One `deb` entry of apt's configuration: where packages of which suites come from. */
export interface AptSource {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
}

/**
 * Reads a `.list` file (sources.list(5), one-line style): `deb [options] uri suite component…`. Comments, `deb-src` and
 * lines that say too little are passed over.
 */
export function parseListFile(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split("\n")) {
    const entry = line.replace(/#.*/, "").trim();
    const match = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s*(.*)$/.exec(entry);
    if (match === null) continue;
    const [, uri = "", suite = "", components = ""] = match;
    sources.push({ uri, suites: [suite], components: words(components) });
  }
  return sources;
}

/**
 * Reads a `.sources` file (sources.list(5), deb822 style): stanzas of `Field: value` with continuation lines. Disabled
 * stanzas and those without binary packages are passed over; a stanza with several URIs gives a source for each.
 */
export function parseDeb822File(text: string): AptSource[] {
  return stanzas(text).flatMap((fields) => {
    if (/^(no|false|0|off|without|disable)$/i.test(fields.get("enabled") ?? ""))
      return [];
    if (!words(fields.get("types") ?? "deb").includes("deb")) return [];
    return words(fields.get("uris") ?? "").map((uri) => ({
      uri,
      suites: words(fields.get("suites") ?? ""),
      components: words(fields.get("components") ?? ""),
    }));
  });
}

/** deb822 paragraphs as maps of lower-case field names; lines that begin with `#` are comments, also inside a value. */
export function stanzas(text: string): Map<string, string>[] {
  const result: Map<string, string>[] = [];
  let current: Map<string, string> | undefined;
  let field: string | undefined;
  for (const line of text.split("\n")) {
    if (line.startsWith("#")) continue;
    if (line.trim() === "") {
      current = undefined;
      continue;
    }
    if (current === undefined) {
      current = new Map();
      result.push(current);
      field = undefined;
    }
    const start = /^([^\s:]+):(.*)$/.exec(line);
    if (start !== null) {
      field = (start[1] ?? "").toLowerCase();
      current.set(field, (start[2] ?? "").trim());
    } else if (field !== undefined) {
      current.set(field, `${current.get(field) ?? ""}\n${line.trim()}`.trim());
    }
  }
  return result;
}

const words = (text: string): string[] =>
  text.split(/\s+/).filter((word) => word !== "");
