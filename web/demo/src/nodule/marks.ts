/** The marked nodules of a scan: a list that can be undone. */
import type { HeatMap, Prediction, Triple } from 'clip-lung';
import type { Band } from './band';

/** What the model says of a nodule; parts arrive one after the other. */
export interface Found {
  prediction: Prediction;
  heat?: HeatMap;
  band?: Band;
}

export interface Marked {
  readonly id: number;
  readonly voxel: Triple;
  /** mm. */
  readonly diameter: number;
  /** How the diameter came about. */
  readonly origin: 'suggested' | 'drawn' | 'typed' | 'assumed';
  /** Absent until the model has answered for this place and diameter. */
  readonly found?: Found;
}

interface State {
  list: readonly Marked[];
  chosen: number | undefined;
}

/** Changes of one kind that follow each other sooner are undone together, ms: a drag is one change. */
const TOGETHER = 700;
const MAX_UNDO = 200;

export class Marks {
  #state: State = { list: [], chosen: undefined };
  #past: State[] = [];
  #next = 1;
  #last = { kind: '', at: 0 };
  onchange: () => void = () => undefined;

  get list(): readonly Marked[] {
    return this.#state.list;
  }

  get chosen(): Marked | undefined {
    return this.list.find(({ id }) => id === this.#state.chosen);
  }

  get canUndo(): boolean {
    return this.#past.length > 0;
  }

  /** Marks a nodule and chooses it. */
  add(voxel: Triple, diameter: number, origin: Marked['origin']): void {
    const id = this.#next++;
    this.#change(`add ${id}`, { list: [...this.list, { id, voxel, diameter, origin }], chosen: id });
  }

  /** Changes place or size of the chosen one, whose answer no longer holds. */
  edit(change: Partial<Pick<Marked, 'voxel' | 'diameter' | 'origin'>>): void {
    const { chosen } = this;
    if (!chosen) return;
    const { found: _, ...rest } = chosen;
    const kind = `${'voxel' in change ? 'move' : 'resize'} ${change.origin} ${chosen.id}`;
    this.#change(kind, { ...this.#state, list: this.list.map((one) => (one === chosen ? { ...rest, ...change } : one)) });
  }

  remove(id: number): void {
    const list = this.list.filter((one) => one.id !== id);
    if (list.length === this.list.length) return;
    this.#change(`remove ${id}`, { list, chosen: this.#state.chosen === id ? list.at(-1)?.id : this.#state.chosen });
  }

  /** What changes next is undone apart from what changed before. */
  settle(): void {
    this.#last = { kind: '', at: 0 };
  }

  /** What is chosen is not undone. */
  choose(id: number): void {
    if (id === this.#state.chosen) return;
    this.#state = { ...this.#state, chosen: id };
    this.onchange();
  }

  /** Keeps an answer, where the nodule is still the one that was asked about. */
  answer(asked: Marked, found: Found): void {
    const now = this.list.find(({ id }) => id === asked.id);
    if (!now || now.voxel !== asked.voxel || now.diameter !== asked.diameter) return;
    this.#state = { ...this.#state, list: this.list.map((one) => (one === now ? { ...one, found } : one)) };
    this.onchange();
  }

  /** Another model: nothing has been answered, nor had it before what can be undone. */
  forget(): void {
    const asked = ({ list, chosen }: State): State => ({ list: list.map(({ found: _, ...rest }) => rest), chosen });
    this.#state = asked(this.#state);
    this.#past = this.#past.map(asked);
    this.onchange();
  }

  undo(): void {
    const before = this.#past.pop();
    if (!before) return;
    this.#state = before;
    this.settle();
    this.onchange();
  }

  /** Another scan: nothing is marked, nothing to undo. */
  clear(): void {
    this.#state = { list: [], chosen: undefined };
    this.#past = [];
    this.onchange();
  }

  #change(kind: string, next: State): void {
    const now = performance.now();
    if (kind !== this.#last.kind || now - this.#last.at > TOGETHER) this.#past.push(this.#state);
    if (this.#past.length > MAX_UNDO) this.#past.shift();
    this.#last = { kind, at: now };
    this.#state = next;
    this.onchange();
  }
}
