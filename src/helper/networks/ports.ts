/** Loopback TCP ports that nobody listened on a moment ago, all different, asked of the system (B21). */
export declare function freePorts(count: number): Promise<number[]>;
