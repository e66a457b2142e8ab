/** The page: a volume, nodules in it, and what the model says. Everything is computed here. */
import type { ClipLung } from 'clip-lung';
import { element, terms } from './panel/dom';
import { say } from './panel/messages';
import * as model from './panel/model';
import * as result from './panel/result';
import * as words from './panel/words';
import { Models } from './models';
import { Opener } from './opener';
import { Session } from './session';
import { KEYS } from './view/keys';
import { Viewer } from './view/viewer';

/** Keeps the page for offline use, where the browser lets it. */
function keep(): void {
  try {
    void navigator.serviceWorker?.register('./sw.js').catch(() => undefined);
  } catch {
    // a sandboxed frame has none
  }
}

async function main(): Promise<void> {
  keep();
  const viewer = new Viewer({ axial: element('volume'), coronal: element('coronal'), sagittal: element('sagittal') });
  const session = new Session(viewer);
  const opener = new Opener((opened, known) => session.show(opened, known));
  terms('keylist', KEYS);
  const use = (clip: ClipLung) => {
    model.banner(clip);
    model.card(clip);
    model.device(clip);
    result.prepare(clip.info);
    result.blank();
    words.prepare(clip.info);
    const target = element<HTMLSelectElement>('target');
    target.replaceChildren(target.options[0]!, ...clip.info.classes.map((name) => new Option(name, name)));
    target.value = '';
    session.clip = clip;
    Object.assign(globalThis, { clip, viewer });
    document.documentElement.dataset.ready = 'yes';
  };
  await opener.offerSamples().catch((error: Error) => say(error.message, 'error'));
  await new Models(use).start().catch((error: Error) => {
    model.none();
    say(error.message, 'error');
  });
}

if (new URLSearchParams(location.search).has('bench')) void import('./bench').then((b) => b.run());
else void main();
