import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Nodule } from './nodule.jsx';

const input = { data: new Int16Array(64 ** 3).fill(-850), dims: [64, 64, 64], spacing: [0.7, 0.7, 1.25], centre: [31, 30, 32], diameter: 12, unit: 'HU' };
createRoot(document.querySelector('#root')).render(<StrictMode><Nodule input={input} /></StrictMode>);
