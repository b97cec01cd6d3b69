/**
 * What our own sessions and the generated ssh config offer, cheapest of the strong ones first: an emulated guest pays
 * for every multiplication (a handshake with OpenSSH's default key exchange takes it 1.6 times as long), and all of it
 * stays on the host's loopback. Every client since OpenSSH 7.4 knows these names.
 */
export const keyExchanges = [
  "curve25519-sha256",
  "curve25519-sha256@libssh.org",
  "ecdh-sha2-nistp256",
  "diffie-hellman-group14-sha256",
] as const;

export const ciphers = [
  "aes128-gcm@openssh.com",
  "chacha20-poly1305@openssh.com",
  "aes256-gcm@openssh.com",
  "aes128-ctr",
] as const;

/** Guests are given a key of the first type; those that make their own may have another. */
export const hostKeyAlgorithms = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "rsa-sha2-512",
] as const;

/** Of the key that logs in to guests. */
export const userKeyType = "ssh-ed25519";
