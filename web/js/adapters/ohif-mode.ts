/** OHIF: its basic viewer with the panel of nodules beside the measurements. */
import { ID, PANEL_ID } from './ohif.js';

/** What is used of a mode. */
interface Mode {
  id: string;
  routeName: string;
  displayName: string;
  extensions: Record<string, string>;
  routes: { path: string; layoutInstance: { props: { rightPanels: string[] } } }[];
}

interface Module {
  modeFactory(given: object): Mode | Promise<Mode>;
}

const BASIC = '@ohif/mode-longitudinal';

export default {
  id: ID,

  async modeFactory(given: { loadModules(names: string[]): Promise<Module[]> }): Promise<Mode> {
    const [basic] = await given.loadModules([BASIC]);
    const mode = await basic!.modeFactory(given);
    const routes = mode.routes.map((route) => {
      const { layoutInstance } = route;
      const props = { ...layoutInstance.props, rightPanels: [PANEL_ID, ...layoutInstance.props.rightPanels] };
      return { ...route, path: ID, layoutInstance: { ...layoutInstance, props } };
    });
    // OHIF loads what it does not know from its address
    const extensions = { ...mode.extensions, [new URL('./ohif.js', import.meta.url).href]: '*' };
    return { ...mode, id: ID, routeName: ID, displayName: 'Lung nodules (research)', extensions, routes };
  },
};
