export interface Credentials {
  readonly username: string;
  readonly password: string;
}
export interface Feature {
  readonly repository: string;
  readonly tags: string[];
  readonly metadata: object;
  readonly install: string;
}
export interface AskedRequest {
  readonly atMs: number;
  readonly host: string;
  readonly method: string;
  /** With its query; empty for a connection that was handed on. */
  readonly path: string;
  /** 0 for a connection that was handed on. */
  readonly status: number;
  /** The header as sent. */
  readonly authorization: string | undefined;
}
export interface ImageRegistry {
  /** `http://127.0.0.1:40123` */
  readonly proxy: string;
  readonly port: number;
  /** Answers the public names directly by TLS. */
  readonly securePort: number;
  readonly caFile: string;
  /** PEM. */
  readonly ca: string;
  /** Variables for a program that reaches the proxy at this address; its own one by default. */
  env(at?: string): Record<string, string>;
  /** All that was asked; empty it to count again. */
  readonly requests: AskedRequest[];
  /** Makes a repository (`ghcr.io/acme/private`) private. */
  demand(repository: string, credentials: Credentials): void;
  addFeature(feature: Feature): Promise<void>;
  /** At an address of an answered host, without its scheme. */
  addPage(at: string, body: string | Uint8Array): void;
  close(): Promise<void>;
}
export function startImageRegistry(options?: {
  readonly address?: string;
  readonly port?: number;
  readonly onward?: boolean;
}): Promise<ImageRegistry>;
