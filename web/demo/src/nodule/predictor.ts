/** Asks the model about one nodule after the other; what was asked last wins. */
import { sides, type ClassName, type ClipLung, type Triple } from 'clip-lung';
import type { Volume } from '../scan/volume';
import { bandOf, SHARES } from './band';
import type { Found, Marked } from './marks';

export interface Asked {
  volume: Volume;
  nodule: Marked;
  /** The class that the heat map speaks for; the predicted one where there is none. */
  target: ClassName | undefined;
}

export class Predictor {
  #stop: AbortController | undefined;

  constructor(private readonly clip: ClipLung) {}

  /** The box that the model is given, mm. */
  sides(diameter: number): Triple {
    return sides(this.clip.info.input.crop, diameter);
  }

  /** Probabilities first, then what they rest on, then how they change with the diameter; each is told when it is there. */
  async ask({ volume, nodule, target }: Asked, tell: (found: Found) => void): Promise<void> {
    this.cancel();
    const { signal } = (this.#stop = new AbortController());
    const { crop } = this.clip.info.input;
    const of = (share: number) => volume.around(nodule.voxel, share * nodule.diameter, crop);
    try {
      const prediction = await this.clip.predict(of(1), { signal });
      let found: Found = { prediction };
      tell(found);
      const heat = await this.clip.explain(of(1), { signal, ...(target && { target }) });
      tell((found = { ...found, heat }));
      const others = await this.clip.predictAll(SHARES.map(of), { signal });
      tell({ ...found, band: bandOf(prediction, others) });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Drops what is being asked. */
  cancel(): void {
    this.#stop?.abort();
    this.#stop = undefined;
  }
}
