/**
 * The little of the editor's API that code without a window needs: translation that keeps the English text, and the
 * classes that are made before anything is shown.
 */
export const l10n = {
  t(
    message: string | { message: string; args?: unknown[] },
    ...args: readonly unknown[]
  ): string {
    const text = typeof message === "string" ? message : message.message;
    return text.replaceAll(/\{(\d+)\}/g, (whole, index: string) =>
      Number(index) < args.length ? String(args[Number(index)]) : whole,
    );
  },
};
