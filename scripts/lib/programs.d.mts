export interface Program {
  command: string;
  packages: Record<string, string | string[]>;
  optional?: boolean;
}
export declare const virtualMachinePrograms: Program[];
export declare const imageBuildPrograms: Program[];
export declare const nativeBuildPrograms: Program[];
export declare const browserPrograms: Program[];
