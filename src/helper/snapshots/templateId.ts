import { createHash } from "node:crypto";
import type { TemplateShape } from "../../protocol/templates.ts";

/** Everything that a clone must share with the template that it resumes from. A change in any of it is another template. */
export interface TemplateInputs {
  readonly imageDigest: string;
  readonly shape: TemplateShape;
  /** The QEMU binary, so that an upgrade counts: a saved state fits the version that wrote it. */
  readonly qemu: string;
  /** Arguments with everything taken out that differs from clone to clone. */
  readonly arguments: readonly string[];
  /** Of the host, where the guest sees the host's processor; else empty. */
  readonly processor: string;
  /** What the host passes on to its guests at their first boot: proxy, authorities, time zone. */
  readonly hostSettings: unknown;
}

/** Raised when templates are made in another way. */
const format = 1;

/** 16 hex digits. Pure. */
export const templateId = (inputs: TemplateInputs): string =>
  createHash("sha256")
    .update(JSON.stringify({ format, ...inputs }))
    .digest("hex")
    .slice(0, 16);
