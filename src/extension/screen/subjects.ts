import type { Image } from "../../protocol/images.ts";
import type { Machine } from "../../protocol/machines.ts";
import type { Records } from "../helper/records.ts";
import type { Notice } from "./messages.ts";
import { noticeOf, noticeOfImage } from "./notice.ts";

/** What is seen of a subject at one moment. */
export interface Sight {
  readonly name: string;
  /** Where VNC clients find its screen; another `life` is another QEMU. */
  readonly screen?: { readonly path: string; readonly life: string };
}

/** What a panel shows the screen of: a VM, or an image while its system is installed. */
export interface Subject {
  readonly look: () => Sight | undefined;
  /** What the panel says where there is no picture; undefined when there is one. */
  readonly notice: (connected: boolean) => Notice | undefined;
  readonly onDidChange: (listener: () => void) => () => void;
}

/** By the key that a panel keeps: a machine's id, or `keyOfImage`. */
export type SubjectOf = (key: string) => Subject;

const imagePrefix = "image:";

export const keyOfImage = (name: string): string => `${imagePrefix}${name}`;

export const screenSubjects =
  (machines: Records<Machine>, images: Records<Image>): SubjectOf =>
  (key) =>
    key.startsWith(imagePrefix)
      ? subjectIn(images, key.slice(imagePrefix.length), {
          keyOf: ({ name }) => name,
          sight: imageSight,
          notice: noticeOfImage,
        })
      : subjectIn(machines, key, {
          keyOf: ({ id }) => id,
          sight: machineSight,
          notice: noticeOf,
        });

const subjectIn = <T>(
  records: Records<T>,
  key: string,
  of: {
    readonly keyOf: (record: T) => string;
    readonly sight: (record: T) => Sight;
    readonly notice: (
      record: T | undefined,
      connected: boolean,
    ) => Notice | undefined;
  },
): Subject => ({
  look() {
    const record = records.get(key);
    return record === undefined ? undefined : of.sight(record);
  },
  notice: (connected) => of.notice(records.get(key), connected),
  onDidChange: (listener) =>
    records.onDidChange(({ changed, removed }) => {
      if ([...changed, ...removed].some((record) => of.keyOf(record) === key))
        listener();
    }),
});

function machineSight({ name, runtime }: Machine): Sight {
  const { screenSocket, pid } = runtime ?? {};
  return screenSocket === undefined || pid === undefined
    ? { name }
    : { name, screen: { path: screenSocket, life: String(pid) } };
}

function imageSight({ name, state }: Image): Sight {
  const path = state.kind === "working" ? state.screen : undefined;
  // Each installation names its sockets anew.
  return path === undefined ? { name } : { name, screen: { path, life: path } };
}
