import type { Feature } from "../imageRegistry.mjs";
export class Store {
  constructor(folder: string, images: Record<string, string>);
  addFeature(feature: Feature): Promise<void>;
}
