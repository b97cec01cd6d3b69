import { l10n } from "vscode";

const kibi = 1024;

/** `512 MB`, `2 GB`, `1.5 GB`. */
export function memoryText(memoryMiB: number): string {
  return memoryMiB < kibi
    ? l10n.t("{0} MB", rounded(memoryMiB))
    : l10n.t("{0} GB", rounded(memoryMiB / kibi));
}

/** `340 KB`, `12 MB`, `1.4 GB`. */
export function bytesText(bytes: number): string {
  if (bytes < kibi) return l10n.t("{0} bytes", rounded(bytes));
  const kilo = bytes / kibi;
  return kilo < kibi
    ? l10n.t("{0} KB", rounded(kilo))
    : memoryText(kilo / kibi);
}

/** `0 s`, `59 s`, `5 min`, `3 h 12 min`, `2 d 4 h`. */
export function durationText(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return l10n.t("{0} s", seconds);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return l10n.t("{0} min", minutes);
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return l10n.t("{0} h {1} min", hours, minutes % 60);
  return l10n.t("{0} d {1} h", Math.floor(hours / 24), hours % 24);
}

/** `just now`, `3 min ago`, `2 d 4 h ago`. */
export function agoText(milliseconds: number): string {
  return milliseconds < 60_000
    ? l10n.t("just now")
    : l10n.t("{0} ago", durationText(milliseconds));
}

/** When something was last used, by its moment. */
export const usedText = (iso: string, nowMs: number): string =>
  l10n.t("used {0}", agoText(nowMs - Date.parse(iso)));

/** A moment as the user's system writes it: `Mar 1, 2026, 12:00 PM`. */
export const timeText = (iso: string): string =>
  new Date(iso).toLocaleString(undefined, {
    dateStyle: "medium",
    timeStyle: "short",
  });

/** One decimal below ten, none above, none that is zero. */
function rounded(value: number): string {
  return String(value < 10 ? Math.round(value * 10) / 10 : Math.round(value));
}
