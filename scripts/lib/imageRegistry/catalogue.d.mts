export interface StandIn {
  readonly repository: string;
  readonly tag?: RegExp;
  readonly layers: string[];
  readonly config: object;
}
export const standIns: StandIn[];
export const layerNames: string[];
export function publicName(host: string, repository: string): string;
export function standInFor(name: string, tag: string): StandIn | undefined;
