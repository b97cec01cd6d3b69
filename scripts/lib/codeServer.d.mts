export declare const codeServerVersion: string;
export declare const nodeVersion: string;
export declare function installNode(): Promise<string>;
export declare function installCodeServer(): Promise<{
  node: string;
  nodeFolder: string;
  codeServer: string;
}>;
