/** Nothing, or why this browser has no GPU for us. A software adapter counts only when it is `asked` for: the CPU module is faster. */
export async function missingGpu(asked: boolean): Promise<string | undefined> {
  // absent outside of secure contexts, whatever the types say
  const gpu = navigator.gpu as GPU | undefined;
  if (!gpu) return 'this browser has no WebGPU here (it needs a secure context: https or localhost)';
  try {
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) return 'the browser offers no GPU adapter';
    return adapter.info.isFallbackAdapter && !asked ? 'the only adapter is a software one' : undefined;
  } catch (error) {
    return `the browser refuses an adapter (${error})`;
  }
}
