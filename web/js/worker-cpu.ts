import * as module from './cpu/clip_lung_web.js';
import { serve } from './worker.js';

serve(module);
