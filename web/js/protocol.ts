import type { ErrorCode } from './errors.js';

/** A volume on its way to the crop: x runs fastest; all triples are x, y, z. */
export interface VolumeRequest {
  dims: [number, number, number];
  spacing: [number, number, number];
  centre: [number, number, number];
  diameter: number;
}

/** What the page asks a worker. */
export type Request =
  | { kind: 'load'; wasmUrl: string; files: [string, ArrayBuffer][] }
  | { kind: 'selfTest' }
  | { kind: 'read'; inputs: { hu: Float32Array; volume?: VolumeRequest }[]; target?: string };

/** What one pass gives, a row an input: logits, Grad-CAM (32 x 32), attribute scores (8, or none). */
export interface Reading {
  values: Float32Array;
  ms: number;
}

export type Reply = { id: number; value: unknown } | { id: number; code: ErrorCode; message: string };
