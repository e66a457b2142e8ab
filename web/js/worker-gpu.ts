import * as module from './gpu/clip_lung_web.js';
import { serve } from './worker.js';

serve(module as unknown as Parameters<typeof serve>[0]);
