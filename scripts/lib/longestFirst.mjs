// The order in which vitest runs the files of a project: the longest first, so that its workers end together.
import { relative } from "node:path";
import { BaseSequencer } from "vitest/node";
import { knownDurations } from "./durations.mjs";

export default class LongestFirst extends BaseSequencer {
  /** @param {import("vitest/node").TestSpecification[]} files */
  async sort(files) {
    const known = knownDurations();
    /** @param {import("vitest/node").TestSpecification} spec */
    const ms = ({ moduleId }) =>
      known(relative(this.ctx.config.root, moduleId).replaceAll("\\", "/"));
    // vitest's own order first: it keeps the files of a project together.
    return (await super.sort(files)).sort((a, b) =>
      a.project.name === b.project.name ? ms(b) - ms(a) : 0,
    );
  }
}
