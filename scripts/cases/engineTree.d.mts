export function engineTree(): Promise<string>;
export function referenceCli(
  checkout: string,
): Promise<{ readonly folder: string; readonly version: string }>;
