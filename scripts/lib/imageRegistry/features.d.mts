import type { Feature } from "../imageRegistry.mjs";
export const marksFolder: string;
export const features: Feature[];
