import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect } from "vitest";
import type { Images } from "../../../src/helper/images/images.ts";
import {
  endProcess,
  findQemu,
  waitForExit,
} from "../../../src/helper/qemu/process.ts";
import { findSwtpm } from "../../../src/helper/qemu/swtpm.ts";
import { type Layout, layoutOf } from "../../../src/helper/store/layout.ts";
import type { ImageState } from "../../../src/protocol/images.ts";
import {
  type Director,
  direct,
  type HouseSpec,
  imagesOf,
  until,
} from "./windowsHouse.ts";
import { kernelArguments, type Player, resources } from "./windowsPlayer.ts";

/** Where one play after the other is given; what a play leaves is cleared away after each test. */
export interface WindowsStage {
  readonly layout: Layout;
  readonly told: readonly ImageState[];
  /** A data folder of its own, and a machine without firmware that plays this. */
  readonly scene: <Wish extends { readonly name: string }>(
    player: Player,
    play: string,
    wish: Wish,
  ) => Promise<HouseSpec & { readonly wish: Wish }>;
  readonly open: (spec: HouseSpec) => Promise<Images>;
  readonly direct: (spec: HouseSpec) => Promise<Director>;
  /** Until clients were told of this stage, with these words. */
  readonly hear: (stage: string, words?: string) => Promise<ImageState>;
  readonly stages: () => string[];
  readonly nothingLeft: () => Promise<void>;
}

export function windowsStage(): WindowsStage {
  let layout: Layout | undefined;
  let told: ImageState[] = [];
  let opened: Images[] = [];
  let directors: Director[] = [];
  const place = (): Layout => {
    if (layout === undefined) throw new Error("there is no scene yet");
    return layout;
  };

  afterEach(async () => {
    for (const director of directors) director.close();
    for (const images of opened) await images.close();
    for (const qemu of await findQemu(`path=${place().run}/`)) {
      await endProcess(qemu, "SIGKILL");
      await waitForExit(qemu, 10_000);
    }
    await rm(place().home, { recursive: true, force: true });
  });

  return {
    get layout() {
      return place();
    },
    get told() {
      return told;
    },
    scene: async (player, play, wish) => {
      const home = await mkdtemp(join(tmpdir(), "gh-win-"));
      layout = layoutOf(home);
      [told, opened, directors] = [[], [], []];
      return {
        ...{ home, resources, wish, memoryMiB: 256 },
        direct: {
          kernel: player.kernel,
          initrd: await player.initrd(join(home, "initrd"), play),
          arguments: kernelArguments,
        },
      };
    },
    open: async (spec) => {
      const images = await imagesOf(spec, ({ state }) => told.push(state));
      opened.push(images);
      return images;
    },
    direct: async (spec) => {
      const director = await direct(spec);
      directors.push(director);
      return director;
    },
    hear: (stage, words = "") =>
      until(() =>
        told.find(
          (state) =>
            state.kind === "working" &&
            state.stage === stage &&
            (state.detail ?? "").includes(words),
        ),
      ),
    stages: () =>
      told
        .flatMap((state) => (state.kind === "working" ? [state.stage] : []))
        .filter((stage, at, all) => stage !== all[at - 1]),
    nothingLeft: async () => {
      const { installs, run, work } = place();
      expect(await readdir(installs)).toEqual([]);
      expect(await findQemu(`path=${run}/`)).toEqual([]);
      expect(await findSwtpm(`${run}/`)).toEqual([]);
      expect(
        (await readdir(run)).filter((file) => file.startsWith("win-")),
      ).toEqual([]);
      // Made with the first image that is packed.
      expect(await readdir(work).catch(() => [])).toEqual([]);
    },
  };
}
