/** One reader's work: a scan, what is marked in it, and what the model says. Looking asks the model nothing; marking does. */
import type { ClassName, ClipLung, Triple } from 'clip-lung';
import { Marks, type Found, type Marked } from './nodule/marks';
import { Predictor } from './nodule/predictor';
import { suggest } from './nodule/suggest';
import { warningsOf } from './nodule/warnings';
import * as exports from './nodule/exports';
import { element } from './panel/dom';
import { DIAMETERS, Fields } from './panel/fields';
import * as list from './panel/list';
import { say, warn } from './panel/messages';
import * as result from './panel/result';
import { Toolbar } from './panel/toolbar';
import * as words from './panel/words';
import type { Opened } from './scan/opening';
import type { Known } from './scan/samples';
import { Volume } from './scan/volume';
import { Gestures } from './view/gestures';
import { isBlank } from './view/heat';
import { listen } from './view/keys';
import type { Viewer } from './view/viewer';

/** A reader who drags or types is given this long before the model is asked, ms. */
const REST = 120;

export class Session {
  readonly #marks = new Marks();
  readonly #fields: Fields;
  readonly #toolbar: Toolbar;
  #opened: Opened | undefined;
  #volume: Volume | undefined;
  #known: Known[] = [];
  #diameter = 10;
  #clip: ClipLung | undefined;
  #predictor: Predictor | undefined;
  #asked: Marked | undefined;
  #waiting = 0;

  constructor(private readonly viewer: Viewer) {
    this.#marks.onchange = () => this.#refresh();
    const gestures = new Gestures(viewer, {
      onclick: (voxel) => this.#click(voxel),
      onmeasure: (voxel, diameter) => this.#mark(voxel, diameter, 'drawn'),
      onmove: (voxel, done) => this.#edit({ voxel }, done),
      onresize: (diameter, done) => this.#edit({ diameter, origin: 'drawn' }, done),
      onenlarge: (plane) => viewer.enlarge(plane),
    });
    this.#toolbar = new Toolbar(viewer, gestures);
    this.#fields = new Fields({
      onplace: (mm) => this.#place(mm),
      ondiameter: (mm, mark) => this.#resize(mm, mark),
      onmark: () => this.#marks.chosen ? undefined : this.#mark(viewer.look.cursor, this.#diameter, 'typed'),
      onframe: () => this.#refresh(),
    });
    listen(element('stage'), viewer, {
      onmark: () => this.#click(viewer.look.cursor),
      onremove: () => this.#marks.chosen && this.#marks.remove(this.#marks.chosen.id),
      onundo: () => this.#marks.undo(),
      onresize: (by) => this.#marks.chosen && this.#resize(this.#marks.chosen.diameter + by, false),
      onheat: () => this.#toolbar.toggleHeat(),
    });
    viewer.onlook = () => this.#looked();
    element('undo').onclick = () => this.#marks.undo();
    element('target').onchange = () => this.#refresh();
    element('copy').onclick = () => void this.#copy().catch((error: Error) => say(`can't copy: ${error.message}`, 'error'));
    element('json').onclick = () => exports.download(exports.json(this.#marks.list, this.#context), 'nodules.json', 'application/json');
    element('sr').onclick = () => void this.#report().catch((error: Error) => say(`no report: ${error.message}`, 'error'));
    element('csv').onclick = () => exports.download(exports.csv(this.#marks.list, this.#context), 'nodules.csv', 'text/csv');
  }

  /** A model has come: what the one before said of the nodules is forgotten, and this one is asked. */
  set clip(clip: ClipLung) {
    clearTimeout(this.#waiting);
    this.#predictor?.cancel();
    this.#predictor = new Predictor(clip);
    [this.#clip, this.#asked] = [clip, undefined];
    this.#marks.forget();
  }

  /** Shows what was opened; nothing of what was there before stays. */
  show(opened: Opened, known: Known[]): void {
    const { scan, name, frame } = opened;
    this.#predictor?.cancel();
    const volume = (this.#volume = new Volume(scan.voxels, scan.grid));
    [this.#opened, this.#known, this.#asked] = [opened, known, undefined];
    this.#fields.frame = frame;
    this.viewer.show(volume);
    this.#marks.clear();
    warn(scan.warnings);
    element('hint').hidden = true;
    document.documentElement.dataset.scan = 'yes';
    for (const id of ['place', 'overlay']) element<HTMLFieldSetElement>(id).disabled = false;
    const [first] = known;
    this.#diameter = first?.diameter ?? 10;
    this.viewer.goTo(first ? volume.voxel(first.centre) : volume.middle);
    say(`${name}: ${volume.dims.join(' x ')} voxels of ${volume.spacing.map((s) => Number(s.toFixed(2))).join(' x ')} mm. Click a nodule to mark it.`);
    this.#refresh();
    performance.mark('shown');
  }

  /** A click on a marked nodule chooses it, any other marks one. */
  #click(voxel: Triple): void {
    const volume = this.#volume;
    if (!volume) return;
    const inside = (nodule: Marked) => Math.hypot(...nodule.voxel.map((v, i) => (v - voxel[i]!) * volume.spacing[i]!)) <= nodule.diameter / 2;
    const hit = this.#marks.list.find(inside);
    if (hit) return this.#marks.choose(hit.id);
    const found = suggest({ spacing: volume.spacing, hu: (x, y, z) => volume.hu(x, y, z) }, voxel);
    if (found) this.#mark(voxel, found.diameter, 'suggested');
    else this.#mark(voxel, this.#diameter, 'assumed');
  }

  #mark(voxel: Triple, diameter: number, origin: Marked['origin']): void {
    if (!this.#volume) return;
    if (!this.#volume.contains(voxel)) return say('That place is off the scan: check the frame of the coordinates.', 'error');
    this.viewer.goTo(voxel);
    this.#marks.add([...voxel], sized(diameter), origin);
  }

  /** `done`: the end of a drag, which is undone as one. */
  #edit(change: Partial<Pick<Marked, 'voxel' | 'diameter' | 'origin'>>, done = false): void {
    if (change.voxel && !this.#volume?.contains(change.voxel)) return;
    this.#marks.edit({ ...change, ...(change.diameter !== undefined && { diameter: sized(change.diameter) }) });
    if (change.voxel) this.viewer.goTo(change.voxel);
    if (done) this.#marks.settle();
  }

  /** A typed place moves the chosen nodule; where none is chosen, the cross-hair. */
  #place(mm: Triple): void {
    const volume = this.#volume;
    if (!volume) return;
    const voxel = volume.voxel(mm);
    if (!volume.contains(voxel)) {
      this.#fields.place = volume.mm(this.#marks.chosen?.voxel ?? this.viewer.look.cursor);
      return say(`${mm.map((v) => v.toFixed(1)).join(', ')} mm (LPS) is off the scan: check the frame of the coordinates.`, 'error');
    }
    if (this.#marks.chosen) this.#edit({ voxel });
    this.viewer.goTo(voxel, true);
  }

  #resize(mm: number, mark: boolean): void {
    this.#diameter = sized(mm);
    if (this.#marks.chosen) this.#edit({ diameter: mm, origin: 'typed' });
    else if (mark) this.#mark(this.viewer.look.cursor, mm, 'typed');
  }

  /** What is looked at changed: no question to the model. */
  #looked(): void {
    this.#toolbar.show();
    const volume = this.#volume;
    if (!volume) return;
    this.#toolbar.slice(volume, this.#fields.frame);
    if (!this.#marks.chosen) this.#fields.place = volume.mm(this.viewer.look.cursor);
  }

  async #copy(): Promise<void> {
    if (!isSecureContext) throw new Error('the browser lets pages copy over https or on localhost alone');
    await navigator.clipboard.writeText(exports.json(this.#marks.list, this.#context));
    say('Copied.');
  }

  async #report(): Promise<void> {
    const { origin } = this.#opened!.scan;
    if (!origin || !this.#clip) return;
    exports.download(await exports.sr(this.#marks.list, this.#volume!, origin, this.#clip.info), 'report.dcm', 'application/dicom');
  }

  get #context(): exports.Context {
    const { name, series } = this.#opened!;
    return { volume: this.#volume!, frame: this.#fields.frame, series, name, info: this.#clip?.info, warnings: this.#warnings };
  }

  /** What is to know of a nodule. */
  #warnings = (nodule: Marked) =>
    this.#predictor ? warningsOf(nodule, this.#volume!, this.#opened?.scan.gaps ?? [], this.#predictor.sides(nodule.diameter)) : [];

  get #target(): ClassName | undefined {
    return (element<HTMLSelectElement>('target').value as ClassName | '') || undefined;
  }

  /** Shows what is marked, and asks the model where it has not answered yet. */
  #refresh(): void {
    const [volume, { list: all, chosen }] = [this.#volume, this.#marks];
    element<HTMLButtonElement>('undo').disabled = !this.#marks.canUndo;
    if (!volume) return;
    const choose = (id: number) => {
      this.#marks.choose(id);
      this.viewer.goTo(this.#marks.chosen!.voxel, true);
    };
    list.show({ list: all, chosen: chosen?.id, volume, frame: this.#fields.frame, info: this.#clip?.info }, choose, (id) => this.#marks.remove(id));
    element<HTMLButtonElement>('sr').disabled = !this.#opened?.scan.origin || !all.some(({ found }) => found);
    this.viewer.mark(all, chosen?.id, chosen && this.#predictor?.sides(chosen.diameter));
    this.#fields.place = volume.mm(chosen?.voxel ?? this.viewer.look.cursor);
    if (chosen) this.#fields.diameter = chosen.diameter;
    else this.#fields.diameter = this.#diameter;
    element('origin').textContent = chosen ? ORIGINS[chosen.origin] : '';
    this.#tell(chosen);
    this.#looked();
    // the chosen one first, then those that the model has not answered for
    const open = chosen && !this.#isWhole(chosen.found) ? chosen : all.find(({ found }) => !found?.band);
    if (!open) this.#predictor?.cancel();
    else if (!this.#isAsked(open)) this.#soon(open);
  }

  #tell(chosen: Marked | undefined): void {
    const { info } = this.#clip ?? {};
    const heat = chosen?.found?.heat;
    const fits = heat && this.#predictor && heat.target === (this.#target ?? chosen.found!.prediction.label);
    this.viewer.heat = fits ? { map: heat.data, centre: chosen.voxel, sides: this.#predictor!.sides(chosen.diameter) } : undefined;
    element('heatnote').textContent = fits && isBlank(heat.data) ? `Blank: nothing in the box speaks for ${heat.target}.` : '';
    if (!info) return;
    words.show(info, chosen?.found?.prediction);
    if (chosen) result.show(info, chosen, this.#marks.list.indexOf(chosen) + 1, this.#knownOf(chosen), this.#warnings(chosen));
    else result.blank();
  }

  #knownOf({ voxel }: Marked): string | undefined {
    const mm = this.#volume!.mm(voxel);
    const near = this.#known.find(({ centre, diameter }) => Math.hypot(...centre.map((v, i) => v - mm[i]!)) < diameter / 2);
    return near && `The readers' ratings of this synthetic nodule: ${near.class}.`;
  }

  #isWhole = (found: Found | undefined) => Boolean(found?.band && found.heat?.target === (this.#target ?? found.prediction.label));
  #isAsked = ({ voxel, diameter }: Marked) => this.#asked?.voxel === voxel && this.#asked.diameter === diameter && this.#askedTarget === this.#target;
  #askedTarget: ClassName | undefined;

  #soon(nodule: Marked): void {
    clearTimeout(this.#waiting);
    const [predictor, volume] = [this.#predictor, this.#volume];
    if (!predictor || !volume) return;
    predictor.cancel();
    [this.#asked, this.#askedTarget] = [nodule, this.#target];
    this.#waiting = window.setTimeout(() => {
      const tell = (found: Found) => predictor === this.#predictor && this.#marks.answer(nodule, found);
      predictor.ask({ volume, nodule, target: this.#target }, tell).catch((error) => {
        if (volume !== this.#volume || predictor !== this.#predictor) return;
        say(error instanceof Error ? error.message : String(error), 'error');
      });
    }, REST);
  }
}

const sized = (mm: number) => Math.min(DIAMETERS.largest, Math.max(DIAMETERS.smallest, mm));

const ORIGINS: Record<Marked['origin'], string> = {
  suggested: 'Suggested: the largest ball at whose surface at least half lies above −600 HU; half of such diameters are within 13 % of '
    + 'the readers\'. Drag the handle or type to change it.',
  drawn: 'Drawn.', typed: 'Typed.', assumed: 'Assumed: no edge was found around the click. Drag across the nodule with Shift, or type.',
};
