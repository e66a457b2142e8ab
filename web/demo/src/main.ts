/** The page: a volume, nodules in it, and what the model says. Everything is computed here. */
import { ClipLung, ClipLungError } from 'clip-lung';
import { element, terms } from './panel/dom';
import { say } from './panel/messages';
import * as model from './panel/model';
import * as result from './panel/result';
import * as words from './panel/words';
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
  await opener.offerSamples().catch((error: Error) => say(error.message, 'error'));
  let clip: ClipLung;
  try {
    clip = await ClipLung.from(new URL('./model', document.baseURI), {
      progress_callback: (share) => (element('device').textContent = `loading ${Math.round(100 * share)} %`),
      ondevice: () => clip && model.device(clip),
    });
  } catch (error) {
    element('device').textContent = 'no model';
    element('banner').textContent = 'There is no model: scans can be looked at, but nothing is said of them.';
    say(error instanceof ClipLungError ? `${error.message} (clip-lung serve --model DIR serves one)` : String(error), 'error');
    return;
  }
  model.banner(clip);
  model.card(clip);
  model.device(clip);
  result.prepare(clip.info);
  result.blank();
  words.prepare(clip.info);
  element<HTMLSelectElement>('target').append(...clip.info.classes.map((name) => new Option(name, name)));
  session.clip = clip;
  Object.assign(globalThis, { clip, viewer });
  document.documentElement.dataset.ready = 'yes';
}

if (new URLSearchParams(location.search).has('bench')) void import('./bench').then((b) => b.run());
else void main();
