import type { Image, ImageReport } from "../../../protocol/images.ts";
import { bytes, table } from "../terminal/format.ts";

export const readyText = (image: Image): string =>
  `Image ${image.name} is ready (${bytes(image.sizeBytes ?? 0)}, ${image.digest?.slice(0, 19) ?? ""}).${isAsItWas(image) ? " Windows in it was taken as it is, and nothing was verified: guesthouse image windows --disk prepares such a disk." : ""}`;

const isAsItWas = ({ os, source }: Image): boolean =>
  os === "windows" &&
  source?.kind === "imported" &&
  source.manifest === undefined;

export const listText = (images: readonly Image[]): string =>
  table([
    ["NAME", "STATE", "SIZE", "USED BY", "TITLE"],
    ...images.map((image) => [
      image.name,
      image.state.kind,
      image.sizeBytes === undefined ? "–" : bytes(image.sizeBytes),
      image.usedBy.length === 0 ? "–" : image.usedBy.join(", "),
      image.title,
    ]),
  ]);

const marks = {
  ok: "✓",
  warning: "!",
  error: "✗",
  notApplicable: "–",
} as const;

export function reportText({ usable, checks }: ImageReport): string {
  const lines = checks.map(
    ({ outcome, title, detail, remedy }) =>
      `${marks[outcome]} ${title}: ${detail}${remedy === undefined ? "" : ` → ${remedy}`}`,
  );
  return [
    ...lines,
    usable ? "The image is usable." : "The image is NOT usable.",
  ].join("\n");
}
