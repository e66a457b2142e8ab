export default {
  optimizeDeps: { exclude: ['clip-lung'] }, worker: { format: 'es' }, build: { target: 'es2022' },
  oxc: { jsx: { runtime: 'automatic' } },
};
