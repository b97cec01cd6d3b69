/**
 * The OpenSSH server that goes into Windows images: the capability of Windows itself comes from Windows Update, which
 * an installation may not reach. Pinned by digest; what doesn't fit is never put on a medium (B32).
 */
export const openSshPackage = {
  version: "10.0.0.0p2-Preview",
  url: "https://github.com/PowerShell/Win32-OpenSSH/releases/download/10.0.0.0p2-Preview/OpenSSH-Win64-v10.0.0.0.msi",
  sha256: "ddec9c53864280759cf9f74791cefd387100e3946aa849a1c138a4ed1b96b7d9",
  /** On the medium. */
  file: "OpenSSH-Win64.msi",
} as const;
