/** Reads a DICOM series off the page's thread, with the reader that the command line has. */
import init, { DicomFiles } from './scans/clip_lung_scans.js';
import wasm from './scans/clip_lung_scans_bg.wasm?url';

export type Answer =
  | { hu: Int16Array; dims: Uint32Array; spacing: Float64Array; first: Float64Array; steps: Float64Array; ignored: string[] }
  | { error: string };

self.onmessage = async ({ data: files }: MessageEvent<File[]>) => {
  let answer: Answer;
  try {
    await init({ module_or_path: wasm });
    const series = new DicomFiles();
    const ignored: string[] = [];
    for (const file of files) {
      const why = series.add(file.name, new Uint8Array(await file.arrayBuffer()));
      if (why) ignored.push(`${file.name}: ${why}`);
    }
    const scan = series.read();
    answer = { hu: scan.hu(), dims: scan.dims(), spacing: scan.spacing(), first: scan.first(), steps: scan.steps(), ignored };
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  self.postMessage(answer, 'hu' in answer ? { transfer: [answer.hu.buffer] } : {});
};
