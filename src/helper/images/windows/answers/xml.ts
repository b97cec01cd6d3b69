import { refused } from "../../../../protocol/failure.ts";

/** An element: its name, attributes, and text or children. Undefined children are left out. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly content: string | readonly XmlElement[];
}

export function element(
  name: string,
  content: string | readonly (XmlElement | undefined)[],
  attributes: Readonly<Record<string, string>> = {},
): XmlElement {
  return {
    name,
    attributes,
    content:
      typeof content === "string"
        ? content
        : content.filter((child) => child !== undefined),
  };
}

/** The document as text, indented. Pure. Throws `request.invalid` for characters that XML 1.0 has no way to say. */
export function xmlDocument(root: XmlElement): string {
  return `<?xml version="1.0" encoding="utf-8"?>\n${rendered(root, "")}`;
}

function rendered(
  { name, attributes, content }: XmlElement,
  indent: string,
): string {
  const head = [
    name,
    ...Object.entries(attributes).map(
      ([key, value]) => `${key}="${escapedXml(value)}"`,
    ),
  ].join(" ");
  if (typeof content === "string")
    return `${indent}<${head}>${escapedXml(content)}</${name}>\n`;
  const children = content.map((child) => rendered(child, `${indent}  `));
  return `${indent}<${head}>\n${children.join("")}${indent}</${name}>\n`;
}

const named: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** Line ends too: a parser makes spaces of them in attributes, and of CR LF one LF (XML 1.0, 2.11 and 3.3.3). */
function escapedXml(text: string): string {
  // Characters that no XML 1.0 document may hold, halves of pairs among them (XML 1.0, 2.2).
  if (
    /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u.test(text)
  )
    throw refused(
      "request.invalid",
      "A value for the Windows answer file holds a control character.",
      { remedy: "Leave it out; an answer file has no way to say it." },
    );
  return text.replace(
    /[&<>"'\t\n\r]/g,
    (character) => named[character] ?? `&#${String(character.charCodeAt(0))};`,
  );
}
