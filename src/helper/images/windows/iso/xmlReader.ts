import { SaxesParser } from "saxes";

/** An element as it was read. */
export interface XmlNode {
  /** With its prefix, as it is written. */
  readonly name: string;
  /** URI of its namespace; empty where it has none. */
  readonly namespace: string;
  /** By their names as written. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlNode[];
  /** All text below, its children's too. */
  readonly text: string;
}

/** The root of a document. Pure. Throws a plain `Error` for whatever is not well-formed, namespaces included. */
export function parsedXml(text: string): XmlNode {
  interface Open {
    name: string;
    namespace: string;
    attributes: Map<string, string>;
    children: Open[];
    text: string;
  }
  const open: Open[] = [];
  let root: Open | undefined;
  const add = (more: string): void => {
    for (const node of open) node.text += more;
  };
  const parser = new SaxesParser({ xmlns: true });
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("opentag", ({ name, uri, attributes }) => {
    const node: Open = {
      name,
      namespace: uri,
      attributes: new Map(
        Object.values(attributes).map((one) => [one.name, one.value]),
      ),
      children: [],
      text: "",
    };
    open.at(-1)?.children.push(node);
    root ??= node;
    open.push(node);
  });
  parser.on("closetag", () => {
    open.pop();
  });
  parser.on("text", add);
  parser.on("cdata", add);
  parser.write(text).close();
  if (root === undefined) throw new Error("the document is empty");
  return root;
}

/** Children of a name. */
export const childrenOf = (
  node: XmlNode | undefined,
  name: string,
): readonly XmlNode[] =>
  node?.children.filter((child) => child.name === name) ?? [];

/** The first element at the end of a path of names, if there is one. */
export const elementAt = (
  node: XmlNode | undefined,
  ...path: readonly string[]
): XmlNode | undefined =>
  path.reduce<XmlNode | undefined>((at, name) => childrenOf(at, name)[0], node);

/** All elements of a name, at any depth, in the document's order. */
export const everyElement = (node: XmlNode, name: string): XmlNode[] => [
  ...(node.name === name ? [node] : []),
  ...node.children.flatMap((child) => everyElement(child, name)),
];
