/** What the page and the worker that reads scans say to each other. */
import type { Grid, Voxels } from './volume';

/** A file that was left aside, and why. */
export interface Aside {
  name: string;
  why: string;
}

/** A CT series among the files. */
export interface Offer {
  uid: string;
  description: string;
  slices: number;
  /** mm. */
  thickness: number | undefined;
  columns: number;
  rows: number;
  /** Why it can't be read. */
  problem: string | undefined;
  /** HU of a slice in the middle, row by row. */
  middle: Float32Array | undefined;
}

/** What a report says of the series that it is about. */
export interface Origin {
  /** From the feet: patient z (mm) and SOPInstanceUID. */
  slices: [number, string][];
  /** One of its files, whose patient and study are the report's. */
  file: File;
}

/** Heights between which slices are missing (LPS, mm), and what to say of a crop that reaches into them. */
export interface Gap {
  below: number;
  above: number;
  message: string;
}

export interface Scan {
  voxels: Voxels;
  grid: Grid;
  warnings: string[];
  /** Of a DICOM series. */
  origin?: Origin;
  gaps?: Gap[];
}

export type Request =
  /** Sorts files out; a NIfTI or NRRD among them is read at once. */
  | { kind: 'open'; files: File[] }
  /** Reads one of the offered series. */
  | { kind: 'series'; uid: string };

export type Answer =
  | { kind: 'progress'; what: string; share: number }
  | { kind: 'volume'; name: string; frame: 'RAS' | 'LPS'; scan: Scan; aside: Aside[] }
  | { kind: 'offers'; offers: Offer[]; aside: Aside[] }
  | { kind: 'series'; uid: string; scan: Scan }
  | { kind: 'error'; message: string; aside: Aside[] };
