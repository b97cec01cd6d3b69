import type { Images } from "../../images/images.ts";
import { surveyHost } from "../boot/environment.ts";
import type { SnapshotDeps } from "./offspring.ts";

/** What keeping and bringing back machines needs, made of the rooms that have it. */
export const snapshotDeps = ({
  images,
  ...deps
}: Pick<SnapshotDeps, "layout" | "registry" | "log"> & {
  readonly images: Images;
}): SnapshotDeps => ({
  ...deps,
  usersChanged: (digest) => images.usersChanged(digest),
  survey: async (digest, signal) => {
    const { architecture } = await images.resolve(digest);
    return surveyHost(deps.layout, architecture, deps.log, signal);
  },
});
