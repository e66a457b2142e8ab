import type { ErrorCode } from './errors.js';

/** A volume on its way to the crop: x runs fastest; all triples are x, y, z. */
export interface VolumeRequest {
  dims: [number, number, number];
  spacing: [number, number, number];
  centre: [number, number, number];
  diameter: number;
}

/** A file of a model directory. */
export interface ModelFile {
  name: string;
  bytes: ArrayBuffer;
}

/** What a load gives: `config.json`, and the files, which the page keeps now that they are known to be right. */
export interface Loaded {
  info: string;
  /** The sentences of a row's reason, from number 1 on. */
  reasons: string[];
  files: ModelFile[];
}

/** What the page asks a worker. */
export type Request =
  | { kind: 'start'; wasmUrl: string }
  | { kind: 'load'; files: ModelFile[] }
  | { kind: 'selfTest' }
  | { kind: 'read'; inputs: { hu: Float32Array; volume?: VolumeRequest; diameter?: number }[]; target?: string };

/** What one pass gives, a row an input: logits, probabilities, the index of the class decided on, the classes left open (a bit
 * each), the number of the reason why it is no nodule (0: none), Grad-CAM (32 x 32), attribute scores (8, or none). */
export interface Reading {
  values: Float32Array;
  /** Of each input, what a reader should know of its diameter. */
  warnings: (string | undefined)[];
  ms: number;
}

export type Reply = { id: number; value: unknown } | { id: number; code: ErrorCode; message: string };
