export default { optimizeDeps: { exclude: ['clip-lung'] }, worker: { format: 'es' }, build: { target: 'es2022' } };
