export function buildLanding(): Promise<string[]>;
