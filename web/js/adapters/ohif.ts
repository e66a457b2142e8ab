/**
 * OHIF: an extension with a panel and a command. Finishing a length or bidirectional measurement on a CT predicts at its middle, with its
 * length as the diameter, and opens the panel. In `app-config.js`:
 *
 *     modes: ['/packages/clip-lung/dist/adapters/ohif-mode.js'], clipLung: { model: '/models/clip-lung' },
 */
import { ClipLung } from '../index.js';
import type { Core } from './cornerstone.js';
import { HeatMaps, type Images, type SegmentationService } from './ohif-heat.js';
import { Nodules, type DisplaySet, type Measurement, type Nodule } from './ohif-nodules.js';
import { definePanel, PANEL } from './ohif-panel.js';
import { reportOf } from './ohif-report.js';

interface Subscription {
  unsubscribe(): void;
}

/** What is used of OHIF's services. */
interface Services {
  measurementService: {
    EVENTS: Record<string, string>;
    subscribe(event: string, listener: (detail: { measurement: Measurement | string }) => void): Subscription;
    getMeasurement(uid: string): Measurement | undefined;
    remove(uid: string): void;
    jumpToMeasurement(viewportId: string, uid: string): void;
  };
  displaySetService: { getDisplaySetByUID(uid: string): DisplaySet | undefined };
  panelService: { PanelPosition: Record<string, string>; getPanels(position: string): { id: string }[]; activatePanel(id: string, force: boolean): void };
  viewportGridService: { getActiveViewportId(): string; getState(): { viewports: Map<string, { displaySetInstanceUIDs: string[] }> } };
  segmentationService: SegmentationService;
}

/** Where OHIF has its studies from. */
interface DataSource {
  getConfig?(): { wadoRoot?: string } | undefined;
  store: { dicom(document: ArrayBuffer): Promise<void> };
}

/** What OHIF gives an extension. */
interface Given {
  servicesManager: { services: Services };
  extensionManager: { getActiveDataSource(): DataSource[] };
  appConfig?: { clipLung?: { model?: string } };
}

export const ID = 'clip-lung';
/** The panel's id in a mode's layout. */
export const PANEL_ID = `${ID}.panelModule.nodules`;
const MODEL = '/models/clip-lung';

let model = MODEL;
let subscriptions: Subscription[] = [];
// where OHIF's cornerstone extension puts it
const core = () => (globalThis as unknown as { cornerstone: Core & Images }).cornerstone;
const nodules = new Nodules(() => ClipLung.from(model), core);

const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Predicts a measurement where the mode shows the panel, and opens it. */
async function predict({ panelService, displaySetService }: Services, measurement: Measurement): Promise<unknown> {
  const shown = Object.values(panelService.PanelPosition).flatMap((position) => panelService.getPanels(position));
  if (!shown.some(({ id }) => id === PANEL_ID)) return undefined;
  const done = nodules.measure(measurement, displaySetService.getDisplaySetByUID(measurement.displaySetInstanceUID));
  if (nodules.has(measurement.uid)) panelService.activatePanel(PANEL_ID, true);
  return done;
}

/** The viewport that shows a series, the active one if it does. */
function viewportOf({ viewportGridService }: Services, { displaySetInstanceUID: uid }: DisplaySet): string {
  const [active, { viewports }] = [viewportGridService.getActiveViewportId(), viewportGridService.getState()];
  const shown = [...viewports].filter(([, { displaySetInstanceUIDs }]) => displaySetInstanceUIDs.includes(uid)).map(([id]) => id);
  if (!shown.length) throw new Error('its series is in no viewport; show it first');
  return shown.find((id) => id === active) ?? shown[0]!;
}

/** Lays a nodule's heat map over its series, or takes it away. */
async function toggle(maps: HeatMaps, services: Services, nodule: Nodule): Promise<void> {
  const { uid, displaySet } = nodule;
  try {
    if (maps.shows(uid)) maps.hide(uid);
    else if (nodules.clip) await maps.show(nodule, await nodules.explain(nodule), nodules.clip.info.input.crop, viewportOf(services, displaySet));
    nodules.tell(uid);
  } catch (error) {
    nodules.tell(uid, `No heat map: ${reason(error)}`);
  }
}

/** Stores the report of a nodule's series in its study. */
async function store(source: DataSource, { uid, displaySet }: Nodule): Promise<void> {
  if (!nodules.clip) return;
  try {
    const { bytes } = await reportOf(displaySet, nodules.list, nodules.clip.info);
    await source.store.dicom(bytes.slice().buffer);
    nodules.tell(uid, 'The report is stored in the study.');
  } catch (error) {
    nodules.tell(uid, `The report is not stored: ${reason(error)}`);
  }
}

export default {
  id: ID,

  preRegistration({ servicesManager, extensionManager, appConfig }: Given): void {
    model = appConfig?.clipLung?.model ?? MODEL;
    const { services } = servicesManager;
    const maps = new HeatMaps(services.segmentationService, core);
    nodules.addEventListener('change', () => maps.keep(nodules.list));
    definePanel(nodules, {
      show: (uid) => services.measurementService.jumpToMeasurement(services.viewportGridService.getActiveViewportId(), uid),
      remove: (uid) => services.measurementService.remove(uid),
      heat: (nodule) => void toggle(maps, services, nodule),
      hasHeat: (uid) => maps.shows(uid),
      store: () => {
        const [source] = extensionManager.getActiveDataSource();
        return source?.getConfig?.()?.wadoRoot ? (nodule) => void store(source, nodule) : undefined;
      },
    });
  },

  getPanelModule() {
    return [{ name: 'nodules', iconName: 'tab-linear', iconLabel: 'Nodules', label: 'Nodule malignancy', component: PANEL }];
  },

  /** `predictNodule`, with the `uid` of a measurement. */
  getCommandsModule({ servicesManager }: Given) {
    const { services } = servicesManager;
    const commandFn = ({ uid }: { uid: string }) => {
      const measurement = services.measurementService.getMeasurement(uid);
      return measurement && predict(services, measurement);
    };
    return { definitions: { predictNodule: { commandFn } }, actions: {}, defaultContext: 'DEFAULT' };
  },

  onModeEnter({ servicesManager }: Given): void {
    const { services } = servicesManager;
    const { EVENTS } = services.measurementService;
    const on = (event: string, listener: (measurement: Measurement | string) => void) =>
      EVENTS[event] && subscriptions.push(services.measurementService.subscribe(EVENTS[event], ({ measurement }) => listener(measurement)));
    // it is added when it is finished; before that it is updated with every move of the mouse
    on('MEASUREMENT_ADDED', (added) => void (typeof added === 'object' && predict(services, added)));
    on('MEASUREMENT_UPDATED', (now) => void (typeof now === 'object' && nodules.has(now.uid) && predict(services, now)));
    on('MEASUREMENT_REMOVED', (gone) => nodules.remove(typeof gone === 'string' ? gone : gone.uid));
    on('MEASUREMENTS_CLEARED', () => nodules.remove());
  },

  onModeExit(): void {
    subscriptions.forEach((s) => s.unsubscribe());
    subscriptions = [];
    nodules.dispose();
  },
};
