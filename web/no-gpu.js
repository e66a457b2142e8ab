/** Stands where the GPU module will lie until it is built: the CPU computes, and `ClipLung.fallback` says why. */
export default async function init() {
  throw new Error('the GPU module of this page is not built yet');
}
export class Engine {}
export class Files {}
