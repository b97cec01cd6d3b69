export const answeredHosts: string[];
export function authority(): Promise<{
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}>;
