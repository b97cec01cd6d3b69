import type { Image } from "../../protocol/images.ts";
import type { Machine } from "../../protocol/machines.ts";
import type { Records } from "../records.ts";
import type { Notice } from "./messages.ts";
import { noticeOf, noticeOfImage } from "./notice.ts";

/** What a panel shows the screen of: a VM, or an image while its system is installed. */
export interface Subject {
  readonly name: string;
  /** Where VNC clients find it; another `life` is another QEMU. */
  readonly screen?: { readonly path: string; readonly life: string };
}

/** Subjects by the key that a panel keeps: a machine's id, or `keyOfImage`. */
export interface Subjects {
  readonly get: (key: string) => Subject | undefined;
  /** What the panel says where there is no picture; undefined when there is one. */
  readonly notice: (key: string, connected: boolean) => Notice | undefined;
  readonly onDidChange: (key: string, listener: () => void) => () => void;
}

const imagePrefix = "image:";

export const keyOfImage = (name: string): string => `${imagePrefix}${name}`;

const imageOfKey = (key: string): string | undefined =>
  key.startsWith(imagePrefix) ? key.slice(imagePrefix.length) : undefined;

export function screenSubjects(
  machines: Records<Machine>,
  images: Records<Image>,
): Subjects {
  return {
    get(key) {
      const image = imageOfKey(key);
      return image === undefined
        ? ofMachine(machines.get(key))
        : ofImage(images.get(image));
    },
    notice(key, connected) {
      const image = imageOfKey(key);
      return image === undefined
        ? noticeOf(machines.get(key), connected)
        : noticeOfImage(images.get(image), connected);
    },
    onDidChange(key, listener) {
      const image = imageOfKey(key);
      return image === undefined
        ? machines.onDidChange(({ changed, removed }) => {
            if ([...changed, ...removed].some(({ id }) => id === key))
              listener();
          })
        : images.onDidChange(({ changed, removed }) => {
            if ([...changed, ...removed].some(({ name }) => name === image))
              listener();
          });
    },
  };
}

function ofMachine(machine: Machine | undefined): Subject | undefined {
  if (machine === undefined) return undefined;
  const { screenSocket, pid } = machine.runtime ?? {};
  return {
    name: machine.name,
    ...(screenSocket === undefined || pid === undefined
      ? {}
      : { screen: { path: screenSocket, life: String(pid) } }),
  };
}

function ofImage(image: Image | undefined): Subject | undefined {
  if (image === undefined) return undefined;
  const { state } = image;
  const path = state.kind === "working" ? state.screen : undefined;
  return {
    name: image.name,
    // Each installation names its sockets anew.
    ...(path === undefined ? {} : { screen: { path, life: path } }),
  };
}
