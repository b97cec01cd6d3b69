/** Where and as whom; `hostKey` is the only key the server may show. */
export interface SshTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** OpenSSH private key text. */
  readonly privateKey: string;
  /** Public key line of the server. */
  readonly hostKey: string;
  /** Its commands are run by /bin/sh, whatever the login shell is (`framedSession.ts`). */
  readonly isPosix?: boolean;
}

/**
 * A server whose key nobody can know beforehand: that of a disk which came with one, in a machine of ours, at a port that
 * QEMU itself holds. Never for a guest that has an identity by us.
 */
export interface StrangerTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly login:
    { readonly privateKey: string } | { readonly password: string };
}

export interface ConnectOptions {
  /** Time until the server's identification line; default 10 s. */
  readonly bannerTimeoutMs?: number;
  /** Time from there until logged in; default 20 s. */
  readonly loginTimeoutMs?: number;
  /** Called once with the server's identification line. */
  readonly onBanner?: (banner: string) => void;
}
