import { stat } from "node:fs/promises";
import type { Log } from "../../../base/log.ts";
import type { TemplateShape } from "../../../protocol/templates.ts";
import { hostSettings } from "../../guests/seed/hostSettings.ts";
import type { GoldenImage } from "../../images/golden/goldenImage.ts";
import { templateId } from "../../snapshots/templateId.ts";
import type { Layout } from "../../store/layout.ts";
import { type Environment, surveyHost } from "../boot/environment.ts";
import { visibleProcessor } from "../boot/spec.ts";
import { booting } from "../boot/systems.ts";

export interface TemplateIdentity {
  readonly id: string;
  /** The id as it would be in any other data folder. */
  readonly cacheKey: string;
  readonly environment: Environment;
}

/** The id of the template that fits to all of this: image, shape, QEMU and what else of this host a saved state knows. */
export async function templateIdFor(
  shape: TemplateShape,
  image: GoldenImage,
  { layout, log }: { readonly layout: Layout; readonly log: Log },
  signal: AbortSignal,
): Promise<TemplateIdentity> {
  const environment = await surveyHost(layout, image.architecture, log, signal);
  const binary = await stat(environment.binary);
  const { proxy, caCertificates, timezone } = await hostSettings();
  const inputs = {
    imageDigest: image.digest,
    shape,
    qemu: `${environment.binary}:${String(binary.mtimeMs)}:${String(binary.size)}`,
    arguments: await booting[image.os].sharedArguments(
      shape,
      image,
      environment,
    ),
    processor: visibleProcessor(environment),
    hostSettings: { proxy, caCertificates, timezone },
  };
  const elsewhere = inputs.arguments.map((argument) =>
    argument.replaceAll(layout.home, ""),
  );
  return {
    id: templateId(inputs),
    cacheKey: templateId({ ...inputs, arguments: elsewhere }),
    environment,
  };
}
