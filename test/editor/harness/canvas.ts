import type { FrameLocator } from "playwright-core";

/** The little of a canvas that is looked at. */
interface Canvas {
  readonly width: number;
  readonly height: number;
  getContext(kind: "2d"): {
    getImageData(...rectangle: [number, number, number, number]): {
      readonly data: Uint8ClampedArray;
    };
  };
}

/** How many pixels of the screen panel's picture are bright: letters on a black screen. */
export const brightPixels = (panel: FrameLocator): Promise<number> =>
  panel
    .locator("#screen canvas")
    .first()
    .evaluate((found: unknown) => {
      const canvas = found as Canvas;
      const { data } = canvas
        .getContext("2d")
        .getImageData(0, 0, canvas.width, canvas.height);
      let bright = 0;
      for (let at = 0; at < data.length; at += 4)
        if ((data[at] ?? 0) > 100) bright++;
      return bright;
    });
