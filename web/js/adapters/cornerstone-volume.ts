/** Volumes of Cornerstone3D: whole, in HU, in the patient's frame. */
import { ClipLungError } from '../errors.js';
import type { Triple } from '../geometry.js';
import type { Grid } from './crop.js';

/** What is used of a volume. */
export interface Volume {
  volumeId: string;
  dimensions: ArrayLike<number>;
  origin: ArrayLike<number>;
  spacing: ArrayLike<number>;
  direction: ArrayLike<number>;
  metadata?: { Modality?: string };
  imageIds?: string[];
  /** Of a volume whose slices come one by one. */
  loadStatus?: { loaded?: unknown; loading?: unknown };
  framesProcessed?: number;
  voxelManager?: { getAtIJK(i: number, j: number, k: number): unknown };
  load?(): void;
}

/** What is used of an image: whether its modality LUT has been applied, and what it is. */
interface Image {
  preScale?: { scaled?: boolean };
  slope?: number;
  intercept?: number;
}

/** How often a volume is looked at that is still coming, ms. */
const POLL = 100;

/** Waits for a volume whose slices are still on their way. */
export async function whole(volume: Volume, signal?: AbortSignal): Promise<void> {
  const { loadStatus, volumeId, imageIds = [] } = volume;
  if (!loadStatus || loadStatus.loaded) return;
  if (!loadStatus.loading) volume.load?.();
  while (!loadStatus.loaded) {
    if (signal?.aborted) throw new ClipLungError('aborted', `${volumeId}: waiting for its slices was aborted`);
    if ((volume.framesProcessed ?? 0) >= imageIds.length) throw new ClipLungError('input', `${volumeId}: not all of its slices could be loaded`);
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

/** The grid of a CT volume; the modality LUT is applied where `image`, Cornerstone's cache, says that nobody has. */
export function grid(volume: Volume, image: (id: string) => unknown): Grid {
  const { volumeId, dimensions, origin, spacing, direction, voxelManager, imageIds = [], metadata } = volume;
  const modality = metadata?.Modality;
  if (modality && modality !== 'CT') throw new ClipLungError('input', `${modality} has no HU; show a CT`);
  if (!voxelManager) throw new ClipLungError('input', `${volumeId}: its voxels are not there`);
  const step = (axis: number) => [0, 1, 2].map((i) => direction[3 * axis + i]! * spacing[axis]!) as Triple;
  const scales = imageIds.map((id): [number, number] => {
    const found = image(id) as Image | undefined;
    return found && !found.preScale?.scaled ? [found.slope || 1, found.intercept ?? 0] : [1, 0];
  });
  return {
    dims: Array.from(dimensions) as Triple,
    first: Array.from(origin) as Triple,
    steps: [step(0), step(1), step(2)],
    voxel: (i, j, k) => {
      const stored = voxelManager.getAtIJK(i, j, k);
      if (typeof stored !== 'number') throw new ClipLungError('input', `${volumeId}: slice ${k} is not there, or is no grey image`);
      const [slope, intercept] = scales[k] ?? [1, 0];
      return stored * slope + intercept;
    },
  };
}
