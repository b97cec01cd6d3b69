export interface BuildProgress {
  /** `packages`, `install`, `customize`, `kernel`, `disk`, `convert`. */
  readonly stage: string;
  /** Of the stage, 0 to 1; absent where it can't be told. */
  readonly fraction?: number;
}

/**
 * Reads mmdebstrap's and dpkg's output and says how far the installation is. Give it every line; it answers when there
 * is something new. `packageCount` is about how many packages will be installed.
 */
export function installProgress(
  packageCount: number,
): (line: string) => BuildProgress | undefined {
  let unpacked = 0;
  let configured = 0;
  const fraction = (): number =>
    Math.min(0.99, (unpacked + configured) / (2 * packageCount));
  return (line) => {
    if (/^I: running apt-get update/.test(line)) return { stage: "packages" };
    if (/^I: (downloading|extracting)/.test(line)) return { stage: "packages" };
    if (/^I: installing (essential|remaining)/.test(line))
      return { stage: "install", fraction: fraction() };
    if (/^I: (customizing|collecting)/.test(line))
      return { stage: "customize" };
    if (/^Unpacking /.test(line)) unpacked++;
    else if (/^Setting up /.test(line)) configured++;
    else return undefined;
    return { stage: "install", fraction: fraction() };
  };
}
